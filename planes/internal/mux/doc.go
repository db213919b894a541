// Package mux is the multiplexer of the TCP plane as a state machine: bytes and
// commands in, events and bytes out. It does no I/O, starts no goroutine and reads
// no clock; a driver owns a Session, guards it with one lock, and passes the time.
//
// The protocol is spec/PROTOCOL.md, its layout spec/mux.wire; rules are cited by
// their anchors ([mux-...]).
//
// # Use
//
// Receive takes what the peer sent and appends events. The commands (Open, Send,
// End, Fail, Reset, Consume, Drain, GoAway) and Tick change the state and append
// frames to the output, which TakeOutput lends to the driver. A Session is not
// safe for concurrent use.
//
// # Bounds
//
// Everything that grows has a bound in Config: concurrent streams, bytes granted
// to the peer (MemoryBudget), bytes queued for output (OutputHigh, OutputHard),
// bytes of responses that wait for credit, late frames on closed streams.
package mux
