package httpplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

var (
	errDraining = &planes.Error{Code: planes.CodeDraining, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the server shuts down"}
	errStopped  = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the caller asked to stop"}
	errLeft     = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the reader has gone"}
	errSlow     = &planes.Error{Code: planes.CodeSlowConsumer, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the reader takes nothing"}
	errLate     = &planes.Error{Code: planes.CodeDeadline, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the time of the call is up"}
)

// ServeHTTP answers one HTTP request; see the package's documentation.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = bound(w, r, s.cfg.StallTimeout)
	route, ok := under(s.cfg.Root, r.URL.Path)
	d := s.dispatcher.Load()
	switch {
	case !ok:
		writeError(w, refusal(planes.CodeNotFound, "nothing is here; endpoints are below %s", s.cfg.Root), 0, nil)
	case d == nil || s.draining.Load():
		f := refusal(planes.CodeDraining, "the server does not take requests")
		f.RetryAfterMs = 1000
		s.refuse(w, f)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.describe(w, r, *d, route)
	case r.Method == http.MethodDelete:
		s.stop(w, r)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, GET, HEAD, DELETE")
		s.refusedN.Add(1)
		writeError(w, refusal(planes.CodeUnsupported, "method %.20q; want POST to call, GET to ask", r.Method), http.StatusMethodNotAllowed, nil)
	default:
		s.busy.Add(1)
		defer s.busy.Done()
		if s.calls.Add(1) > int64(s.cfg.MaxCalls) {
			s.calls.Add(-1)
			f := refusal(planes.CodeOverloaded, "%d calls are under way", s.cfg.MaxCalls)
			f.RetryAfterMs = 1000
			s.refuse(w, f)
			return
		}
		defer s.calls.Add(-1)
		s.post(w, r, *d, route)
	}
}

func (s *Server) refuse(w http.ResponseWriter, f itemstream.Failure) {
	s.refusedN.Add(1)
	writeError(w, f, 0, nil)
}

// under returns what follows root in path, without the slash; "" for root itself.
func under(root, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// resolve returns the route that name means: the route itself, or the only one whose
// last segment it is.
func resolve(routes []string, name string) (string, bool) {
	if slices.Contains(routes, name) {
		return name, true
	}
	found := ""
	for _, r := range routes {
		if r[strings.LastIndexByte(r, '/')+1:] == name {
			if found != "" {
				return "", false
			}
			found = r
		}
	}
	return found, found != ""
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, d planes.Dispatcher, name string) {
	head := weigh(r)
	defer s.bodies.Add(-head)
	if s.bodies.Add(head) > s.cfg.BudgetBytes {
		s.refuse(w, s.full())
		return
	}
	body, f := s.read(w, r)
	if f != nil {
		s.refuse(w, *f)
		return
	}
	defer s.bodies.Add(-int64(cap(body)))
	env, _, err := envelope.Decode(body, max(len(body), 1))
	var route string
	known := true
	if strings.Contains(name, "/") {
		route = name // the dispatcher says whether it is served
	} else if route, known = resolve(d.Routes(), name); !known && err == nil && env.Request.Route != "" {
		route, known = env.Request.Route, true
	}
	if !known {
		s.refusedN.Add(1)
		writeError(w, refusal(planes.CodeNotFound, "endpoint %.200q is not served here, or not the only one of that name", name), 0, d.Routes())
		return
	}
	switch {
	case err == nil:
		s.accept(w, r, d, route, env)
	case errors.Is(err, envelope.ErrNot):
		s.call(w, r, d, &planes.Request{Route: route, Payload: body})
	default:
		s.refuse(w, verdict(err, 0))
	}
}

// accept hands an envelope on; its answer goes elsewhere.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, d planes.Dispatcher, route string, env *planes.Envelope) {
	env.Request.Route = route
	envelope.Apply(env.Request, r.Header.Get)
	if err := d.Accept(context.WithoutCancel(r.Context()), env); err != nil {
		f := verdict(err, 0)
		s.refuse(w, f)
		return
	}
	s.taken.Add(1)
	w.WriteHeader(http.StatusAccepted)
}

// call runs a plain request and streams its answer.
func (s *Server) call(w http.ResponseWriter, r *http.Request, d planes.Dispatcher, req *planes.Request) {
	if err := readHeaders(r.Header, req); err != nil {
		s.refuse(w, refusal(planes.CodeProtocol, "%v", err))
		return
	}
	format, ok := negotiate(r.Header, s.cfg.Format)
	if !ok {
		s.refusedN.Add(1)
		writeError(w, refusal(planes.CodeUnsupported, "Accept: %.200q; want one of %s, %s, %s", r.Header.Get("Accept"),
			itemstream.TypeSSE, itemstream.TypeNDJSON, itemstream.TypeBinary), http.StatusNotAcceptable, nil)
		return
	}
	if r.Header.Get("Last-Event-ID") != "" {
		s.refuse(w, refusal(planes.CodeUnsupported, "an answer in the request's own exchange cannot be resumed"))
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if req.Timeout > 0 {
		t := time.AfterFunc(req.Timeout, func() { cancel(errLate) })
		defer t.Stop()
	}
	// The handler's context ends when the caller asks it to stop, which does not end
	// the answer, or after the answer, so that the cause is known.
	handling, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	name := s.enlist(stop)
	defer s.delist(name)

	a, done := newAnswer(), make(chan struct{})
	go func() {
		defer close(done)
		s.contain(handling, d, req, a)
	}()
	out := newSink(w, a, s.pace(format))
	err := out.run(ctx, a, name)
	if err == nil {
		s.answered.Add(1)
	} else {
		s.broken.Add(1)
		e := lost(err)
		a.breakWith(e)
		stop(e)
		if e == errLate {
			out.late()
		}
	}
	<-done // the request's memory is the handler's until then
}

func (s *Server) pace(f itemstream.Format) pace {
	return pace{format: f, heartbeat: s.cfg.Heartbeat, status: s.cfg.StatusDelay, stall: s.cfg.StallTimeout}
}

// lost says why an answer could not be written.
func lost(err error) *planes.Error {
	if e := typed(err); e != nil {
		return e
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	return errLeft
}

// contain runs the handler; neither a panic nor the end of its goroutine gets out.
func (s *Server) contain(ctx context.Context, d planes.Dispatcher, req *planes.Request, a *answer) {
	err := error(&planes.Error{Code: planes.CodeInternal, Phase: planes.PhaseStarted, Reason: "the handler ended its goroutine"})
	defer func() {
		if v := recover(); v != nil {
			s.panics.Add(1)
			s.cfg.Logger.Error("handler panicked", "endpoint", req.Route, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = &planes.Error{Code: planes.CodeInternal, Phase: planes.PhaseStarted, Reason: "the handler panicked"}
		}
		a.end(err)
	}()
	err = d.ServeCall(ctx, req, writer{ctx, a})
}

// writer is an answer as a handler sees it.
type writer struct {
	ctx context.Context //nolint:containedctx // of the one call
	a   *answer
}

func (w writer) Send(item []byte) error { return w.a.send(w.ctx, item) }

// enlist makes a call stoppable under the name that it returns.
func (s *Server) enlist(stop context.CancelCauseFunc) string {
	name := rand.Text()
	s.mu.Lock()
	s.streams[name] = stop
	s.mu.Unlock()
	return name
}

func (s *Server) delist(name string) {
	s.mu.Lock()
	delete(s.streams, name)
	s.mu.Unlock()
}

// stop asks the handler of a call under way to finish early.
func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stop := s.streams[r.Header.Get(HeaderStream)]
	s.mu.Unlock()
	if stop == nil {
		writeError(w, refusal(planes.CodeNotFound, "no such call is under way"), 0, nil)
		return
	}
	stop(errStopped)
	w.WriteHeader(http.StatusNoContent)
}

// read takes the body, within the bounds of size, time and memory. What it returns
// counts in s.bodies with its capacity.
func (s *Server) read(w http.ResponseWriter, r *http.Request) ([]byte, *itemstream.Failure) {
	limit := int64(s.cfg.MaxBodyBytes)
	if r.ContentLength > limit {
		f := refusal(planes.CodeTooLarge, "a request of %d bytes; want at most %d", r.ContentLength, limit)
		return nil, &f
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout)) // not every ResponseWriter can
	size := int64(512)
	if r.ContentLength >= 0 {
		size = min(r.ContentLength, 64<<10) + 1 // a caller who announces much and sends little costs little
	}
	body, f := s.grow(nil, size)
	for f == nil {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			x := refusal(planes.CodeTooLarge, "a request of more than %d bytes", limit)
			f = &x
		case err == io.EOF:
			_ = rc.SetReadDeadline(time.Time{})
			return body, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			x := refusal(planes.CodeDeadline, "the request did not arrive within %v", s.cfg.BodyTimeout)
			f = &x
		case err != nil:
			x := refusal(planes.CodeProtocol, "the request's body: %v", err)
			f = &x
		case len(body) == cap(body):
			body, f = s.grow(body, min(2*int64(cap(body)), limit+1))
		}
	}
	_ = rc.SetReadDeadline(time.Now().Add(lingering)) // for the rest, which net/http reads
	s.bodies.Add(-int64(cap(body)))
	return nil, f
}

func (s *Server) full() itemstream.Failure {
	f := refusal(planes.CodeOverloaded, "requests of %d bytes are under way", s.cfg.BudgetBytes)
	f.RetryAfterMs = 1000
	return f
}

// grow returns body with a capacity of n, within the budget.
func (s *Server) grow(body []byte, n int64) ([]byte, *itemstream.Failure) {
	more := n - int64(cap(body))
	if s.bodies.Add(more) > s.cfg.BudgetBytes {
		s.bodies.Add(-more)
		f := s.full()
		return body, &f
	}
	out := make([]byte, len(body), n)
	copy(out, body)
	return out, nil
}
