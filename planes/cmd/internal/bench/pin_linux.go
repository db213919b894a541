package bench

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// CanPin reports whether there are two CPUs to keep a server and a client on.
func CanPin() bool {
	_, _, ok := pinCPUs()
	return ok
}

// pinCPUs returns the first two CPUs that this process may use.
func pinCPUs() (server, client int, ok bool) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() < 2 {
		return -1, -1, false
	}
	server = -1
	for cpu := 0; ; cpu++ {
		switch {
		case !set.IsSet(cpu):
		case server < 0:
			server = cpu
		default:
			return server, cpu, true
		}
	}
}

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
