package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// dispatcher is what one request transport hands its requests to.
type dispatcher struct {
	w  *Worker
	id planes.TransportID
}

// Routes implements planes.Dispatcher.
func (d *dispatcher) Routes() []string {
	var paths []string
	for p := range *d.w.routes.Load() {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// find returns the endpoint of a route: its path, or its last part alone where only
// one endpoint has it.
func (w *Worker) find(route string) *endpoint {
	routes := *w.routes.Load()
	if e := routes[route]; e != nil {
		return e
	}
	if strings.Contains(route, "/") {
		return nil
	}
	var found *endpoint
	for path, e := range routes {
		if path[strings.LastIndexByte(path, '/')+1:] == route {
			if found != nil {
				return nil
			}
			found = e
		}
	}
	return found
}

func (d *dispatcher) info(p planes.Plane, id planes.TransportID, route string) planes.CallInfo {
	return planes.CallInfo{Transport: id, Plane: p, Route: route, Instance: d.w.cfg.Instance}
}

func (d *dispatcher) started(i planes.CallInfo) time.Time {
	if f := d.w.cfg.Observer.Start; f != nil {
		f(i)
	}
	return time.Now()
}

func (d *dispatcher) ended(i planes.CallInfo, since time.Time, r planes.CallResult) {
	if f := d.w.cfg.Observer.End; f != nil {
		r.Elapsed = time.Since(since)
		f(i, r)
	}
}

// admit takes a call in or says why not; it is the request's half of the call.
func (d *dispatcher) admit(route string) (*endpoint, place, error) {
	e := d.w.find(route)
	if e == nil {
		info := d.info(planes.RequestPlane, d.id, "")
		why := refusal(planes.CodeNotFound, 0, fmt.Sprintf("no endpoint %.100q", route))
		why.Route = route
		d.ended(info, d.started(info), planes.CallResult{Err: why})
		return nil, place{}, why
	}
	info := d.info(planes.RequestPlane, d.id, e.path)
	began := d.started(info)
	p, why := d.w.gate.enter(d.w.cfg.RetryAfter)
	if why != nil {
		why.Route = route
		d.ended(info, began, planes.CallResult{Err: why})
		return nil, place{}, why
	}
	d.ended(info, began, planes.CallResult{})
	return e, p, nil
}

// ServeCall implements planes.Dispatcher.
func (d *dispatcher) ServeCall(ctx context.Context, req *planes.Request, rw planes.ResponseWriter) error {
	e, p, err := d.admit(req.Route)
	if err != nil {
		return err
	}
	defer p.leave()
	info := d.info(planes.ResponsePlane, d.id, e.path)
	began := d.started(info)
	if req.Timeout > 0 { // a transport may have set it already, or not
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, req.Timeout)
		defer stop()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.w.ctx, func() { cancel(ErrDraining) })()
	c := &counter{w: rw, began: began}
	err = errEnded
	defer func() { d.ended(info, began, c.result(err)) }() // also when the handler ends its goroutine
	if err = p.wait(ctx); err != nil {
		err = waitedInVain(e.path, err)
		return err
	}
	err = errEnded
	err = d.handle(ctx, e, req, c)
	return err
}

// waitedInVain is the error of a call whose context ended with why before a handler was
// free.
func waitedInVain(route string, why error) *planes.Error {
	if errors.Is(why, ErrDraining) {
		e := refusal(planes.CodeDraining, 0, "the worker shuts down")
		e.Route = route
		return e
	}
	return &planes.Error{Code: planes.CodeOf(why), Phase: planes.PhaseNotStarted, Op: "handle", Route: route, Reason: "while waiting for a handler"}
}

var errEnded = planes.Errorf(planes.CodeInternal, "the handler ended its goroutine")

// handle runs the handler and contains its panic.
func (d *dispatcher) handle(ctx context.Context, e *endpoint, req *planes.Request, rw planes.ResponseWriter) (err error) {
	defer func() {
		if v := recover(); v != nil {
			d.w.log.Error("handler panicked", "route", e.path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = planes.Errorf(planes.CodeInternal, "the handler panicked")
		}
	}()
	err = e.handler.ServeCall(context.WithValue(ctx, drainKey{}, d.w.draining), req, rw)
	if err != nil && errors.Is(context.Cause(ctx), ErrDraining) {
		return planes.Errorf(planes.CodeDraining, "the worker shut down before the handler had finished: %v", err)
	}
	return started(err)
}

// started keeps a handler from claiming that it did not run, which would have its call
// repeated: it may pass on the error of a call of its own.
func started(err error) error {
	var e *planes.Error
	if !errors.As(err, &e) || e == nil || e.Phase == planes.PhaseStarted {
		return err
	}
	own := *e
	own.Phase, own.Origin = planes.PhaseStarted, planes.OriginApp
	return &own
}

// counter counts the items of an answer on their way.
type counter struct {
	w            planes.ResponseWriter
	began        time.Time
	first        time.Duration
	items, bytes uint64
}

// Send implements planes.ResponseWriter.
func (c *counter) Send(item []byte) error {
	if err := c.w.Send(item); err != nil {
		return err
	}
	if c.items++; c.items == 1 {
		c.first = time.Since(c.began)
	}
	c.bytes += uint64(len(item))
	return nil
}

func (c *counter) result(err error) planes.CallResult {
	return planes.CallResult{Err: err, First: c.first, Items: c.items, Bytes: c.bytes}
}

// Accept implements planes.Dispatcher.
func (d *dispatcher) Accept(_ context.Context, env *planes.Envelope) error {
	t, ok := d.w.cfg.Registry.Answers(env.Reply.Transport)
	if !ok {
		why := refusal(planes.CodeUnsupported, 0, fmt.Sprintf("no response transport here answers %.60q", env.Reply.Transport))
		why.Route = env.Request.Route
		return why
	}
	e, p, err := d.admit(env.Request.Route)
	if err != nil {
		return err
	}
	own := copyEnvelope(env)
	go d.answer(e, p, t, own)
	return nil
}

// copyEnvelope copies what a transport only lends.
func copyEnvelope(env *planes.Envelope) *planes.Envelope {
	own, req := *env, *env.Request
	own.Request = &req
	req.Payload = bytes.Clone(req.Payload)
	req.Headers = slices.Clone(req.Headers)
	return &own
}

// answer runs a call whose answer goes elsewhere.
func (d *dispatcher) answer(e *endpoint, p place, t planes.ResponseTransport, env *planes.Envelope) {
	defer p.leave()
	info := d.info(planes.ResponsePlane, t.ID, e.path)
	began := d.started(info)
	c := &counter{began: began}
	err := error(errEnded)
	defer func() { d.ended(info, began, c.result(err)) }()

	whole, end := context.WithCancel(d.w.ctx) // what Send waits by
	defer end()
	if env.Request.Timeout > 0 {
		whole, end = context.WithTimeout(whole, env.Request.Timeout)
		defer end()
	}
	ctx, cancel := context.WithCancelCause(whole) // what the handler sees; the caller can end it, too
	defer cancel(nil)
	waited := p.wait(ctx)
	open, patience := ctx, d.w.cfg.OpenTimeout
	if waited != nil { // only to say so
		open, patience = context.WithoutCancel(ctx), min(patience, time.Second)
	}
	open, done := context.WithTimeout(open, patience)
	w, oerr := t.Client.Open(open, env)
	done()
	if oerr != nil {
		err = oerr
		d.w.gate.openFailed()
		d.w.log.Warn("the response stream could not be made", "route", e.path, "request", env.ID, "transport", t.ID, "err", oerr)
		return
	}
	ended := false
	defer func() {
		if !ended { // runtime.Goexit in the handler
			_ = w.End(errEnded)
		}
	}()
	if waited != nil {
		err = waitedInVain(e.path, waited)
		ended = true
		_ = w.End(err)
		return
	}
	watched := make(chan struct{})
	defer close(watched)
	go watch(w, watched, cancel)
	if err = w.Begin(); err == nil {
		c.w = sender{whole, w}
		err = errEnded
		err = d.handle(ctx, e, env.Request, c)
	}
	if why := w.Reason(); why != nil && err != nil && ctx.Err() != nil {
		err = why // the caller ended it: that is the truth, not what the handler made of it
	}
	ended = true
	if end := w.End(err); end != nil && err == nil {
		err = end
	}
}

// watch ends the handler's context when the caller says so. What the handler still
// sends goes out: the stream itself refuses it once it is over.
func watch(w planes.StreamWriter, done <-chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-w.Controlled():
		if why := w.Reason(); why != nil {
			cancel(why)
			return
		}
		cancel(context.Canceled)
	case <-done:
	}
}

// sender is a StreamWriter as a handler sees it.
type sender struct {
	ctx context.Context //nolint:containedctx // ends with the call's time or the worker
	w   planes.StreamWriter
}

// Send implements planes.ResponseWriter.
func (s sender) Send(item []byte) error { return s.w.Send(s.ctx, item) }
