package mux

import (
	"fmt"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events. Each stream has exactly one EvEnd on the side that opened
// it; the other side sees at most one EvCancel and ends the stream itself.
const (
	EvReady    EventKind = iota + 1 // both HELLOs are in: calls may be opened
	EvRequest                       // accepter: the request message is complete; Data is the message
	EvItem                          // an item came; Data is the item
	EvAccept                        // the call is queued at position Arg
	EvStarted                       // the handler runs
	EvWritable                      // Send may make progress again
	EvEnd                           // the call is over: Code OK is a clean end, with a last item in Data if HasItem
	EvStop                          // accepter: the caller asks for an early end
	EvCancel                        // accepter: the call is over for the caller; the handler should stop, and End or Fail frees the stream
	EvCanOpen                       // more calls may be opened
	EvDrain                         // the peer will go away in Arg milliseconds
	EvGoAway                        // the peer takes no new calls
)

var eventNames = [...]string{"none", "ready", "request", "item", "accept", "started", "writable", "end", "stop", "cancel", "can-open", "drain", "goaway"}

// String names the kind.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// Event is one thing that happened. Data is borrowed until the bytes given to
// Receive are reused.
type Event struct {
	Kind    EventKind
	HasItem bool // EvEnd: Data is a last item
	Lost    bool // EvEnd, EvCancel: the whole connection is over
	Code    muxwire.Code
	Origin  muxwire.Origin
	Phase   muxwire.Phase
	ID      uint32
	Arg     uint32 // milliseconds or position
	Items   uint64 // EvEnd: items received, the last one included
	Owner   any    // what Accept or Open bound to the stream
	Data    []byte // the item, or the reason in words
}

// ConnError is why a connection must be closed.
type ConnError struct {
	Code   muxwire.Code
	Origin muxwire.Origin
	Reason string
	Err    error
}

// Error names the code, who says so and the reason.
func (e *ConnError) Error() string {
	return fmt.Sprintf("mux: connection error %s (%s): %s", e.Code, e.Origin, e.Reason)
}

// Unwrap returns the cause, if there is one.
func (e *ConnError) Unwrap() error { return e.Err }
