package core

import (
	"net"
	"sync"
	"sync/atomic"
)

// Events is the handler's side of a connection. Implementations contain panics: none may leave these methods.
type Events interface {
	// Opened runs before any Data.
	Opened()
	// Data presents unread bytes, borrowed until it returns, and reports how many were consumed.
	Data(b []byte) (int, error)
	// Output returns the next bytes to send, lent until the next Output or Closed; empty means nothing.
	Output() []byte
	// Drained runs when the queue fell below the low-water mark after it had been above the high one.
	Drained()
	// Closed runs once, after everything else.
	Closed(err error)
}

// Transport is what a driver does for one connection. Kick, Shut and Stalled may be called from any goroutine and do
// not block; WriteSome and Arm are called by the owner of the flush only.
type Transport interface {
	// Kick arranges for RunDue to be called soon.
	Kick()
	// Shut arranges for Finish to be called soon; the cause is already recorded. flushed says that it ends a drain and
	// all output was taken: then input that has arrived should be read before the close, because closing a socket with
	// unread bytes makes the kernel drop what it still holds for the peer.
	Shut(flushed bool)
	// WriteSome writes part of p. A driver that cannot block answers ErrWouldBlock, with n bytes taken.
	WriteSome(p []byte) (n int, err error)
	// Arm arranges for Resume to be called once the kernel takes bytes again.
	Arm() error
	// Stalled is called by the watchdog when an owner has made no progress for too long.
	Stalled()
	// Unacked returns how many bytes the kernel took and still holds for the peer; 0 if that is not known. The flush
	// lock is held.
	Unacked() int
}

// Conn is the driver-independent state of one connection. It must not be copied.
type Conn struct {
	ev Events
	tr Transport
	sh *Shared

	direct bool

	state   atomic.Uint32
	flags   atomic.Uint32
	lastIO  atomic.Uint32 // tick of the last byte either way
	lastOut atomic.Uint32 // tick of the last byte taken by the kernel, or of the start of a flush
	drainAt atomic.Uint32 // tick at which draining began

	// flushMu is held by the owner while it may touch the transport's descriptor; whoever closes takes it too.
	flushMu sync.Mutex
	out     []byte // rest of the slice being written
	outFrom *chunk // the queue chunk out points into; nil if it is lent by the handler
	unacked int    // what Unacked said last time the watchdog looked

	tail    *chunk // unread bytes; touched by the driver's reading side only
	tailOff int

	queueMu sync.Mutex
	head    *chunk
	last    *chunk
	queued  atomic.Int64
	wait    chan struct{} // closed when the queue falls below low water or the connection closes
	cause   error
}

// Init readies c. The connection starts scheduled: whatever is queued before Opened goes out right after it.
func (c *Conn) Init(ev Events, sh *Shared) {
	c.ev, c.sh = ev, sh
	c.state.Store(stScheduled)
	now := sh.Now.Load()
	c.lastIO.Store(now)
	c.lastOut.Store(now)
}

// Bind sets the transport; it must come before Opened. direct says that WriteSome never blocks, so that any goroutine
// may flush.
func (c *Conn) Bind(tr Transport, direct bool) { c.tr, c.direct = tr, direct }

// Opened delivers the open event on the driver's reading side. Output made by it is due when it returns: the driver
// must call RunDue (or kick its writer) next.
func (c *Conn) Opened() {
	c.flags.Or(flagOpened)
	c.ev.Opened()
}

// IsOpened reports whether the open event was delivered.
func (c *Conn) IsOpened() bool { return c.flags.Load()&flagOpened != 0 }

// Closing reports whether a close was requested or has happened.
func (c *Conn) Closing() bool { return c.flags.Load()&flagClosing != 0 }

// CloseWith closes now; the first cause recorded is the one reported.
func (c *Conn) CloseWith(err error) { c.close(err, false) }

func (c *Conn) close(err error, flushed bool) {
	c.queueMu.Lock()
	if c.flags.Load()&flagClosing != 0 {
		c.queueMu.Unlock()
		return
	}
	c.setCauseLocked(err)
	c.flags.Or(flagClosing)
	c.releaseWaitersLocked()
	c.queueMu.Unlock()
	// Before the open event the driver may not be bound yet; it looks at Closing right after that event.
	if c.flags.Load()&flagOpened != 0 {
		c.tr.Shut(flushed)
	}
}

// Drain refuses further writes and input, flushes what is queued and then closes with err.
func (c *Conn) Drain(err error) {
	c.queueMu.Lock()
	if c.flags.Load()&(flagClosing|flagDraining) != 0 {
		c.queueMu.Unlock()
		return
	}
	c.setCauseLocked(err)
	c.drainAt.Store(c.sh.Now.Load())
	c.flags.Or(flagDraining)
	c.releaseWaitersLocked()
	c.queueMu.Unlock()
	c.Wake()
}

// Finish ends the connection: the driver calls it once, when nothing reads any more and before the descriptor is
// closed. err is the reason the driver saw, used when no cause was recorded before.
func (c *Conn) Finish(err error) {
	c.queueMu.Lock()
	c.setCauseLocked(err)
	c.flags.Or(flagClosing)
	c.releaseWaitersLocked()
	cause := c.cause
	c.queueMu.Unlock()

	c.flushMu.Lock()
	c.state.Store(stClosed)
	c.out = nil
	if c.outFrom != nil {
		putChunk(c.outFrom)
		c.outFrom = nil
	}
	c.flushMu.Unlock()
	c.dropQueue()
	if c.tail != nil {
		putChunk(c.tail)
		c.tail, c.tailOff = nil, 0
	}
	c.ev.Closed(cause)
}

func (c *Conn) setCauseLocked(err error) {
	if c.cause != nil {
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	c.cause = err
}
