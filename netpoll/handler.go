package netpoll

// Handler is a protocol's side of one connection. The three methods never overlap for one connection; they run on its
// loop, must not block, and may call every method of [Conn] except WriteWait. A panic is contained: it closes the
// connection with a [PanicError].
type Handler interface {
	// OnOpen runs once, before any OnData and before Attach or Dial return.
	OnOpen(c *Conn)
	// OnData presents the unread bytes, at least one, borrowed until it returns. It returns how many bytes from the
	// front it consumed; the rest is copied and presented again in front of later bytes. It is called with new bytes
	// only, so it should consume all it can. An error closes the connection with that error; what is queued by then is
	// still flushed as by CloseAfterFlush.
	OnData(c *Conn, b []byte) (n int, err error)
	// OnClose runs exactly once, after the last OnData, also for a connection closed before its first byte. err is the
	// first cause, never nil: io.EOF when the peer closed its side, net.ErrClosed after Close, the handler's own error,
	// one of this package's errors, or what the system call reported. It does not run if OnOpen never did.
	OnClose(c *Conn, err error)
}

// Producer is implemented by handlers that keep their own output. It is detected when the connection is attached.
type Producer interface {
	// TakeOutput returns the next bytes to send, empty for nothing. The slice is lent to the driver until the next
	// TakeOutput or OnClose, whichever comes first, and it is asked for only when the kernel has taken every byte of
	// the slice before and nothing is queued by Write. Calls for one connection never overlap, but they may run on any
	// goroutine and beside OnData. The handler announces new output with Conn.Wake or Conn.Flush; it may do so while
	// it holds a lock that TakeOutput takes if it uses Wake, but not with Flush.
	TakeOutput(c *Conn) []byte
}

// Writable is implemented by handlers that wait for room in the queue. It is detected when the connection is attached.
type Writable interface {
	// OnWritable runs when the queue fell below Config.LowWaterBytes after having been above Config.HighWaterBytes, or
	// after a Write was refused with ErrQueueFull. Like TakeOutput it may run on any goroutine and beside OnData.
	OnWritable(c *Conn)
}

// DataFunc is a [Handler] that is only interested in bytes: it is OnData, and the other two do nothing.
type DataFunc func(c *Conn, b []byte) (n int, err error)

// OnOpen implements [Handler]; it does nothing.
func (DataFunc) OnOpen(*Conn) {}

// OnData implements [Handler] by calling f.
func (f DataFunc) OnData(c *Conn, b []byte) (int, error) { return f(c, b) }

// OnClose implements [Handler]; it does nothing.
func (DataFunc) OnClose(*Conn, error) {}
