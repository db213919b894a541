package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
	"github.com/wireplane/wireplane/pool/buf"
)

// inlineCall is a call that is answered within its batch.
type inlineCall struct {
	req   planes.Request
	route *route
}

// reply is what an inline handler said: a part of batch.out, or an error.
type reply struct {
	id       uint32
	from, to int
	code     planes.Code // of err, with why
	why      string
	err      error
}

// serverCall is a call with a handler in a goroutine of its own, or one whose
// request arrives in pieces. It is never reused, because its context may outlive it.
type serverCall struct {
	callContext
	srv     *Server
	l       *link
	id      uint32
	route   *route
	name    string // of the route, as the caller knows it; req is the handler's
	req     planes.Request
	payload *buf.Buffer   // of a call that waited; others use their worker's memory
	wake    chan struct{} // one token: Send may make progress
	waited  bool          // for a place of the gate
	begun   bool          // of HandleAny: the caller knows, or shall, that it runs
	cut     bool          // SendContext gave up within an item: the call cannot end cleanly

	stopped chan struct{} // of HandleStream: closed when the caller has asked for an end
	asked   *planes.Error // its request; guarded by callContext.mu
}

// accept decides on a call of the peer. It runs inside Session.Receive.
func (l *link) accept(id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) {
	s := l.side.(*Server)
	r := s.routes.get(o.Route)
	if r == nil {
		return nil, planes.CodeNotFound, fmt.Sprintf("no route %.64q", o.Route)
	}
	if r.inline != nil && int(total) == len(o.Payload) {
		w := l.batch
		w.inline = append(w.inline, inlineCall{route: r})
		c := &w.inline[len(w.inline)-1]
		fillRequest(&c.req, r, o)
		return c, planes.CodeOK, ""
	}
	c := &serverCall{srv: s, l: l, id: id, route: r}
	c.base = s.base
	fillRequest(&c.req, r, o)
	c.name = c.req.Route
	if o.HasDeadline {
		c.deadline = start.Add(l.now + c.req.Timeout)
	}
	if r.stream != nil {
		c.wake = make(chan struct{}, 1)
	}
	if r.soft {
		c.stopped = make(chan struct{})
	}
	return c, planes.CodeOK, ""
}

// fillRequest copies what OPEN says about the call, all but the payload.
func fillRequest(req *planes.Request, r *route, o *muxwire.Open) {
	if req.Route = r.name; r.any {
		req.Route = string(o.Route)
	}
	if o.HasDeadline {
		req.Timeout = time.Duration(o.Deadline) * time.Millisecond
	}
	if o.HasTrace {
		req.Trace = planes.TraceContext{TraceID: o.Trace.ID, SpanID: o.Trace.Span, Flags: o.Trace.Sampled}
	}
	if o.HasState {
		req.TraceState = string(o.State)
	}
	if o.HasCall {
		req.CallID = o.Call
	}
	if o.HasHeaders {
		req.Headers = make([]planes.Header, len(o.Headers))
		for i, h := range o.Headers {
			req.Headers[i] = planes.Header{Name: string(h.Name), Value: string(h.Value)}
		}
	}
}

// replyBytes is how much of inline answers gathers before they go to the session.
const replyBytes = 256 << 10

// events hands the events of a connection to its calls.
func (s *Server) events(l *link, w *batch) {
	for i := range w.evs {
		ev := &w.evs[i]
		switch ev.Kind { //nolint:exhaustive // the others are a caller's
		case mux.EvRequest:
			s.request(l, w, ev)
		case mux.EvCancel:
			if c, ok := ev.Owner.(*serverCall); ok {
				c.stop(ev)
				s.forget(l, c)
			}
		case mux.EvWritable:
			if c, ok := ev.Owner.(*serverCall); ok {
				c.writable()
			}
		case mux.EvStop:
			if c, ok := ev.Owner.(*serverCall); ok {
				c.stop(ev)
			}
		case mux.EvReady:
			l.markReady()
		}
	}
	l.sendReplies(w)
	if len(w.spawned) == 0 {
		return
	}
	// Quick handlers answer now, and share the flush that follows this batch. The
	// callers of those that take longer are told that they run.
	runtime.Gosched()
	l.mu.Lock()
	for _, id := range w.spawned {
		l.sess.Started(id)
	}
	l.mu.Unlock()
}

// stop ends the context of a call. The event does not say how far the call has come;
// the handler that gets the error runs, so a retry would run it again.
func (c *serverCall) stop(ev *mux.Event) {
	e := ended(ev, "handle", c.name, "")
	e.Phase = planes.PhaseStarted
	if ev.Kind == mux.EvStop && c.route.soft {
		c.mu.Lock()
		if c.asked == nil {
			c.asked = e
			close(c.stopped)
		}
		c.mu.Unlock()
		return
	}
	c.end(e)
}

