package httpplane

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

var (
	errKilled = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "send", Reason: "the router ended the answer"}
	errGone   = &planes.Error{Code: planes.CodePeerLost, Phase: planes.PhaseStarted, Origin: planes.OriginLocal, Op: "send", Reason: "the router was cut off and did not come back"}
)

// outgoing is an answer that a router attaches to: a planes.StreamWriter.
type outgoing struct {
	l        *ResponseListener
	info     attachInfo
	a        *answer
	attached chan struct{} // closed with the first GET
	over     chan struct{} // closed when nothing more will be written
	control  chan planes.Control

	mu        sync.Mutex
	begun     bool // Begin was called
	inUse     bool // a GET writes now
	claimed   bool // attached is closed
	abandoned bool // nobody may attach any more
	done      bool // over is closed
	stopped   bool
	reason    *planes.Error
	grace     *time.Timer
	drop      context.CancelCauseFunc // ends the GET that writes now
	freed     chan struct{}           // closed when it has ended
}

func newOutgoing(l *ResponseListener, info attachInfo) *outgoing {
	a := newAnswer()
	a.keepBytes, a.keepItems = l.cfg.ReplayBytes, l.cfg.ReplayItems
	return &outgoing{l: l, info: info, a: a, attached: make(chan struct{}), over: make(chan struct{}), control: make(chan planes.Control, 2)}
}

// abandon keeps routers from attaching; false if one has.
func (s *outgoing) abandon() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = !s.claimed
	return s.abandoned
}

// Begin implements planes.StreamWriter.
func (s *outgoing) Begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil && s.done {
		return s.reason
	}
	s.begun = true
	s.a.mu.Lock()
	s.a.began = true
	s.a.mu.Unlock()
	return nil
}

// Send implements planes.StreamWriter.
func (s *outgoing) Send(ctx context.Context, item []byte) error { return s.a.send(ctx, item) }

// Flush implements planes.StreamWriter; nothing is held back.
func (s *outgoing) Flush() error { return nil }

// End implements planes.StreamWriter. It waits until the terminal is written, unless
// nothing moves for as long as a router may stall and stay away.
func (s *outgoing) End(err error) error {
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	if !begun {
		e := planes.Error{Code: planes.CodeOf(err), Op: "call"}
		if x := typed(err); x != nil {
			e = *x
		} else if err != nil {
			e.Reason = err.Error()
		}
		if e.Code == planes.CodeOK {
			e.Code = planes.CodeRefused
		}
		e.Phase = planes.PhaseNotStarted
		err = &e
	}
	s.a.end(err)
	t := time.NewTimer(s.l.cfg.StallTimeout + s.l.cfg.Grace)
	defer t.Stop()
	for over, moved := false, s.a.moved.Load(); !over; {
		select {
		case <-s.over:
			over = true
		case <-t.C:
			now := s.a.moved.Load()
			if now == moved {
				s.fail(errSlow)
			}
			moved = now
			t.Reset(s.l.cfg.StallTimeout + s.l.cfg.Grace)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != nil && s.reason != errStopped {
		return s.reason
	}
	return nil
}

// Controlled implements planes.StreamWriter.
func (s *outgoing) Controlled() <-chan planes.Control { return s.control }

// Reason implements planes.StreamWriter.
func (s *outgoing) Reason() *planes.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// stop passes the router's wish on, once.
func (s *outgoing) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped && !s.done {
		s.stopped = true
		if s.reason == nil {
			s.reason = errStopped
		}
		s.control <- planes.ControlStop // of 2, and each comes once
	}
}

// fail ends the answer, undelivered.
func (s *outgoing) fail(e *planes.Error) {
	s.mu.Lock()
	if s.done {
		s.mu.Unlock()
		return
	}
	s.reason = e
	s.control <- planes.ControlKill
	s.finishLocked()
	drop := s.drop
	s.mu.Unlock()
	s.a.breakWith(e)
	if drop != nil {
		drop(e)
	}
	s.l.remove(s)
}

func (s *outgoing) finishLocked() {
	s.done, s.abandoned = true, true
	if s.grace != nil {
		s.grace.Stop()
	}
	close(s.over)
}

// claim makes a GET the writer of the answer, or says why it is not.
func (s *outgoing) claim(drop context.CancelCauseFunc) (again bool, f *itemstream.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.abandoned:
		s.l.late.Add(1)
		return false, turnedAway(planes.CodeNotFound, "the answer is over, or was given up")
	case s.inUse:
		s.l.duplicate.Add(1)
		return false, turnedAway(planes.CodeEpoch, "somebody is attached to the answer")
	}
	again = s.claimed
	s.inUse, s.drop, s.freed = true, drop, make(chan struct{})
	if s.grace != nil {
		s.grace.Stop()
		s.grace = nil
	}
	if !s.claimed {
		s.claimed = true
		close(s.attached)
	}
	return again, nil
}

