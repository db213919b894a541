package pool

import (
	"context"
	"fmt"
	"time"
)

// Acquire lends a value of key, which the caller gives back with Release or
// Destroy. It waits its turn for one, for as long as ctx allows; a result that was
// there when ctx ended is still given.
//
// Errors: that of ctx, wrapped with what was waited for; that of a failed dial,
// wrapped; ErrExhausted; ErrClosed. After any of them nothing is lent, and a later
// try may succeed, except after ErrClosed.
func (p *Pool[K, V]) Acquire(ctx context.Context, key K) (*Lease[V], error) {
	return p.acquire(ctx, key, &Lease[V]{}) // small enough to be inlined: the Lease stays on the caller's stack
}

// acquire fills l and returns it.
func (p *Pool[K, V]) acquire(ctx context.Context, key K, l *Lease[V]) (*Lease[V], error) {
	start := time.Now()
	e, reused, waited, err := p.obtain(ctx, key, start)
	if err != nil {
		if f := p.cfg.Observer.Failed; f != nil {
			f(key, time.Since(start), err)
		}
		return nil, err
	}
	if f := p.cfg.Observer.Acquired; f != nil {
		var wait time.Duration
		if waited {
			wait = time.Since(start)
		}
		f(key, wait, reused)
	}
	// The term does not change before this lease ends, nor does the value.
	l.value, l.of, l.term, l.reused = e.value, e, e.term, reused
	return l, nil
}

// obtain returns a value that is lent.
func (p *Pool[K, V]) obtain(ctx context.Context, key K, start time.Time) (e *entry[K, V], reused, waited bool, err error) {
	var trace *stack
	if p.cfg.LeakAfter > 0 {
		trace = callers()
	}
	var arrival uint64
	for {
		if ctx.Err() != nil {
			return nil, false, false, p.gaveUp(ctx, key, start, "anything")
		}
		p.mu.Lock()
		s, err := p.enter(key, start)
		if err != nil {
			p.mu.Unlock()
			return nil, false, false, err
		}
		if arrival == 0 {
			p.arrivals++
			arrival = p.arrivals
		}
		now := start
		if waited {
			now = time.Now()
		}
		e := p.takeIdle(s, now)
		if e == nil {
			e, reused, err = p.queue(ctx, s, &waiter[K, V]{arrival: arrival, stack: trace, ready: make(chan struct{}, 1)}, start)
			return e, reused, true, err
		}
		if p.cfg.Check == nil || now.Sub(e.idleSince) < max(0, p.cfg.CheckAfter) {
			p.lend(e, now, trace)
			p.stat.Acquired++
			p.stat.Reused++
			p.endApart(p.unlock(s))
			return e, true, waited, nil
		}
		p.endApart(p.unlock(s))
		waited = true
		ok, err := p.recheck(ctx, e, start, trace)
		if err != nil {
			return nil, false, false, err
		}
		if ok {
			return e, true, true, nil
		}
	}
}

// enter finds the slot of a caller, under the lock.
func (p *Pool[K, V]) enter(key K, now time.Time) (*slot[K, V], error) {
	if p.closed {
		return nil, ErrClosed
	}
	s := p.slotFor(key, now)
	if s == nil {
		p.stat.Exhausted++
		return nil, fmt.Errorf("pool: key %v: all %d keys are in use: %w", key, p.cfg.MaxKeys, ErrExhausted)
	}
	return s, nil
}

// queue waits for a value. It is called with the lock and returns without.
func (p *Pool[K, V]) queue(ctx context.Context, s *slot[K, V], w *waiter[K, V], start time.Time) (*entry[K, V], bool, error) {
	if err := p.await(ctx, s, &s.waiters, w, start); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	p.stat.Acquired++
	p.stat.Waited++
	if w.reused {
		p.stat.Reused++
	}
	p.mu.Unlock()
	return w.entry, w.reused, nil
}

