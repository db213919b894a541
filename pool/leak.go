package pool

import (
	"fmt"
	"runtime"
	"time"
)

// stackDepth is how many calls of an Acquire are kept.
const stackDepth = 32

type stack struct {
	pcs [stackDepth]uintptr
	n   int
}

// callers records the stack from Acquire on.
func callers() *stack {
	s := new(stack)
	s.n = runtime.Callers(4, s.pcs[:])
	return s
}

// text is the stack in the form of a panic's.
func (s *stack) text() []byte {
	var b []byte
	frames := runtime.CallersFrames(s.pcs[:s.n])
	for {
		f, more := frames.Next()
		if f.Function != "" {
			b = fmt.Appendf(b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		}
		if !more {
			return b
		}
	}
}

// leaseNode is the place of an entry in the leaseList; zero while it is not there.
type leaseNode[K comparable, V any] struct {
	prev, next *leaseNode[K, V]
	of         *entry[K, V] // nil: not in the list
	since      time.Time
	stack      *stack
}

// leaseList holds the leases that were not reported yet, oldest first.
type leaseList[K comparable, V any] struct {
	first, last *leaseNode[K, V]
}

func (l *leaseList[K, V]) push(n *leaseNode[K, V], e *entry[K, V], now time.Time, trace *stack) {
	*n = leaseNode[K, V]{prev: l.last, of: e, since: now, stack: trace}
	if l.last == nil {
		l.first = n
	} else {
		l.last.next = n
	}
	l.last = n
}

func (l *leaseList[K, V]) remove(n *leaseNode[K, V]) {
	if n.of == nil {
		return
	}
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	*n = leaseNode[K, V]{}
}

// leak is a lease to be reported.
type leak[K comparable] struct {
	key   K
	held  time.Duration
	stack *stack
}

// leaked takes the leases that have been held too long off the list.
func (p *Pool[K, V]) leaked(now time.Time) (found []leak[K]) {
	for p.leases.first != nil {
		n := p.leases.first
		held := now.Sub(n.since)
		if held < p.cfg.LeakAfter {
			break
		}
		found = append(found, leak[K]{n.of.slot.key, held, n.stack})
		p.leases.remove(n)
		p.stat.Leaks++
	}
	return found
}

func (p *Pool[K, V]) report(found []leak[K]) {
	for _, l := range found {
		if p.cfg.OnLeak != nil {
			p.cfg.OnLeak(l.key, l.held, l.stack.text())
			continue
		}
		p.cfg.Logger.Warn("pool: lease held too long", "key", l.key, "held", l.held, "stack", string(l.stack.text()))
	}
}
