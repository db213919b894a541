package bench

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// CanPin says whether this system can keep a process on one CPU.
const CanPin = true

// startOn starts cmd, bound to CPU cpu unless that is negative. The child inherits
// the binding of the thread that forks it, so that its Go runtime sees one CPU
// from the start.
func startOn(cmd *exec.Cmd, cpu int) error {
	if cpu < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return cmd.Start()
}
