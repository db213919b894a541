package netpoll

import (
	"context"
	"net"
	"runtime/debug"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// Conn is one connection of a [Group]. All methods are safe for concurrent use, before OnOpen and after OnClose as well.
type Conn struct {
	core     core.Conn
	group    *Group
	handler  Handler
	producer Producer // nil if the handler is none
	writable Writable // nil if the handler is none
	local    net.Addr
	remote   net.Addr
	driver   Driver
}

// Write queues a copy of p and makes a flush due; all writes before that flush share it. It never blocks. It returns
// [ErrQueueFull] if the queue would exceed Config.MaxQueueBytes and net.ErrClosed once the connection is closing; in
// both cases nothing was queued. A nil error does not mean that the peer got the bytes.
func (c *Conn) Write(p []byte) error { return c.core.Write(p) }

// WriteWait is Write for goroutines of their own: it waits while the queue is above Config.HighWaterBytes or has no
// room for p, until it falls below Config.LowWaterBytes, the connection closes (net.ErrClosed) or ctx ends (its error).
// Longer p than MaxQueueBytes-LowWaterBytes fail with [ErrQueueFull]. It must not be called from a handler's method.
func (c *Conn) WriteWait(ctx context.Context, p []byte) error { return c.core.WriteWait(ctx, p) }

// Wake announces that TakeOutput has something. It never blocks or writes: it makes one flush due, or does nothing
// but one atomic load if one is due already. Within OnData it only marks; the flush follows when OnData returns.
func (c *Conn) Wake() { c.core.Wake() }

// Flush is Wake, except that it writes on the calling goroutine if no flush is due or running and the driver allows it
// (the event loop does; the write does not block). It is meant for a request that is alone in flight, where it saves
// the hop over the loop. TakeOutput runs inside the call, so the caller must hold no lock that TakeOutput takes.
func (c *Conn) Flush() { c.core.FlushNow() }

// Queued returns the bytes given to Write that the kernel has not taken yet.
func (c *Conn) Queued() int { return c.core.Queued() }

// Close closes the connection now; what is queued is lost. It does not wait for OnClose, which gets net.ErrClosed
// unless there was a cause before. The result is always nil.
func (c *Conn) Close() error {
	c.core.CloseWith(net.ErrClosed)
	return nil
}

// CloseAfterFlush refuses further writes and ignores further input, flushes what is queued and what TakeOutput has,
// bounded by Config.WriteTimeout in all, and then closes with err; nil means net.ErrClosed. It does not wait.
func (c *Conn) CloseAfterFlush(err error) {
	if err == nil {
		err = net.ErrClosed
	}
	c.core.Drain(err)
}

// Closing reports whether the connection is closed or about to be.
func (c *Conn) Closing() bool { return c.core.Closing() }

// LocalAddr returns the local address; it stays valid after the close.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address; it stays valid after the close.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Driver returns what drives the connection: [DriverLoop] or [DriverNet].
func (c *Conn) Driver() Driver { return c.driver }

// Group returns the group the connection belongs to.
func (c *Conn) Group() *Group { return c.group }

// events is the face a connection shows to its driver: it calls the handler and contains its panics.
type events Conn

func (e *events) Opened() {
	defer e.contain(nil)
	e.handler.OnOpen((*Conn)(e))
}

func (e *events) Data(b []byte) (n int, err error) {
	defer e.contain(&err)
	return e.handler.OnData((*Conn)(e), b)
}

func (e *events) Output() []byte {
	if e.producer == nil {
		return nil
	}
	defer e.contain(nil)
	return e.producer.TakeOutput((*Conn)(e))
}

func (e *events) Drained() {
	if e.writable == nil {
		return
	}
	defer e.contain(nil)
	e.writable.OnWritable((*Conn)(e))
}

func (e *events) Closed(err error) {
	c := (*Conn)(e)
	defer c.group.remove(c)
	defer e.contain(nil)
	e.handler.OnClose(c, err)
}

// contain turns a panic of the handler into the end of its connection, at once: the handler's state is in doubt, so
// nothing more is asked of it but OnClose.
func (e *events) contain(err *error) {
	v := recover()
	if v == nil {
		return
	}
	p := &PanicError{Value: v, Stack: debug.Stack()}
	e.group.handlerPanicked((*Conn)(e), p)
	e.core.CloseWith(p)
	if err != nil {
		*err = p
	}
}
