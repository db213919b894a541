package tcpplane

import (
	"errors"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("tcpplane: server closed")

// refused turns what a command of the session said into a *planes.Error.
func refused(err error, op, route, target string) *planes.Error {
	e := &planes.Error{Op: op, Route: route, Target: target, Phase: planes.PhaseNotStarted, Origin: planes.OriginLocal}
	var r *mux.Refusal
	var c *mux.ConnError
	switch {
	case errors.As(err, &r):
		e.Code, e.Reason = r.Code, r.Reason
	case errors.As(err, &c):
		e.Code, e.Origin, e.Scope, e.Reason, e.Err = c.Code, c.Origin, planes.ScopeConnection, c.Reason, c.Err
	default:
		e.Code, e.Err = planes.CodeTransport, err
	}
	return e
}

// ended turns the terminal event of a call into a *planes.Error.
func ended(ev *mux.Event, op, route, target string) *planes.Error {
	return &planes.Error{
		Code: ev.Code, Phase: ev.Phase, Origin: ev.Origin, Op: op, Route: route, Target: target,
		Reason: string(ev.Data), RetryAfter: time.Duration(ev.Arg) * time.Millisecond, Items: ev.Items,
	}
}

// verdict is what a handler's error becomes on the wire.
// Its origin is always the application.
func verdict(err error) (planes.Code, string) {
	var e *planes.Error
	if errors.As(err, &e) && e.Code != planes.CodeOK {
		if e.Reason == "" && e.Err != nil {
			return e.Code, e.Err.Error()
		}
		return e.Code, e.Reason
	}
	if code := planes.CodeOf(err); code != planes.CodeInternal {
		return code, err.Error()
	}
	return planes.CodeHandler, err.Error()
}
