// Package netpoll is an event-loop core for protocols of one's own: a [Group] of loops serves accepted and dialled
// connections alike, a [Handler] turns bytes in into bytes out, and everything that could grow is bounded.
//
// # Drivers
//
// On Linux connections are driven by epoll loops (gnet, used as a listener-less loop group): an idle connection costs
// about a kilobyte and no goroutine. Elsewhere, and for connections that are not sockets (TLS, net.Pipe), two goroutines
// per connection keep the same contract. [Conn.Driver] tells which one is at work; package netpolltest holds the
// conformance suite that both pass.
//
// # Input
//
// [Handler.OnData] gets the unread bytes, says how many it consumed, and sees the rest again in front of what comes
// later; at most [Config.MaxUnreadBytes] are kept. There is no read pause: a protocol that must hold back its peer needs
// credit, as the kernel's window is no help to an event loop that shares its read buffer.
//
// # Output
//
// There are two ways to send, which may be mixed. [Conn.Write] copies into a bounded queue; many writes become one
// system call. A handler that keeps its own output implements [Producer] instead and calls [Conn.Wake]: the driver takes
// the next slice only when the kernel has taken every byte of the one before, so what is buffered is bounded by the
// handler alone and "taken" means taken by the kernel. Wake-ups are edges: any number of them before the flush cost one
// flush, and those made on the loop inside OnData cost no system call of their own.
//
// # Concurrency
//
// OnOpen, OnData and OnClose of one connection never overlap. TakeOutput and OnWritable never overlap with one another
// but may run beside OnData, on the loop or on another goroutine. All methods of [Conn] and [Group] are safe for
// concurrent use. Nothing called by a loop may block: every connection of the loop would wait. In particular Dial,
// Attach, WriteWait, Shutdown and Close of a group must not be called from a handler.
//
// # Failure
//
// A failing accept is retried with back-off and costs no live connection. A peer that takes no bytes is closed with
// [ErrWriteStalled], an idle one with [ErrIdle] if configured. A handler that panics loses its own connection, with a
// [PanicError]. Every connection gets exactly one OnClose with the first cause.
package netpoll
