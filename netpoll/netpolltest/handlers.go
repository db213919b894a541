package netpolltest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireplane/wireplane/netpoll"
)

// recorder is a handler that checks the order of its callbacks and keeps what it saw. Its hooks may be nil.
type recorder struct {
	t      *testing.T
	onOpen func(c *netpoll.Conn)
	onData func(c *netpoll.Conn, b []byte) (int, error)

	inside atomic.Int32 // callbacks running now
	opens  atomic.Int32
	calls  atomic.Int32 // OnData calls
	closes atomic.Int32
	ended  chan error    // OnClose's error; room for two so that a second call does not block
	fed    chan struct{} // a token when OnData has returned; never blocks

	mu  sync.Mutex
	got []byte // what was consumed
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, ended: make(chan error, 2), fed: make(chan struct{}, 1)}
}

func (r *recorder) enter() {
	if r.inside.Add(1) != 1 {
		r.t.Error("callbacks overlap")
	}
}

func (r *recorder) leave() { r.inside.Add(-1) }

func (r *recorder) OnOpen(c *netpoll.Conn) {
	r.enter()
	defer r.leave()
	if r.opens.Add(1) != 1 || r.calls.Load() != 0 || r.closes.Load() != 0 {
		r.t.Error("OnOpen is not the first callback")
	}
	if r.onOpen != nil {
		r.onOpen(c)
	}
}

func (r *recorder) OnData(c *netpoll.Conn, b []byte) (int, error) {
	r.enter()
	defer r.leave()
	r.calls.Add(1)
	if r.opens.Load() != 1 || r.closes.Load() != 0 {
		r.t.Error("OnData before OnOpen or after OnClose")
	}
	if len(b) == 0 {
		r.t.Error("OnData without bytes")
	}
	n, err := len(b), error(nil)
	if r.onData != nil {
		n, err = r.onData(c, b)
	}
	if n >= 0 && n <= len(b) {
		r.mu.Lock()
		r.got = append(r.got, b[:n]...)
		r.mu.Unlock()
	}
	select {
	case r.fed <- struct{}{}:
	default:
	}
	return n, err
}

func (r *recorder) OnClose(_ *netpoll.Conn, err error) {
	r.enter()
	defer r.leave()
	if r.opens.Load() != 1 {
		r.t.Error("OnClose without OnOpen")
	}
	if r.closes.Add(1) != 1 {
		r.t.Error("OnClose more than once")
	}
	if err == nil {
		r.t.Error("OnClose without a cause")
	}
	r.ended <- err
}

func (r *recorder) consumed() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.got...)
}

// wantCause waits for OnClose and checks its error.
func (r *recorder) wantCause(want error) {
	r.t.Helper()
	if err := await(r.t, r.ended, "OnClose"); !errors.Is(err, want) {
		r.t.Errorf("OnClose got %v, want %v", err, want)
	}
}

// producer is a recorder with output of its own, taken slice by slice.
type producer struct {
	*recorder
	next   func() []byte
	taking atomic.Int32
	takes  atomic.Int32
}

func (p *producer) TakeOutput(*netpoll.Conn) []byte {
	if p.taking.Add(1) != 1 {
		p.t.Error("TakeOutput overlaps with itself")
	}
	defer p.taking.Add(-1)
	if p.closes.Load() != 0 {
		p.t.Error("TakeOutput after OnClose")
	}
	p.takes.Add(1)
	return p.next()
}

// waiter is a recorder that hears of room in the queue.
type waiter struct {
	*recorder
	room chan struct{}
}

func (w *waiter) OnWritable(*netpoll.Conn) { w.room <- struct{}{} }
