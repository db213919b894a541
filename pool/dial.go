package pool

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// warmRetry is how long a key's idle values are not made up to MinIdle after a
// dial failed.
const warmRetry = time.Second

// demand is how many more dials a key wants and has room for.
func (p *Pool[K, V]) demand(s *slot[K, V]) int {
	if p.closed || s.roundFailed {
		return 0
	}
	in := &s.counts.in
	want := s.waiters.n
	if s.inUse && !s.paused {
		want += max(0, p.cfg.MinIdle-int(in[idle]))
	}
	if s.warmers.n > 0 {
		want = max(want, p.warmTarget()-int(in[idle]+in[busy]))
	}
	return min(want-int(in[dialing]), p.cfg.MaxPerKey-s.counts.live())
}

// pump puts s in the queue for the dial budget if it wants dials, and begins those
// that the budget has room for: keys in turn, one dial each.
func (p *Pool[K, V]) pump(s *slot[K, V]) {
	if !s.queued && p.demand(s) > 0 {
		s.queued = true
		p.wanting = append(p.wanting, s)
	}
	for len(p.wanting) > 0 && p.counts.in[dialing] < uint64(p.cfg.MaxDials) {
		next := p.wanting[0]
		p.wanting[0] = nil
		p.wanting = p.wanting[1:]
		next.queued = false
		if p.demand(next) <= 0 {
			continue
		}
		e := &entry[K, V]{slot: next, epoch: next.epoch}
		p.counts.open()
		next.counts.open()
		go p.dial(e)
		if p.demand(next) > 0 {
			next.queued = true
			p.wanting = append(p.wanting, next)
		}
	}
}

func (p *Pool[K, V]) unwant(s *slot[K, V]) {
	s.queued = false
	if i := slices.Index(p.wanting, s); i >= 0 {
		p.wanting = slices.Delete(p.wanting, i, i+1)
	}
}

// dial is the goroutine of one dial.
func (p *Pool[K, V]) dial(e *entry[K, V]) {
	s := e.slot
	ctx, cancel := context.WithTimeout(p.dialCtx, p.cfg.DialTimeout)
	v, err := p.cfg.Dial(ctx, s.key)
	cancel()
	if err != nil {
		p.dialFailed(e, err)
		return
	}
	now := time.Now()
	p.mu.Lock()
	e.value = v
	e.expires = now.Add(s.lifetime(p.cfg.MaxLifetime))
	s.roundFailed = false
	p.settle(e, now, true)
	ending := p.unlock(s)
	if f := p.cfg.Observer.Created; f != nil {
		f(s.key)
	}
	p.end(ending)
}

// dialFailed decides whom a failed dial concerns; the package doc has the rule.
func (p *Pool[K, V]) dialFailed(e *entry[K, V], cause error) {
	s := e.slot
	err := fmt.Errorf("pool: key %v: dial: %w", s.key, cause)
	p.mu.Lock()
	p.move(e, closed)
	p.stat.DialErrors++
	in := &s.counts.in
	nothingOpen := in[idle]+in[busy] == 0
	s.roundFailed = nothingOpen && in[dialing] > 0
	switch {
	case nothingOpen && !s.roundFailed:
		p.failAll(s, err)
	case s.waiters.first != nil:
		p.fail(&s.waiters, err)
	}
	for s.warmers.first != nil {
		p.fail(&s.warmers, err)
	}
	if p.cfg.MinIdle > 0 && !p.closed {
		s.paused, s.retryAt = true, time.Now().Add(warmRetry)
		p.schedule(s, s.retryAt)
	}
	quiet := p.closed
	ending := p.unlock(s)
	if f := p.cfg.Observer.DialFailed; f != nil {
		f(s.key, cause)
	}
	if !quiet {
		p.cfg.Logger.Debug("pool: dial failed", "key", s.key, "err", cause)
	}
	p.end(ending)
}

// fail serves err to the first of q.
func (p *Pool[K, V]) fail(q *queue[K, V], err error) {
	w := q.pop()
	p.stat.Waiting--
	w.err = err
	w.wake()
}

func (p *Pool[K, V]) failAll(s *slot[K, V], err error) {
	for s.waiters.first != nil {
		p.fail(&s.waiters, err)
	}
	for s.warmers.first != nil {
		p.fail(&s.warmers, err)
	}
}
