package planes

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Control is a message about a stream rather than in it.
type Control uint8

// The control messages.
const (
	// ControlStop asks the worker to finish early: what it still sends arrives.
	ControlStop Control = iota + 1
	// ControlKill ends the stream at once.
	ControlKill
	// ControlSentinel is the worker's clean end.
	ControlSentinel
)

// String returns the word that the released wire uses.
func (c Control) String() string {
	switch c {
	case ControlStop:
		return "stop"
	case ControlKill:
		return "kill"
	case ControlSentinel:
		return "sentinel"
	}
	return "unknown"
}

// StreamReader is the caller's end of a response stream. Recv and Close are for one
// goroutine; Stop may be called from any.
type StreamReader interface {
	// Recv returns the next item, borrowed until the next Recv or Close. After the
	// last one it returns io.EOF, bare, if the stream ended cleanly and is known to
	// be whole, and otherwise the *Error that ended it, again at each further call.
	// When ctx ends first, Recv returns its error and the stream goes on.
	Recv(ctx context.Context) ([]byte, error)
	// Stop asks the handler to finish early: what it has sent still arrives, as does
	// the terminal.
	Stop()
	// Close ends the stream at both ends, unless it is over, and frees what it holds.
	// It may be called more than once.
	Close() error
}

// StreamWriter is the worker's end of a response stream. Begin, Send, Flush and End
// are for one goroutine at a time.
type StreamWriter interface {
	// Begin says that the handler runs. It must come first, and once.
	Begin() error
	// Send sends one item, copied before Send returns. It waits while the consumer
	// takes nothing, until ctx or the stream ends, and returns an *Error then.
	Send(ctx context.Context, item []byte) error
	// Flush makes what was sent leave, where the transport gathers.
	Flush() error
	// End ends the stream, cleanly if err is nil, and otherwise so that the caller
	// gets err's code and text. It may come without Begin: the call is refused. What
	// cannot be delivered is reported; the stream is over in every case.
	End(err error) error
	// Controlled returns a channel on which the caller's ControlStop and ControlKill
	// come, at most one of each; a lost connection counts as ControlKill. It is never
	// closed. Reason says why.
	Controlled() <-chan Control
	// Reason returns what ended or shall end the stream, or nil.
	Reason() *Error
}

// IsTerminal reports whether an error of Recv is the end of the stream, rather than
// the end of the caller's patience.
func IsTerminal(err error) bool {
	var e *Error
	return err == io.EOF || errors.As(err, &e) //nolint:errorlint // Recv returns EOF bare
}

// All returns the items of r as a sequence. A stream that ends cleanly ends the
// sequence; otherwise the last pair carries the error. Breaking out of the loop
// closes the stream. Items are borrowed until the next step.
func All(ctx context.Context, r StreamReader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer func() { _ = r.Close() }()
		for {
			item, err := r.Recv(ctx)
			if err == io.EOF { //nolint:errorlint // only bare EOF is a clean end
				return
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Collect reads a stream to its end and returns a copy of its items, of which it
// takes up to max bytes; more end the stream with CodeTooLarge.
func Collect(ctx context.Context, r StreamReader, maxBytes int) ([][]byte, error) {
	var items [][]byte
	left := maxBytes
	for item, err := range All(ctx, r) {
		if err != nil {
			return items, err
		}
		if left -= len(item); left < 0 {
			return items, &Error{Code: CodeTooLarge, Phase: PhaseStarted, Op: "collect", Reason: "the answer is larger than the caller takes"}
		}
		items = append(items, append([]byte(nil), item...))
	}
	return items, nil
}
