package gnetloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// Supported reports whether this build has event loops.
const Supported = true

const (
	discardBytes = 16 << 10
	discardReads = 64
)

var errRegister = errors.New("netpoll: the kernel did not register the connection with the loop")

// Engine is a group of event loops. Its methods are safe for concurrent use.
type Engine struct {
	client  *gnet.Client
	waiter  *waiter
	mu      sync.RWMutex // held shared while a connection is enrolled: a loop that stopped never answers
	stopped bool
}

// New starts loops event loops, each reading into one buffer of readBytes.
func New(loops, readBytes int, log *slog.Logger) (*Engine, error) {
	w, err := newWaiter(log)
	if err != nil {
		return nil, err
	}
	client, err := gnet.NewClient(&events{},
		gnet.WithNumEventLoop(loops),
		gnet.WithReadBufferCap(readBytes),
		gnet.WithLockOSThread(false),
		gnet.WithTicker(false),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithLogger(logger{log}),
	)
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("netpoll: start event loops: %w", err)
	}
	return &Engine{client: client, waiter: w}, nil
}

// Pollable reports whether the loops can take nc.
func Pollable(nc net.Conn) bool {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return true
	case *net.UnixConn:
		return nc.LocalAddr().Network() == "unix" // not a packet socket
	}
	return false
}

// Attach enrols nc in the least loaded loop and returns when the open event was delivered. nc is closed in any case; the
// loop works on a duplicate of its descriptor. It must not be called on a loop: it waits for one.
func (e *Engine) Attach(nc net.Conn, c *core.Conn) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.stopped {
		nc.Close()
		return net.ErrClosed
	}
	t := &conn{core: c, waiter: e.waiter}
	c.Bind(t, true)
	dropZone(nc.LocalAddr())
	dropZone(nc.RemoteAddr())
	if _, err := e.client.EnrollContext(nc, t); err != nil {
		return fmt.Errorf("netpoll: enrol: %w", err)
	}
	if !c.IsOpened() {
		return errRegister // gnet closed the descriptor and says nothing
	}
	return nil
}

// dropZone empties the zone of the address object that gnet is about to see: it would put the string's bytes into a
// pool of buffers when the connection closes, although package net shares them.
func dropZone(a net.Addr) {
	if tcp, ok := a.(*net.TCPAddr); ok {
		tcp.Zone = ""
	}
}

// Stop ends the loops and waits for them; every connection has ended before.
func (e *Engine) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return
	}
	e.stopped = true
	_ = e.client.Stop() // it reports the context error of its own shutdown
	e.waiter.close()
}

// conn is the transport of one connection and, being a gnet.Runnable, its own task: posting it allocates no more than
// gnet does.
type conn struct {
	core   *core.Conn
	waiter *waiter
	gc     gnet.Conn
	loop   gnet.EventLoop
	fd     int
	// flushed is set when the close ends a drain that sent everything.
	flushed atomic.Bool
	token   uint64 // in the waiter; 0 before the first time the kernel refused bytes. Guarded by waiter.mu.
}

// Kick implements core.Transport.
func (t *conn) Kick() { t.post() }

// Shut implements core.Transport.
func (t *conn) Shut(flushed bool) {
	if flushed {
		t.flushed.Store(true)
	}
	t.post()
}

// post has Run called on the loop. It fails only once the engine stops, and that is after every connection has ended.
func (t *conn) post() { _ = t.loop.Execute(context.Background(), t) }

// Stalled implements core.Transport: an owner never blocks here, so there is nothing to interrupt.
func (t *conn) Stalled() {}

// Unacked implements core.Transport.
func (t *conn) Unacked() int {
	n, err := unix.IoctlGetInt(t.fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// Arm implements core.Transport.
func (t *conn) Arm() error { return t.waiter.arm(t) }

// WriteSome implements core.Transport. A short write means that the kernel has no more room.
func (t *conn) WriteSome(p []byte) (int, error) {
	for {
		n, err := unix.Write(t.fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, core.ErrWouldBlock
		case err != nil:
			return 0, os.NewSyscallError("write", err)
		case n < len(p):
			return n, core.ErrWouldBlock
		default:
			return n, nil
		}
	}
}

// discardInput tells the peer the end and reads what has arrived, within a bound; see core.Transport.Shut.
func (t *conn) discardInput() {
	_ = unix.Shutdown(t.fd, unix.SHUT_WR) // the close that follows does as well
	buf := make([]byte, discardBytes)
	for range discardReads {
		n, err := unix.Read(t.fd, buf)
		if n < len(buf) || err != nil {
			return
		}
	}
}

// closeCause maps gnet's error for a finished connection; nil is a close of this side.
func (t *conn) closeCause(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if err == io.EOF {
		// gnet says so for an error event without readable bytes, too.
		if code, e := unix.GetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_ERROR); e == nil && code != 0 {
			return os.NewSyscallError("read", unix.Errno(code))
		}
	}
	return io.EOF
}