// evict ends the GET that writes now, for one that resumes: this side may not have
// seen yet that the connection of the former is gone.
func (s *outgoing) evict(ctx context.Context) {
	s.mu.Lock()
	drop, freed := s.drop, s.freed
	s.mu.Unlock()
	if drop != nil {
		drop(errLeft)
		select {
		case <-freed:
		case <-ctx.Done():
		}
	}
}

// release ends the turn of a GET. One that was cut off may come back for a while.
func (s *outgoing) release(err error) {
	s.mu.Lock()
	s.inUse, s.drop = false, nil
	close(s.freed)
	if s.done {
		s.mu.Unlock()
		return
	}
	if err == nil {
		s.finishLocked()
		s.mu.Unlock()
		s.l.remove(s)
		return
	}
	e := errGone
	if x := lost(err); x == errSlow {
		e = x
	}
	s.grace = time.AfterFunc(s.l.cfg.Grace, func() { s.fail(e) })
	s.mu.Unlock()
}

// turnedAway is why a GET gets no answer. It says nothing about whether the handler
// runs.
func turnedAway(code planes.Code, why string) *itemstream.Failure {
	f := refusal(code, "%s", why)
	f.Phase = planes.PhaseMaybe
	return &f
}

// ServeHTTP lets a router attach to an answer (GET) or control it (DELETE).
func (l *ResponseListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = bound(w, r, l.cfg.StallTimeout)
	path, ok := under(l.cfg.Root, r.URL.Path)
	subject := path[lastSlash(path)+1:]
	if !ok || subject == "" {
		writeError(w, *turnedAway(planes.CodeNotFound, "nothing is here; answers are below "+l.cfg.Root), 0, nil)
		return
	}
	switch r.Method {
	case http.MethodGet:
		l.attach(w, r, subject)
	case http.MethodDelete:
		l.controlled(w, r, subject)
	default:
		w.Header().Set("Allow", "GET, DELETE")
		writeError(w, *turnedAway(planes.CodeUnsupported, "want GET to attach, DELETE to stop"), http.StatusMethodNotAllowed, nil)
	}
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

func (s *outgoing) knows(r *http.Request) bool {
	token := r.Header.Get(HeaderToken)
	if token == "" {
		token = r.URL.Query().Get("token")
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.info.Token)) == 1
}

func (l *ResponseListener) controlled(w http.ResponseWriter, r *http.Request, subject string) {
	l.mu.Lock()
	s := l.streams[subject]
	l.mu.Unlock()
	switch {
	case s == nil:
		writeError(w, *turnedAway(planes.CodeNotFound, "no such answer"), 0, nil)
		return
	case !s.knows(r):
		l.denied.Add(1)
		writeError(w, *turnedAway(planes.CodeDenied, "the token is not that of the answer"), 0, nil)
		return
	case r.Header.Get(HeaderControl) == planes.ControlKill.String():
		s.fail(errKilled)
	default:
		s.stop()
	}
	w.WriteHeader(http.StatusNoContent)
}

