package pool

import (
	"container/heap"
	"time"
)

// schedule has sweep look at s at t, or earlier if that was asked before.
func (p *Pool[K, V]) schedule(s *slot[K, V], t time.Time) {
	h := (*dueHeap[K, V])(&p.due)
	switch {
	case s.pos < 0:
		s.due = t
		heap.Push(h, s)
	case t.Before(s.due):
		s.due = t
		heap.Fix(h, s.pos)
	default:
		return
	}
	p.arm(time.Time{})
}

func (p *Pool[K, V]) unschedule(s *slot[K, V]) {
	if s.pos >= 0 {
		heap.Remove((*dueHeap[K, V])(&p.due), s.pos)
	}
}

// arm sets the timer to what is due next, if it is not set to an earlier time. It
// is never set to a later one: sweep finds nothing to do then and sets it anew. now
// is read where it is zero.
func (p *Pool[K, V]) arm(now time.Time) {
	if p.closed {
		return
	}
	var next time.Time
	if len(p.due) > 0 {
		next = p.due[0].due
	}
	if n := p.leases.first; n != nil {
		if at := n.since.Add(p.cfg.LeakAfter); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if next.IsZero() || !p.wake.IsZero() && !next.Before(p.wake) {
		return
	}
	if now.IsZero() {
		now = time.Now()
	}
	p.wake = next
	if p.timer == nil {
		p.timer = time.AfterFunc(next.Sub(now), p.sweep)
	} else {
		p.timer.Reset(next.Sub(now))
	}
}

// sweep is what the timer calls.
func (p *Pool[K, V]) sweep() {
	p.mu.Lock()
	now := time.Now()
	p.wake = time.Time{}
	found := p.leaked(now)
	for len(p.due) > 0 && !p.due[0].due.After(now) {
		s := p.due[0]
		p.unschedule(s)
		p.sweepSlot(s, now)
		p.pump(s)
		p.forget(s)
	}
	p.arm(now)
	ending := p.unlock(nil)
	p.report(found)
	p.end(ending)
}

// sweepSlot retires what has been idle or alive too long, and schedules the next
// look.
func (p *Pool[K, V]) sweepSlot(s *slot[K, V], now time.Time) {
	unused := s.lastUse.Add(p.cfg.IdleTimeout)
	if !now.Before(unused) {
		s.inUse = false
	}
	if s.paused && !now.Before(s.retryAt) {
		s.paused = false
	}
	keep := 0
	if s.inUse {
		keep = p.cfg.MinIdle
	}
	var next time.Time
	soon := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for i := 0; i < len(s.idle); {
		e := s.idle[i]
		timesOut := e.idleSince.Add(p.cfg.IdleTimeout)
		switch {
		case !now.Before(e.expires):
			p.retire(s.removeIdle(i), TooOld)
			continue
		case !now.Before(timesOut) && len(s.idle) > keep:
			p.retire(s.removeIdle(i), IdleTooLong)
			continue
		case !now.Before(timesOut): // one of MinIdle
			timesOut = unused
		}
		soon(e.expires)
		soon(timesOut)
		i++
	}
	if s.paused {
		soon(s.retryAt)
	}
	if s.inUse && p.cfg.MinIdle > 0 {
		soon(unused)
	}
	if !next.IsZero() {
		p.schedule(s, next)
	}
}

// dueHeap is the heap.Interface of Pool.due.
type dueHeap[K comparable, V any] []*slot[K, V]

func (h dueHeap[K, V]) Len() int           { return len(h) }
func (h dueHeap[K, V]) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap[K, V]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

// Push is for container/heap.
func (h *dueHeap[K, V]) Push(x any) {
	s := x.(*slot[K, V])
	s.pos = len(*h)
	*h = append(*h, s)
}

// Pop is for container/heap.
func (h *dueHeap[K, V]) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.pos = -1
	return s
}
