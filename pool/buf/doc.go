// Package buf lends byte buffers in size classes and counts who holds them.
//
// A Buffer comes from Get with one reference, grows as bytes are appended, and
// goes back to its pool when the last reference is released. Memory comes from
// one bytebufferpool.Pool per class, so that a burst of large buffers does not
// make every small one large.
//
// Ownership: the slice of Bytes is borrowed until the buffer is appended to,
// set, truncated or released. Under -tags invariants or -race, memory that was
// given back is overwritten and checked when it is lent again, and a Release too
// many panics, so that a reader or writer of stale bytes is found.
//
// Concurrency: Retain and Release may be called from any goroutine. Everything
// that changes the bytes is for one goroutine that holds the only reference.
//
// Limits: classes are powers of two from MinClassBytes to MaxClassBytes. Larger
// buffers are allocated as asked for and left to the garbage collector.
package buf
