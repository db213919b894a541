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
	e := &planes.Error{
		Code: ev.Code, Phase: ev.Phase, Origin: ev.Origin, Op: op, Route: route, Target: target,
		Reason: string(ev.Data), RetryAfter: time.Duration(ev.Arg) * time.Millisecond, Items: ev.Items,
	}
	if ev.Lost {
		e.Scope = planes.ScopeConnection
	}
	return e
}

// verdict is what a handler's error becomes on the wire; its origin is always the
// application. The error is the handler's code: it may panic when it is read, as a nil
// pointer does, and is then replaced by one that says so. So no lock may be held.
func verdict(err error) (code planes.Code, why string, _ error) {
	code, why, fault := readError(err)
	if fault != nil {
		return planes.CodeInternal, "the handler returned an error that panics when it is read", fault
	}
	return code, why, err
}

func readError(err error) (code planes.Code, why string, fault error) {
	defer func() {
		if v := recover(); v != nil {
			fault = panicked(v)
		}
	}()
	var e *planes.Error
	if errors.As(err, &e) && e != nil && e.Code != planes.CodeOK {
		if e.Reason == "" && e.Err != nil {
			return e.Code, e.Err.Error(), nil
		}
		return e.Code, e.Reason, nil
	}
	if code := planes.CodeOf(err); code != planes.CodeInternal {
		return code, err.Error(), nil
	}
	return planes.CodeHandler, err.Error(), nil
}
