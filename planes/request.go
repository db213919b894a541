package planes

import (
	"context"
	"time"
)

// Request is one call: what a caller sends and what a handler sees. The zero
// value of each field but Route is usable.
type Request struct {
	// Route names the handler: 1 to 1024 bytes of UTF-8.
	Route string
	// Payload is the request message. A caller's is read until the call returns
	// and never written; a handler's is borrowed until the handler returns.
	Payload []byte
	// Timeout is the time left, end to end; 0 means none. On the caller's side
	// the earlier of this and the context's deadline counts. It travels in whole
	// milliseconds, rounded up.
	Timeout time.Duration
	// Trace is the W3C trace context; the zero value sends none.
	Trace TraceContext
	// TraceState is the W3C tracestate, at most 512 bytes; "" sends none.
	TraceState string
	// CallID identifies the call in logs of both sides; all zeros sends none.
	CallID [16]byte
	// Headers travel with the request: at most 64, names 1 to 255 bytes, values
	// at most 4096 bytes, in order.
	Headers []Header
	// Class is the scheduling class of the call's stream. It travels with the
	// call; nothing acts on it yet.
	Class Class
}

// Header is one name and value that travels with a request.
type Header struct{ Name, Value string }

// Header returns the first value of name, or "".
func (r *Request) Header(name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// TraceContext is the W3C trace context in binary form.
type TraceContext struct {
	TraceID [16]byte
	SpanID  [8]byte
	Flags   uint8 // bit 0: sampled
}

// IsZero reports whether there is no trace context.
func (t TraceContext) IsZero() bool {
	return t.TraceID == [16]byte{} && t.SpanID == [8]byte{} && t.Flags == 0
}

// Handler answers calls in a goroutine of its own. Send any number of items to w,
// then return: nil ends the stream cleanly; a *Error (see Errorf) travels as it
// is; any other error becomes CodeHandler with its text. ctx ends when the caller
// cancels, the deadline passes or the connection is lost. req and its slices are
// borrowed until ServeCall returns. A panic is contained and becomes CodeInternal.
type Handler interface {
	ServeCall(ctx context.Context, req *Request, w ResponseWriter) error
}

// HandlerFunc makes a function a Handler.
type HandlerFunc func(ctx context.Context, req *Request, w ResponseWriter) error

// ServeCall calls f.
func (f HandlerFunc) ServeCall(ctx context.Context, req *Request, w ResponseWriter) error {
	return f(ctx, req, w)
}

// InlineHandler answers a unary call on the event loop itself: it must not block,
// sleep, wait or end its goroutine, because it holds up every connection of its
// loop. A panic is contained as for Handler. It appends the
// response to dst and returns the extended slice; req and its slices are borrowed
// until it returns. Errors are as for Handler.
type InlineHandler func(req *Request, dst []byte) ([]byte, error)

// ResponseWriter sends the items of one response stream. It is for the handler's
// goroutine alone and must not be used after the handler has returned.
type ResponseWriter interface {
	// Send sends one item, copied before Send returns. It waits while the
	// consumer has given no credit or the connection's queue is full, and returns
	// an *Error once the call is over for another reason.
	Send(item []byte) error
}
