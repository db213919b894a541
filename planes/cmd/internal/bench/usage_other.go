//go:build !unix

package bench

import "time"

// cpuTime returns 0: this system has no getrusage, so tables show no CPU time.
func cpuTime() time.Duration { return 0 }
