package bench

import "runtime/metrics"

// Usage is what a process has used since it began, or within a window.
type Usage struct {
	CPUMicros float64 `json:"cpu_us"`   // user and system time
	Allocs    uint64  `json:"allocs"`   // heap objects
	Syscalls  int64   `json:"syscalls"` // as its contender counts them; 0 when it does not
}

// Sub returns what was used between before and u.
func (u Usage) Sub(before Usage) Usage {
	return Usage{
		CPUMicros: u.CPUMicros - before.CPUMicros,
		Allocs:    u.Allocs - before.Allocs,
		Syscalls:  u.Syscalls - before.Syscalls,
	}
}

// usage reads this process's usage. It does not stop the world: the loops of the
// floor could not be stopped while they wait.
func usage(peer any) Usage {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(s)
	u := Usage{CPUMicros: float64(cpuTime().Nanoseconds()) / 1e3, Allocs: s[0].Value.Uint64() + s[1].Value.Uint64()}
	if c, ok := peer.(SyscallCounter); ok {
		u.Syscalls = c.Syscalls()
	}
	return u
}
