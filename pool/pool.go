package pool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
)

// Pool lends values by key. New makes it; all methods are safe for concurrent
// use.
type Pool[K comparable, V any] struct {
	cfg     Config[K, V]
	dialCtx context.Context // parent of every dial, ended by Close
	cancel  context.CancelFunc
	done    chan struct{} // closed once the pool is, and no value is left

	mu       sync.Mutex // guards all that follows, and every slot, entry and waiter
	slots    map[K]*slot[K, V]
	counts   counts
	stat     Stat            // all but Counts and Keys
	arrivals uint64          // Acquires that came; says who was first
	wanting  []*slot[K, V]   // keys that want to dial, in turn
	due      []*slot[K, V]   // heap: keys with something to do at a time
	ending   []*entry[K, V]  // closing, and to be handed to end by unlock
	leases   leaseList[K, V] // those watched for leaks, oldest first
	timer    *time.Timer     // fires at wake
	wake     time.Time       // zero: not armed
	closed   bool
}

// New returns an empty pool, or what Validate says. Close ends it.
func New[K comparable, V any](cfg Config[K, V]) (*Pool[K, V], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pool[K, V]{cfg: cfg.withDefaults(), slots: make(map[K]*slot[K, V]), done: make(chan struct{})}
	p.dialCtx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// unlock ends a change of s, which is nil where many keys changed. The values it
// returns are to be handed to end.
func (p *Pool[K, V]) unlock(s *slot[K, V]) []*entry[K, V] {
	if s != nil {
		p.pump(s)
		p.forget(s)
		if invariants.Enabled {
			s.verify()
		}
	}
	if p.closed && p.counts.live() == 0 {
		select {
		case <-p.done:
		default:
			close(p.done)
		}
	}
	ending := p.ending
	p.ending = nil
	p.mu.Unlock()
	return ending
}

// end closes values that retire put aside, without the lock.
func (p *Pool[K, V]) end(ending []*entry[K, V]) {
	for len(ending) > 0 {
		e := ending[0]
		p.cfg.Close(e.value)
		p.mu.Lock()
		p.move(e, closed)
		var none V
		e.value = none
		more := p.unlock(e.slot)
		if f := p.cfg.Observer.Closed; f != nil {
			f(e.slot.key, e.why)
		}
		ending = append(ending[1:], more...)
	}
}

// endApart is end for a caller that should not wait for Close.
func (p *Pool[K, V]) endApart(ending []*entry[K, V]) {
	if len(ending) > 0 {
		go p.end(ending)
	}
}

// retire takes a value out of use. unlock hands it to end.
func (p *Pool[K, V]) retire(e *entry[K, V], why CloseReason) {
	p.move(e, closing)
	e.why = why
	p.ending = append(p.ending, e)
}

// move is the only place where a value changes its state.
func (p *Pool[K, V]) move(e *entry[K, V], to state) {
	p.counts.move(e.state, to)
	e.slot.counts.move(e.state, to)
	e.state = to
}

// settle finds the place of a value that was dialled (fresh) or comes back.
func (p *Pool[K, V]) settle(e *entry[K, V], now time.Time, fresh bool) {
	s := e.slot
	switch why, spent := p.spent(e, now); {
	case spent:
		p.retire(e, why)
	case s.waiters.first != nil:
		w := s.waiters.pop()
		p.stat.Waiting--
		w.entry, w.reused = e, !fresh
		p.lend(e, now, w.stack)
		w.wake()
	case len(s.idle) >= p.cfg.MaxIdlePerKey:
		p.retire(e, Surplus)
	default:
		p.move(e, idle)
		e.idleSince = now
		s.idle = append(s.idle, e)
		p.schedule(s, earlier(e.expires, now.Add(p.cfg.IdleTimeout)))
	}
	p.warmed(s)
}

// spent tells whether a value may not get more work, and why.
func (p *Pool[K, V]) spent(e *entry[K, V], now time.Time) (CloseReason, bool) {
	switch {
	case p.closed:
		return PoolClosed, true
	case e.epoch != e.slot.epoch:
		return Evicted, true
	case !now.Before(e.expires):
		return TooOld, true
	}
	return 0, false
}

// Evict gives the values of key no more work: idle ones are closed before it
// returns, busy ones and those that are being dialled when they come back. Waiters
// stay, and get values dialled from now on. Config.MinIdle is not kept up before the
// key is used again.
func (p *Pool[K, V]) Evict(key K) {
	p.mu.Lock()
	s := p.slots[key]
	if s == nil {
		p.mu.Unlock()
		return
	}
	s.epoch++
	s.inUse = false
	p.retireIdle(s, Evicted)
	p.end(p.unlock(s))
}

func (p *Pool[K, V]) retireIdle(s *slot[K, V], why CloseReason) {
	for _, e := range s.idle {
		p.retire(e, why)
	}
	clear(s.idle)
	s.idle = s.idle[:0]
}

// Close ends the pool: waiters get ErrClosed, dials in flight are cancelled, idle
// values are closed before it returns, and busy ones when they are released. A
// second call does nothing. It always returns nil.
func (p *Pool[K, V]) Close() error {
	p.end(p.shut())
	return nil
}

// Shutdown is Close that waits until every value is closed and no dial is in
// flight, or until ctx ends, in which case it says what was left.
func (p *Pool[K, V]) Shutdown(ctx context.Context) error {
	p.endApart(p.shut())
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		s := p.Stat()
		return fmt.Errorf("pool: shutdown: left %d busy, %d dialing, %d closing: %w", s.Busy, s.Dialing, s.Closing, context.Cause(ctx))
	}
}

func (p *Pool[K, V]) shut() []*entry[K, V] {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.cancel()
		p.wanting = nil
		if p.timer != nil {
			p.timer.Stop()
		}
		for _, s := range p.slots {
			s.queued = false
			p.retireIdle(s, PoolClosed)
			p.failAll(s, ErrClosed)
			p.forget(s)
		}
	}
	return p.unlock(nil)
}