// Stopped implements Streamer.
func (c *serverCall) Stopped() <-chan struct{} { return c.stopped }

// Reason implements Streamer.
func (c *serverCall) Reason() *planes.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return c.asked
}

// forget takes a call that is over for its caller out of the queue for handlers, so
// that neither its place nor its request is held until its turn comes.
func (s *Server) forget(l *link, c *serverCall) {
	if !c.waited || !s.gate.forget(c) {
		return
	}
	l.mu.Lock()
	l.sess.Fail(c.id, planes.CodeCancelled, planes.OriginPeer, "") // frees the slot; nobody is told
	l.mu.Unlock()
	c.release()
}

// request starts the handler of a call whose request is complete.
func (s *Server) request(l *link, w *batch, ev *mux.Event) {
	switch c := ev.Owner.(type) {
	case *inlineCall:
		c.req.Payload = ev.Data
		l.answer(w, ev.ID, c.route, &c.req)
	case *serverCall:
		if c.route.inline != nil {
			c.req.Payload = ev.Data
			l.answer(w, ev.ID, c.route, &c.req)
			return
		}
		run, place, ok := s.gate.enter(c, ev.Data)
		switch {
		case run && c.route.any: // it says itself that it runs
		case run:
			w.spawned = append(w.spawned, ev.ID)
		case ok:
			l.mu.Lock()
			l.sess.Accept(c.id, uint32(place))
			l.mu.Unlock()
		default:
			l.mu.Lock()
			l.sess.Refuse(c.id, planes.CodeOverloaded, s.cfg.RetryAfter, uint32(place), "all handlers are busy and the queue is full")
			l.mu.Unlock()
		}
	}
}

// answer runs an inline handler.
func (l *link) answer(w *batch, id uint32, h *route, req *planes.Request) {
	from := len(w.out)
	dst := w.out[from:]
	out, err := runInline(h, req, dst)
	r := reply{id: id, from: from}
	switch {
	case err != nil:
		r.code, r.why, r.err = verdict(err)
	case len(out) > 0 && cap(dst) > 0 && &out[0] == &dst[:1][0]:
		w.out = w.out[:from+len(out)] // written in place
	default:
		w.out = append(w.out, out...) // it outgrew dst, or is the handler's own: never kept
	}
	r.to = len(w.out)
	w.replies = append(w.replies, r)
	if len(w.out) >= replyBytes {
		l.sendReplies(w)
	}
}

func runInline(r *route, req *planes.Request, dst []byte) (_ []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return r.inline(req, dst)
}

// panicked makes the error of a handler that panicked. The caller learns that it
// did, not why; the stack is for the log of this side.
func panicked(v any) error {
	return &planes.Error{Code: planes.CodeInternal, Phase: planes.PhaseStarted, Op: "handle", Reason: "the handler panicked",
		Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())}
}

// sendReplies gives the answers of inline handlers to the session.
func (l *link) sendReplies(w *batch) {
	if len(w.replies) == 0 {
		return
	}
	l.mu.Lock()
	for i := range w.replies {
		r := &w.replies[i]
		if r.err != nil {
			l.sess.Fail(r.id, r.code, planes.OriginApp, r.why)
			continue
		}
		l.sess.End(r.id, w.out[r.from:r.to], true)
	}
	l.mu.Unlock()
	for i := range w.replies {
		if err := w.replies[i].err; err != nil && planes.CodeOf(err) == planes.CodeInternal {
			l.log.Error("handler failed", "err", err, "cause", cause(err))
		}
	}
	clear(w.replies)
	w.replies, w.out = w.replies[:0], w.out[:0]
}

// started tells the caller that a handler which had to wait runs now.
func (c *serverCall) started() {
	if c.route.any {
		return // it says itself that it runs
	}
	c.l.mu.Lock()
	c.l.sess.Started(c.id)
	c.l.mu.Unlock()
	c.l.wake()
}

// release gives the copy of the request of a call that waited back.
func (c *serverCall) release() {
	if c.payload != nil {
		c.payload.Release()
		c.payload = nil
	}
}

