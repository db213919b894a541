//go:build !linux

package bench

import (
	"errors"
	"os/exec"
)

// CanPin reports whether there are two CPUs to keep a server and a client on:
// not on this system.
func CanPin() bool { return false }

func pinCPUs() (server, client int, ok bool) { return -1, -1, false }

// startOn starts cmd. It can bind nothing here, and fails when it is asked to.
func startOn(cmd *exec.Cmd, cpu int) error {
	if cpu >= 0 {
		return errors.New("processes cannot be bound to a CPU on this system")
	}
	return cmd.Start()
}
