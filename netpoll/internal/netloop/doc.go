// Package netloop drives netpoll connections over any net.Conn: one goroutine reads and one writes, and the reader never
// waits for the writer.
//
// A net.Conn has no non-blocking write, so the writer's goroutine is the only owner of a flush, and a stalled write is
// told from a slow one by interrupting it with a deadline in the past and looking whether it took anything. All waits
// are durably blocking, so the driver works over net.Pipe inside a synctest bubble, in virtual time.
package netloop
