package pool

import (
	"math/rand/v2"
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
)

// slot is what is known of a key. The pool's mutex guards it.
type slot[K comparable, V any] struct {
	pool    *Pool[K, V]
	key     K
	counts  counts
	idle    []*entry[K, V] // longest idle first
	waiters queue[K, V]    // of Acquire; empty while a value is idle
	warmers queue[K, V]    // of Warm
	lastUse time.Time
	epoch   uint64  // Evicts; a value of an earlier one is spent
	spread  float64 // in [0, 1): where in the jitter the next lifetime lies

	inUse       bool      // Config.MinIdle is kept up
	paused      bool      // it is not, until retryAt: a dial failed
	retryAt     time.Time //
	roundFailed bool      // no value is open, a dial failed, others are in flight
	queued      bool      // in Pool.wanting
	gone        bool      // no longer in Pool.slots

	due time.Time // when sweep should look
	pos int       // in Pool.due; -1: not there
}

// entry is one value.
type entry[K comparable, V any] struct {
	slot      *slot[K, V]
	value     V
	idleSince time.Time
	expires   time.Time
	epoch     uint64
	term      uint64 // leases that ended; a Lease of an earlier term is stale
	state     state
	leased    bool // busy for the holder of a Lease
	why       CloseReason

	watch leaseNode[K, V]
}

// slotFor returns the slot of key, or nil if there is no room for a new one.
func (p *Pool[K, V]) slotFor(key K, now time.Time) *slot[K, V] {
	s := p.slots[key]
	if s == nil {
		if len(p.slots) >= p.cfg.MaxKeys && !p.makeRoom() {
			return nil
		}
		s = &slot[K, V]{pool: p, key: key, pos: -1, spread: rand.Float64()}
		p.slots[key] = s
	}
	s.lastUse, s.inUse = now, true
	return s
}

// makeRoom evicts the key that was used longest ago among those with idle or
// closing values only. Its values that are closing still count in the totals.
func (p *Pool[K, V]) makeRoom() bool {
	var oldest *slot[K, V]
	for _, s := range p.slots {
		free := s.counts.in[busy] == 0 && s.counts.in[dialing] == 0 && s.waiting() == 0
		if free && (oldest == nil || s.lastUse.Before(oldest.lastUse)) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	p.retireIdle(oldest, Evicted)
	p.drop(oldest)
	return true
}

// forget drops a slot that says nothing.
func (p *Pool[K, V]) forget(s *slot[K, V]) {
	if !s.gone && s.counts.live() == 0 && s.waiting() == 0 {
		p.drop(s)
	}
}

func (p *Pool[K, V]) drop(s *slot[K, V]) {
	s.gone, s.inUse = true, false
	delete(p.slots, s.key)
	p.unschedule(s)
	if s.queued {
		p.unwant(s)
	}
}

// takeIdle returns an idle value that may be used, now busy, or nil.
func (p *Pool[K, V]) takeIdle(s *slot[K, V], now time.Time) *entry[K, V] {
	for len(s.idle) > 0 {
		at := len(s.idle) - 1
		if p.cfg.FIFO {
			at = 0
		}
		e := s.removeIdle(at)
		if why, spent := p.spent(e, now); spent {
			p.retire(e, why)
			continue
		}
		p.move(e, busy)
		return e
	}
	return nil
}

func (s *slot[K, V]) removeIdle(at int) *entry[K, V] {
	e := s.idle[at]
	last := len(s.idle) - 1
	copy(s.idle[at:], s.idle[at+1:])
	s.idle[last] = nil
	s.idle = s.idle[:last]
	return e
}

// lifetime returns the next lifetime of a value: 75 to 125 % of mean. Steps of the
// golden ratio spread any number of values evenly over that, which chance does not.
func (s *slot[K, V]) lifetime(mean time.Duration) time.Duration {
	const golden = 0.6180339887498949
	s.spread += golden
	if s.spread >= 1 {
		s.spread--
	}
	return time.Duration(float64(mean) * (0.75 + s.spread/2))
}

// verify is what holds for a slot whenever nobody has the lock.
func (s *slot[K, V]) verify() {
	n := &s.counts
	var sum uint64
	for _, in := range n.in {
		sum += in
	}
	// Nothing is formatted where all is well, so that the checked build allocates
	// no more than the other.
	switch {
	case n.opened != sum:
		invariants.Check(false, "pool: key %v: opened %d, in states %v", s.key, n.opened, n.in)
	case n.in[idle] != uint64(len(s.idle)):
		invariants.Check(false, "pool: key %v: %d idle, %d in the list", s.key, n.in[idle], len(s.idle))
	case len(s.idle) > 0 && s.waiters.n > 0:
		invariants.Check(false, "pool: key %v: %d idle and %d wait", s.key, len(s.idle), s.waiters.n)
	case s.roundFailed && n.in[dialing] == 0:
		invariants.Check(false, "pool: key %v: a round without a dial", s.key)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
