//go:build !linux

package bench

import (
	"errors"
	"os/exec"
)

// CanPin says whether this system can keep a process on one CPU.
const CanPin = false

// startOn starts cmd. It can bind nothing here, and fails when it is asked to.
func startOn(cmd *exec.Cmd, cpu int) error {
	if cpu >= 0 {
		return errors.New("processes cannot be bound to a CPU on this system")
	}
	return cmd.Start()
}
