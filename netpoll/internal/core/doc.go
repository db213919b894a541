// Package core is the driver-independent half of a netpoll connection: the bounded outbound queue, the coalescing of
// wake-ups into flushes, the unread tail, the close cause and the watchdog stamps. It starts no goroutine and makes no
// system call; a driver supplies a [Transport] and calls [Conn.Opened], [Conn.Feed], [Conn.RunDue], [Conn.Resume] and
// [Conn.Finish] at the right moments.
//
// Output is flushed by whoever owns the connection's flush state (see state.go): the loop, the goroutine that waits for
// writability, or a caller of [Conn.FlushNow]. There is never more than one owner and a wake-up is never lost, because
// an owner gives the state up only by a compare-and-swap that fails when a wake-up arrived meanwhile.
package core