func (l *ResponseListener) attach(w http.ResponseWriter, r *http.Request, subject string) {
	if r.ContentLength != 0 {
		writeError(w, *turnedAway(planes.CodeProtocol, "a GET with a body"), 0, nil)
		return
	}
	s, f, status := l.await(r.Context(), subject)
	if f == nil && !s.knows(r) {
		l.denied.Add(1)
		f = turnedAway(planes.CodeDenied, "the token is not that of the answer")
	}
	format, ok := negotiate(r.Header, l.cfg.Format)
	if f == nil && !ok {
		f, status = turnedAway(planes.CodeUnsupported, "no format of the answer is acceptable"), http.StatusNotAcceptable
	}
	var from uint64
	if id := r.Header.Get("Last-Event-ID"); f == nil && id != "" {
		n, err := strconv.ParseUint(id, 10, 63)
		if err != nil {
			f = turnedAway(planes.CodeProtocol, "Last-Event-ID is no number")
		}
		if from = n + 1; err == nil {
			s.evict(r.Context())
		}
	}
	if f != nil {
		writeError(w, *f, status, nil)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	held, ok := s.a.since(from)
	if !ok {
		l.old.Add(1)
		writeError(w, *turnedAway(planes.CodeNotFound, "items from "+strconv.FormatUint(from, 10)+" on are not held any more"), http.StatusGone, nil)
		return
	}
	again, f := s.claim(cancel)
	if f != nil {
		status := http.StatusConflict
		if f.Code == planes.CodeNotFound {
			status = http.StatusGone
		}
		writeError(w, *f, status, nil)
		return
	}
	l.attached.Add(1)
	if again {
		l.resumed.Add(1)
		if held, ok = s.a.since(from); !ok { // nobody else takes from now on
			s.release(errLeft)
			l.old.Add(1)
			writeError(w, *turnedAway(planes.CodeNotFound, "the items are not held any more"), http.StatusGone, nil)
			return
		}
	}
	out := newSink(w, s.a, pace{format: format, heartbeat: l.cfg.Heartbeat, status: l.cfg.StatusDelay, stall: l.cfg.StallTimeout})
	s.release(out.resume(ctx, s.a, held, from))
}

// resume writes what is held from an index on, and then runs.
func (s *sink) resume(ctx context.Context, a *answer, held []batch, from uint64) error {
	if len(held) > 0 {
		if err := s.begin("", false); err != nil {
			return err
		}
		for i := range held {
			if err := s.items(&held[i], from); err != nil {
				return err
			}
		}
	}
	return s.run(ctx, a, "")
}

// await returns the answer of a subject, which may come after its router.
func (l *ResponseListener) await(ctx context.Context, subject string) (*outgoing, *itemstream.Failure, int) {
	l.mu.Lock()
	s, _, over := l.streams[subject], 0, false
	if _, over = l.gone[subject]; s != nil || over {
		l.mu.Unlock()
		if s == nil {
			l.late.Add(1)
			return nil, turnedAway(planes.CodeNotFound, "the answer is over, or was given up"), http.StatusGone
		}
		return s, nil, 0
	}
	if l.waiting[subject] != nil {
		l.mu.Unlock()
		l.duplicate.Add(1)
		return nil, turnedAway(planes.CodeEpoch, "somebody waits for the answer"), http.StatusConflict
	}
	if len(l.waiting) >= l.cfg.MaxStreams {
		l.mu.Unlock()
		return nil, turnedAway(planes.CodeOverloaded, "too many wait for answers"), 0
	}
	came := make(chan struct{})
	l.waiting[subject] = came
	l.mu.Unlock()
	t := time.NewTimer(l.cfg.AttachTimeout)
	defer t.Stop()
	select {
	case <-came:
	case <-t.C:
	case <-ctx.Done():
	case <-l.closed:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[subject] == came {
		delete(l.waiting, subject)
	}
	if s := l.streams[subject]; s != nil {
		return s, nil, 0
	}
	l.unknown.Add(1)
	return nil, turnedAway(planes.CodeNotFound, "no answer of that subject came"), 0
}