// serve runs the handler and ends the call, whatever the handler does.
func (c *serverCall) serve(w *worker) {
	ended := false
	defer func() {
		if !ended { // runtime.Goexit in the handler
			c.finish(nil, false, planes.Errorf(planes.CodeInternal, "the handler ended its goroutine"))
		}
		c.release()
	}()
	if why := c.tooLate(); why != nil {
		c.finish(nil, false, why)
		ended = true
		return
	}
	if c.route.unary != nil {
		out, err := c.runUnary(w.out[:0])
		c.finish(out, true, err)
		if n := len(out); n > cap(w.out) && n <= maxKept {
			w.out = make([]byte, 0, n+n/2) // not out itself, which may be the handler's own
		}
	} else {
		c.finish(nil, false, c.runStream())
	}
	ended = true
}

// tooLate says why a call that may have waited need not run any more, or nil.
func (c *serverCall) tooLate() error {
	if !c.waited {
		return nil
	}
	if why := c.why(); why != nil {
		return why
	}
	if !c.deadline.IsZero() && time.Now().After(c.deadline) {
		return planes.Errorf(planes.CodeDeadline, "the deadline passed while the call waited for a handler")
	}
	return nil
}

func (c *serverCall) runUnary(dst []byte) (_ []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return c.route.unary(c, &c.req, dst)
}

func (c *serverCall) runStream() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return c.route.stream.ServeCall(c, &c.req, c)
}

// finish ends the call on the wire and frees its slot.
func (c *serverCall) finish(item []byte, has bool, err error) {
	var code planes.Code
	var why string
	if err == nil && c.cut {
		err = errCut
	}
	if err != nil {
		code, why, err = verdict(err)
	}
	refusal := c.refusal(err)
	c.l.mu.Lock()
	switch {
	case refusal != nil:
		c.l.sess.Refuse(c.id, code, refusal.RetryAfter, 0, why)
	case err != nil:
		c.l.sess.Fail(c.id, code, planes.OriginApp, why)
	default:
		c.l.sess.End(c.id, item, has)
	}
	c.l.mu.Unlock()
	c.l.wake()
	if err != nil && planes.CodeOf(err) == planes.CodeInternal {
		c.l.log.Error("handler failed", "route", c.name, "err", err, "cause", cause(err))
	}
	c.end(errReturned)
}

// refusal returns err if it says that the call was not taken and the caller has not
// been told otherwise. Only the handler of HandleAny decides about that.
func (c *serverCall) refusal(err error) *planes.Error {
	var e *planes.Error
	if !c.route.any || c.begun || err == nil || !errors.As(err, &e) || e == nil || e.Phase != planes.PhaseNotStarted {
		return nil
	}
	return e
}

// Begin tells the caller that the handler runs; see Beginner.
func (c *serverCall) Begin() error {
	if why := c.why(); why != nil {
		return why
	}
	if c.begun {
		return nil
	}
	c.begun = true
	c.l.mu.Lock()
	c.l.sess.Started(c.id)
	c.l.mu.Unlock()
	c.l.wake()
	return nil
}

// errReturned ends the context of every handler that has returned; it is shared,
// because making one would be half of what a call allocates.
var errReturned = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Op: "handle", Reason: "the handler has returned"}

// cause returns what lies behind a *planes.Error, for the log.
func cause(err error) any {
	if e, ok := err.(*planes.Error); ok && e.Err != nil { //nolint:errorlint // made by panicked
		return e.Err.Error()
	}
	return ""
}

var errCut = &planes.Error{Code: planes.CodeInternal, Phase: planes.PhaseStarted, Op: "send", Reason: "an item was given up within"}

// Send sends one item; see planes.ResponseWriter.
func (c *serverCall) Send(item []byte) error { return c.SendContext(context.Background(), item) }

// SendContext implements Streamer.
func (c *serverCall) SendContext(ctx context.Context, item []byte) error {
	if c.cut {
		return errCut
	}
	off := 0
	c.begun = true
	for {
		c.l.mu.Lock()
		n, done, err := c.l.sess.Send(c.id, item, off)
		c.l.mu.Unlock()
		if n > off || done {
			c.l.wake()
		}
		switch {
		case err != nil:
			if why := c.why(); why != nil {
				return why
			}
			return refusedSend(err, c.name)
		case done:
			return nil
		}
		off = n
		select {
		case <-c.wake:
		case <-c.Done():
			return c.why()
		case <-ctx.Done():
			c.cut = off > 0
			return &planes.Error{Code: planes.CodeOf(ctx.Err()), Phase: planes.PhaseStarted, Op: "send", Route: c.name,
				Reason: "the caller takes nothing", Err: ctx.Err()}
		}
	}
}

func refusedSend(err error, route string) error {
	e := refused(err, "send", route, "")
	e.Phase = planes.PhaseStarted
	return e
}

// writable lets a Send that waits try again.
func (c *serverCall) writable() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