// await queues w in q, which is one of s, until it is served or ctx ends. It is
// called with the lock and returns without.
func (p *Pool[K, V]) await(ctx context.Context, s *slot[K, V], q *queue[K, V], w *waiter[K, V], start time.Time) error {
	if s.waiting() >= p.cfg.MaxWaiters {
		p.stat.Exhausted++
		p.endApart(p.unlock(s))
		return fmt.Errorf("pool: key %v: %d calls wait already: %w", s.key, p.cfg.MaxWaiters, ErrExhausted)
	}
	q.insert(w)
	p.stat.Waiting++
	p.endApart(p.unlock(s))
	select {
	case <-w.ready:
		return w.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	if !w.queued {
		p.mu.Unlock()
		<-w.ready
		return w.err
	}
	what := p.waitsFor(s)
	q.remove(w)
	p.stat.Waiting--
	p.endApart(p.unlock(s))
	return p.gaveUp(ctx, s.key, start, what)
}

// waitsFor says what would serve the first waiter of s.
func (p *Pool[K, V]) waitsFor(s *slot[K, V]) string {
	in := &s.counts.in
	switch {
	case in[dialing] > 0:
		return fmt.Sprintf("a dial (%d in flight for the key, %d busy, %d wait)", in[dialing], in[busy], s.waiting())
	case s.queued:
		return fmt.Sprintf("a turn to dial (%d in flight, the most)", p.cfg.MaxDials)
	}
	return fmt.Sprintf("a release (%d busy, %d closing, at most %d)", in[busy], in[closing], p.cfg.MaxPerKey)
}

func (p *Pool[K, V]) gaveUp(ctx context.Context, key K, start time.Time, what string) error {
	p.mu.Lock()
	p.stat.GaveUp++
	p.mu.Unlock()
	return waitError(ctx, key, time.Since(start), what)
}

// recheck runs Config.Check on a value that is busy for nobody yet, and lends it if
// it is good.
func (p *Pool[K, V]) recheck(ctx context.Context, e *entry[K, V], start time.Time, trace *stack) (bool, error) {
	s := e.slot
	cctx, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	cause := p.cfg.Check(cctx, e.value)
	cancel()
	now := time.Now()
	p.mu.Lock()
	why, spent := p.spent(e, now)
	switch {
	case cause != nil:
		p.stat.CheckFails++
		p.retire(e, CheckFailed)
	case spent:
		p.retire(e, why)
	default:
		p.lend(e, now, trace)
		p.stat.Acquired++
		p.stat.Reused++
	}
	p.endApart(p.unlock(s))
	if cause == nil {
		return !spent, nil
	}
	if ctx.Err() != nil { // the value may have been good, but nobody knows
		return false, p.gaveUp(ctx, s.key, start, "the check of an idle value")
	}
	if f := p.cfg.Observer.CheckFailed; f != nil {
		f(s.key, cause)
	}
	p.cfg.Logger.Debug("pool: check failed", "key", s.key, "err", cause)
	return false, nil
}

// Warm dials until key has MinIdle open values, or one where MinIdle is 0, and
// waits for that. Errors are those of Acquire; the first dial that fails ends it.
func (p *Pool[K, V]) Warm(ctx context.Context, key K) error {
	start := time.Now()
	if ctx.Err() != nil {
		return p.gaveUp(ctx, key, start, "anything")
	}
	p.mu.Lock()
	s, err := p.enter(key, start)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	if p.isWarm(s) {
		p.endApart(p.unlock(s))
		return nil
	}
	p.arrivals++
	return p.await(ctx, s, &s.warmers, &waiter[K, V]{arrival: p.arrivals, ready: make(chan struct{}, 1)}, start)
}

func (p *Pool[K, V]) warmTarget() int { return max(1, p.cfg.MinIdle) }

func (p *Pool[K, V]) isWarm(s *slot[K, V]) bool {
	return int(s.counts.in[idle]+s.counts.in[busy]) >= p.warmTarget()
}

// warmed serves the callers of Warm.
func (p *Pool[K, V]) warmed(s *slot[K, V]) {
	if s.warmers.first == nil || !p.isWarm(s) {
		return
	}
	for s.warmers.first != nil {
		p.fail(&s.warmers, nil)
	}
}
