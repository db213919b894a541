package pool

import (
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
)

// Lease is the right to use a value, from Acquire to Release or Destroy. Exactly
// one of these counts. A second one does nothing, also where the value has been
// lent to somebody else since; under the invariant checks it panics.
type Lease[V any] struct {
	value  V
	of     lender
	term   uint64
	reused bool
}

// lender is an entry, whatever its key is.
type lender interface {
	giveBack(term uint64, destroy bool, cause error)
}

// Value returns what is lent. It must not be used after Release or Destroy.
func (l *Lease[V]) Value() V { return l.value }

// Reused tells that the value was there before: it was not dialled for this
// lease.
func (l *Lease[V]) Reused() bool { return l.reused }

// Release gives the value back for others to use. It calls Config.Close and
// waits for it where the value may get no more work.
func (l *Lease[V]) Release() { l.of.giveBack(l.term, false, nil) }

// Destroy ends the lease and closes the value, because of err, which may be nil
// and is for the log.
func (l *Lease[V]) Destroy(err error) { l.of.giveBack(l.term, true, err) }

// lend makes a value that is busy, idle or new the holder's.
func (p *Pool[K, V]) lend(e *entry[K, V], now time.Time, trace *stack) {
	if e.state != busy {
		p.move(e, busy)
	}
	e.leased = true
	if trace != nil {
		p.leases.push(&e.watch, e, now, trace)
		p.arm(now)
	}
}

func (e *entry[K, V]) giveBack(term uint64, destroy bool, cause error) {
	s := e.slot
	p := s.pool
	now := time.Now()
	p.mu.Lock()
	if !e.leased || e.term != term {
		p.mu.Unlock()
		invariants.Check(false, "pool: key %v: a lease was released or destroyed twice", s.key)
		return
	}
	e.leased = false
	e.term++
	p.leases.remove(&e.watch)
	s.lastUse = now
	if destroy {
		p.retire(e, Destroyed)
	} else {
		p.settle(e, now, false)
	}
	ending := p.unlock(s)
	if destroy && cause != nil {
		p.cfg.Logger.Debug("pool: value destroyed", "key", s.key, "err", cause)
	}
	p.end(ending)
}
