package bench

import (
	"sync"
	"sync/atomic"
	"time"
)

// Phases of a measurement.
const (
	phaseWarm = iota
	phaseMeasure
	phaseStop
)

// sampleMost is how many calls share one latency sample at most. With few calls in
// flight each is timed; with many, two clock reads would be a tenth of a call.
const sampleMost = 64

// Meter collects what a client does. Its phase is changed by the measurement
// while the client runs: calls before the window count for nothing.
type Meter struct {
	phase  atomic.Uint32
	stride int
	base   time.Time

	mu       sync.Mutex
	hist     Histogram // guarded by mu
	requests int64     // guarded by mu
	items    int64     // guarded by mu
}

// NewMeter returns a meter for a client that keeps inflight calls in flight, in
// its warm-up phase.
func NewMeter(inflight int) *Meter {
	return &Meter{stride: min(max(1, inflight/4), sampleMost), base: time.Now()}
}

// Running reports whether the client should start another call.
func (m *Meter) Running() bool { return m.phase.Load() != phaseStop }

// Begin opens the window.
func (m *Meter) Begin() { m.phase.CompareAndSwap(phaseWarm, phaseMeasure) }

// Stop closes the window; clients stop after the calls that they have in flight.
func (m *Meter) Stop() { m.phase.Store(phaseStop) }

// Now returns the time since the meter was made, by the monotonic clock.
func (m *Meter) Now() time.Duration { return time.Since(m.base) }

// Totals returns the calls and the items of the window, and their latencies. It
// must be called after the client has returned; the histogram is the meter's own.
func (m *Meter) Totals() (requests, items int64, hist *Histogram) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests, m.items, &m.hist
}

// Loop makes one call after another until the meter stops. call returns how many
// items it got, and an error ends the loop, except after the stop: a connection
// that is closed then is no failure. It is safe to run many loops at once.
func (m *Meter) Loop(call func() (items int, err error)) error {
	w := m.Worker()
	// The sums live on the stack, which is warm when a call returns.
	var requests, sum int64
	defer func() {
		w.requests, w.items = requests, sum
		w.Flush()
	}()
	for left := 1; ; {
		phase := m.phase.Load()
		if phase == phaseStop {
			return nil
		}
		timed := false
		if phase == phaseMeasure {
			if left--; left == 0 {
				left, timed = m.stride, true
			}
		}
		var start time.Duration
		if timed {
			start = m.Now()
		}
		items, err := call()
		if err != nil {
			if !m.Running() {
				return nil
			}
			return err
		}
		if phase == phaseMeasure {
			requests++
			sum += int64(items)
		}
		if timed {
			w.sample(m.Now()-start, 1)
		}
	}
}

// Worker returns a recorder for one goroutine.
func (m *Meter) Worker() *Worker { return &Worker{m: m} }

// Worker records for a meter without touching memory that others write. It
// belongs to one goroutine, which must call Flush at the end.
type Worker struct {
	m        *Meter
	requests int64
	items    int64
	used     int
	samples  [64]sample
}

type sample struct {
	d time.Duration
	n int
}

// Done records n calls that took d each and got items items together, if the
// window is open.
func (w *Worker) Done(n, items int, d time.Duration) {
	if w.m.phase.Load() != phaseMeasure {
		return
	}
	w.requests += int64(n)
	w.items += int64(items)
	w.sample(d, n)
}

func (w *Worker) sample(d time.Duration, n int) {
	w.samples[w.used] = sample{d, n}
	if w.used++; w.used == len(w.samples) {
		w.m.mu.Lock()
		w.drainLocked()
		w.m.mu.Unlock()
	}
}

// Flush hands what was recorded to the meter.
func (w *Worker) Flush() {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.drainLocked()
	w.m.requests += w.requests
	w.m.items += w.items
	w.requests, w.items = 0, 0
}

// drainLocked needs the meter's mutex.
func (w *Worker) drainLocked() {
	for _, s := range w.samples[:w.used] {
		w.m.hist.RecordN(s.d, s.n)
	}
	w.used = 0
}
