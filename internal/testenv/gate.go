package testenv

import (
	"runtime"
	"testing"
)

const (
	allocRuns   = 200  // calls a round; the figure is their mean
	allocRounds = 5    // rounds before the gate gives up; the least counts
	allocSlack  = 0.02 // a collection in mid-round empties pools: not the caller's
)

// Figure writes one line that "make gates" shows: what was measured, the value,
// the limit, and the unit of both.
func Figure(tb testing.TB, what string, got, limit float64, unit string) {
	tb.Helper()
	tb.Logf("gate: %s: %.4g %s (limit %.4g)", what, got, unit, limit)
}

// Allocs fails tb if a call of f allocates more than want times on average, all
// goroutines counted. f is called once to warm up, then a few hundred times on
// one processor. Under -race it is called once and nothing is compared. Not for
// tests that run in parallel with others.
func Allocs(tb testing.TB, want float64, f func()) {
	tb.Helper()
	f()
	if Race {
		return
	}
	got := leastAllocs(want, f)
	Figure(tb, tb.Name(), got, want, "allocs/op")
	if got > want+allocSlack {
		tb.Errorf("%.3g allocations a call, want at most %.3g", got, want)
	}
}

// leastAllocs stops at the first round that is good enough, because a round can
// only be too high: something else of the process allocated as well.
func leastAllocs(want float64, f func()) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	least := meanAllocs(f)
	for round := 1; round < allocRounds && least > want+allocSlack; round++ {
		least = min(least, meanAllocs(f))
	}
	return least
}

func meanAllocs(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range allocRuns {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / allocRuns
}

// LiveHeap collects garbage and returns the bytes of heap that are still
// reachable.
func LiveHeap() uint64 {
	// A first collection moves pooled objects to the victim cache and queues
	// finalizers, a second frees both.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// CheckHeap fails tb if the live heap of the process is above limit bytes. The
// caller keeps alive what it wants counted. It returns the live bytes.
func CheckHeap(tb testing.TB, limit uint64) uint64 {
	tb.Helper()
	got := LiveHeap()
	Figure(tb, tb.Name()+" live heap", float64(got), float64(limit), "B")
	if got > limit {
		tb.Errorf("live heap is %d bytes, want at most %d", got, limit)
	}
	return got
}

// CheckRetained fails tb if what make returns keeps more than limit bytes of
// heap alive per item, where make builds n items. It returns bytes per item.
// Figures under -race are larger and are not compared.
func CheckRetained(tb testing.TB, n int, limit float64, make func() any) float64 {
	tb.Helper()
	before := LiveHeap()
	kept := make()
	after := LiveHeap()
	runtime.KeepAlive(kept)
	got := (float64(after) - float64(before)) / float64(n)
	if Race {
		return got
	}
	Figure(tb, tb.Name()+" retained", got, limit, "B/item")
	if got > limit {
		tb.Errorf("%.0f bytes an item, want at most %.0f", got, limit)
	}
	return got
}

// CheckSize fails tb if got is above limit; both are bytes of a struct, as
// unsafe.Sizeof gives them on a 64-bit machine.
func CheckSize(tb testing.TB, what string, got, limit uintptr) {
	tb.Helper()
	Figure(tb, what, float64(got), float64(limit), "B")
	if got > limit {
		tb.Errorf("%s is %d bytes, want at most %d", what, got, limit)
	}
}
