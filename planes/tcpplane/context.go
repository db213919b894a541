package tcpplane

import (
	"context"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// callContext is the context of one running handler. It exists because the usual
// way costs two allocations and a lock of the server per call. It implements
// AfterFunc, so that contexts derived from it need no goroutine.
type callContext struct {
	base     context.Context // values only
	deadline time.Time

	mu    sync.Mutex
	done  chan struct{} // made when asked for
	err   error
	cause *planes.Error
	after map[*func()]struct{}
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Deadline returns the time by which the caller wants the call to be over.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done returns a channel that is closed when the call is over for its caller.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		if c.err != nil {
			c.done = closedChan
		} else {
			c.done = make(chan struct{})
		}
	}
	return c.done
}

// Err returns context.Canceled or context.DeadlineExceeded once the call is over.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value returns the server's base context's value.
func (c *callContext) Value(key any) any { return c.base.Value(key) }

// AfterFunc calls f in a goroutine of its own when the call is over.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	key := &f
	c.after[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.after[key]
		delete(c.after, key)
		return ok
	}
}

// end ends the context once; later calls change nothing.
func (c *callContext) end(cause *planes.Error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.cause = cause
	c.err = context.Canceled
	if cause != nil && cause.Code == planes.CodeDeadline {
		c.err = context.DeadlineExceeded
	}
	if c.done != nil {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for f := range after {
		go (*f)()
	}
}

// why returns what ended the context, or nil.
func (c *callContext) why() *planes.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}
