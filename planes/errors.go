package planes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Scope tells what an error ended: one call, or the connection and every call on it.
type Scope uint8

// The scopes.
const (
	ScopeStream Scope = iota
	ScopeConnection
)

// String returns "stream" or "connection".
func (s Scope) String() string {
	if s == ScopeConnection {
		return "connection"
	}
	return "stream"
}

// Error is the terminal of a call that did not end cleanly.
//
// errors.Is matches context.Canceled for CodeCancelled, context.DeadlineExceeded
// for CodeDeadline, and net.ErrClosed for CodeTransport and CodePeerLost.
type Error struct {
	Code       Code
	Phase      Phase  // how far the call had come
	Origin     Origin // who says so
	Scope      Scope
	Op         string        // what was being done: "call", "stream", "dial", ...
	Target     string        // the peer's address
	Route      string        // the route that was called
	Reason     string        // in words, at most 1 KiB
	RetryAfter time.Duration // the peer's advice, 0 when it gave none
	Items      uint64        // items delivered to the caller before this error
	Err        error         // the cause, if there is a Go error
}

// Error says what failed, where, whose fault it is and whether a retry is safe.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("planes: ")
	b.WriteString(e.Op)
	if e.Route != "" {
		fmt.Fprintf(&b, " %q", e.Route)
	}
	if e.Target != "" {
		b.WriteString(" at " + e.Target)
	}
	fmt.Fprintf(&b, ": %s", e.Code)
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	} else if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	fmt.Fprintf(&b, " (%s says so, %s, call %s", e.Origin, e.Scope, phaseText(e.Phase))
	if e.Items > 0 {
		fmt.Fprintf(&b, " after %d items", e.Items)
	}
	if SafeToRetry(e) {
		b.WriteString("; safe to retry")
	}
	b.WriteString(")")
	return b.String()
}

func phaseText(p Phase) string {
	switch p {
	case PhaseNotStarted:
		return "not started"
	case PhaseStarted:
		return "started"
	default:
		return "maybe started"
	}
}

// Unwrap returns the cause and the standard error that the code stands for.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	switch e.Code { //nolint:exhaustive // only these codes have a standard error
	case CodeCancelled:
		errs = append(errs, context.Canceled)
	case CodeDeadline:
		errs = append(errs, context.DeadlineExceeded)
	case CodeTransport, CodePeerLost:
		errs = append(errs, net.ErrClosed)
	}
	return errs
}

// Timeout reports whether the call ran out of time (net.Error).
func (e *Error) Timeout() bool { return e.Code == CodeDeadline }

// CodeOf returns the code of the *Error in err's tree: CodeOK for nil,
// CodeCancelled or CodeDeadline for bare context errors, CodeInternal otherwise.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &e):
		if e == nil {
			return CodeInternal // a nil pointer that was returned as an error
		}
		return e.Code
	case errors.Is(err, context.Canceled):
		return CodeCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadline
	}
	return CodeInternal
}

// SafeToRetry reports whether err proves that no handler ran, so that the same
// request may be sent again. A call that the caller cancelled, that ran out of
// time or that will fail the same way anywhere is not worth a retry and is
// reported false.
func SafeToRetry(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e == nil || e.Phase != PhaseNotStarted {
		return false
	}
	switch e.Code { //nolint:exhaustive // every other code may end otherwise elsewhere
	case CodeOK, CodeCancelled, CodeDeadline, CodeTooLarge, CodeDenied, CodeUnauthenticated, CodeUnsupported:
		return false
	}
	return true
}

// Errorf makes the error with which a handler ends its call: code and text travel
// to the caller, with origin APP. Text above 1 KiB is cut.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Phase: PhaseStarted, Origin: OriginApp, Op: "handle", Reason: fmt.Sprintf(format, args...)}
}
