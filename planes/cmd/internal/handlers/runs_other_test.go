//go:build !linux

package handlers_test

import (
	"os"
	"syscall"
)

// runs reports whether a process is there.
func runs(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}
