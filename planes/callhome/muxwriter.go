package callhome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// muxWriter is the worker's end of a multiplexed response. The router opens its
// stream, before or after Open; until then Begin is remembered, and Send and End wait.
type muxWriter struct {
	m              *muxSide
	t              *muxTarget
	subject, token string
	ctl            chan planes.Control
	over           chan struct{} // closed by End or a kill: the stream's goroutine returns

	mu            sync.Mutex
	sw            tcpplane.Streamer // nil while there is no stream
	binding       bool              // one is being taken
	bound         chan struct{}     // closed when sw is set or the answer is over
	patience      *time.Timer       // until the stream must be there
	begun, ended  bool
	sent          bool // an item or the end has gone, so that no other stream may follow
	gone          bool // over is closed
	lostGen       uint64
	losses        int
	stopped, dead bool
	reason        *planes.Error
	verdict       error // of the call, once over is closed
	items         uint64
}

func newMuxWriter(m *muxSide, t *muxTarget, in *info) *muxWriter {
	w := &muxWriter{m: m, t: t, subject: in.Subject, token: in.Token, ctl: make(chan planes.Control, 2),
		over: make(chan struct{}), bound: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.patience = time.AfterFunc(m.d.cfg.MeetTimeout, w.tired)
	return w
}

func (w *muxWriter) fault(code planes.Code, why string, err error) *planes.Error {
	return &planes.Error{Code: code, Phase: planes.PhaseStarted, Op: "answer", Target: w.t.addr, Reason: why, Err: err}
}

// lost is the reason of an end that the router or the connection made.
func (w *muxWriter) lost(e *planes.Error) *planes.Error {
	if e.Scope == planes.ScopeConnection {
		return w.fault(planes.CodePeerLost, "the connection to the router is lost", e)
	}
	f := w.fault(e.Code, e.Reason, nil)
	f.Origin = planes.OriginPeer
	return f
}

// serve is the handler of the router's call.
func (t *muxTarget) serve(ctx context.Context, req *planes.Request, rw planes.ResponseWriter) error {
	var open muxOpen
	if len(req.Payload) > maxHeader || json.Unmarshal(req.Payload, &open) != nil || open.Subject == "" {
		return &planes.Error{Code: planes.CodeProtocol, Op: "call home", Reason: "a malformed request for an answer"}
	}
	w, err := t.m.meet(ctx, open.Subject)
	if err != nil {
		return err
	}
	sw := rw.(tcpplane.Streamer) //nolint:forcetypeassert // HandleStream says so
	if w.t != t {
		return &planes.Error{Code: planes.CodeNotFound, Op: "call home", Reason: "nobody answers this subject here"}
	}
	if open.Kill {
		e := w.fault(planes.CodeCancelled, "the caller gave the answer up", nil)
		e.Origin = planes.OriginPeer
		w.kill(e)
		return nil
	}
	return w.serve(ctx, sw)
}

func (w *muxWriter) serve(ctx context.Context, sw tcpplane.Streamer) error {
	w.m.mu.Lock()
	gen := w.t.gen
	if w.t.dialing != nil {
		gen++ // the router was faster than the dial, which makes this one
	}
	w.m.mu.Unlock()
	w.mu.Lock()
	switch {
	case ctx.Err() != nil:
		w.mu.Unlock()
		return ctx.Err() // it waited for the answer too long

	case w.gone:
		defer w.mu.Unlock()
		return w.verdict
	case w.sw != nil || w.binding || w.sent:
		w.mu.Unlock()
		return &planes.Error{Code: planes.CodeRefused, Op: "call home", Reason: "the answer has a stream already"}
	}
	if w.begun {
		w.binding = true
		w.mu.Unlock()
		err := sw.SendContext(context.Background(), w.prologue(nil))
		w.mu.Lock()
		w.binding = false
		if err != nil {
			w.mu.Unlock()
			return w.streamEnded(sw, gen)
		}
	}
	if !w.gone {
		w.sw = sw
		w.patience.Stop()
		close(w.bound)
	}
	w.mu.Unlock()
	stopped := sw.Stopped()
	for {
		select {
		case <-w.over:
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.verdict
		case <-stopped:
			stopped = nil
			w.mu.Lock()
			w.signal(planes.ControlStop, w.lost(sw.Reason()))
			w.mu.Unlock()
		case <-ctx.Done():
			return w.streamEnded(sw, gen)
		}
	}
}

// streamEnded takes the end of the stream that the router or the connection made. If
// that was the connection and nothing but the prologue was sent, the router opens
// another stream on the next connection, which is dialled here, once.
func (w *muxWriter) streamEnded(sw tcpplane.Streamer, gen uint64) error {
	why := sw.Reason()
	if why == nil {
		why = w.fault(planes.CodeInternal, "the stream ended", nil)
	}
	w.mu.Lock()
	again := why.Scope == planes.ScopeConnection && !w.sent && !w.gone
	if again && w.sw != nil {
		w.sw, w.bound = nil, make(chan struct{})
		w.patience.Reset(w.m.d.cfg.MeetTimeout)
	}
	w.mu.Unlock()
	if !again || !w.lose(gen) {
		w.kill(w.lost(why))
	}
	return why
}

// waitsNoMore tells that connection gen, on which the stream had not come, is gone.
func (w *muxWriter) waitsNoMore(gen uint64) {
	w.mu.Lock()
	waits := w.sw == nil && !w.binding && !w.gone
	w.mu.Unlock()
	if waits && !w.lose(gen) {
		w.kill(w.fault(planes.CodePeerLost, "the connection to the router is lost", nil))
	}
}

// lose makes another connection instead of gen. It reports false if one was lost before.
func (w *muxWriter) lose(gen uint64) bool {
	w.mu.Lock()
	if gen <= w.lostGen {
		w.mu.Unlock()
		return true // it is being replaced
	}
	w.lostGen = gen
	w.losses++
	first := w.losses == 1 && !w.gone
	w.mu.Unlock()
	if !first {
		return false
	}
	m := w.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.d.wg.Go(func() {
		if _, err := m.connect(m.ctx, w.t); err != nil {
			w.kill(w.fault(planes.CodePeerLost, "the connection to the router is lost", err))
		}
	})
	return true
}

// tired ends an answer whose stream has not come.
func (w *muxWriter) tired() {
	w.mu.Lock()
	waits := w.sw == nil && !w.binding
	w.mu.Unlock()
	if waits {
		w.kill(w.fault(planes.CodePeerLost, fmt.Sprintf("the router has opened no stream within %v", w.m.d.cfg.MeetTimeout), nil))
	}
}

// kill ends the answer, unless it is over.
func (w *muxWriter) kill(why *planes.Error) {
	w.mu.Lock()
	done := w.finish(why)
	if done {
		w.signal(planes.ControlKill, why)
	}
	w.mu.Unlock()
	if done {
		w.m.unregister(w)
	}
}

// abandon ends an answer that nobody has seen.
func (w *muxWriter) abandon() {
	w.mu.Lock()
	w.finish(w.fault(planes.CodeCancelled, "the answer goes another way", nil))
	w.mu.Unlock()
	w.m.unregister(w)
}

// finish makes the stream's goroutine return verdict. It runs under mu.
func (w *muxWriter) finish(verdict error) bool {
	if w.gone {
		return false
	}
	w.gone, w.verdict = true, verdict
	w.patience.Stop()
	close(w.over)
	if w.sw == nil {
		close(w.bound)
	}
	return true
}

// signal tells the handler, at most once each. It runs under mu.
func (w *muxWriter) signal(k planes.Control, reason *planes.Error) {
	told := &w.stopped
	if k == planes.ControlKill {
		told = &w.dead
	}
	if *told || w.ended && k == planes.ControlStop {
		return
	}
	*told = true
	w.reason = reason // a kill comes last
	w.ctl <- k        // one of each fits
}

func (w *muxWriter) prologue(refusal *endInfo) []byte {
	p := prologue{Token: w.token, Own: refusal}
	if refusal != nil {
		p.Error = &refusal.Reason
	}
	return mustJSON(p)
}

func (w *muxWriter) misuse(what string) error { return w.fault(planes.CodeInternal, what, nil) }

// Begin implements planes.StreamWriter.
func (w *muxWriter) Begin() error {
	w.mu.Lock()
	switch {
	case w.gone && w.reason != nil:
		defer w.mu.Unlock()
		return w.reason
	case w.begun || w.ended:
		w.mu.Unlock()
		return w.misuse("Begin comes first, and once")
	}
	w.begun = true
	sw := w.sw
	w.mu.Unlock()
	if sw == nil {
		return nil // it goes first on the stream
	}
	_ = sw.SendContext(context.Background(), w.prologue(nil)) // a failure ends the stream, or another follows
	return nil
}

// stream waits for the router's stream. It runs under mu; without error there is one.
func (w *muxWriter) stream(ctx context.Context) error {
	for w.sw == nil && !w.gone {
		bound := w.bound
		w.mu.Unlock()
		var err error
		select {
		case <-bound:
		case <-ctx.Done():
			err = ctx.Err()
		}
		w.mu.Lock()
		if err != nil {
			return w.fault(planes.CodeOf(err), "the router has not opened the stream", err)
		}
	}
	if w.gone {
		if w.reason == nil {
			return w.misuse("the answer is over")
		}
		return w.reason
	}
	return nil
}

// Send implements planes.StreamWriter. A Send that ctx ends within an item ends the
// response: nothing can follow.
func (w *muxWriter) Send(ctx context.Context, item []byte) error {
	if most := w.m.d.cfg.MaxItemBytes; len(item) > most {
		return w.fault(planes.CodeTooLarge, fmt.Sprintf("an item of %d bytes; want at most %d", len(item), most), nil)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun || w.ended {
		return w.misuse("Send comes between Begin and End")
	}
	if err := w.stream(ctx); err != nil {
		return err
	}
	sw := w.sw
	w.sent = true
	w.mu.Unlock()
	err := sw.SendContext(ctx, item)
	w.mu.Lock()
	if err == nil {
		w.items++
		return nil
	}
	if w.dead {
		return w.reason
	}
	var e *planes.Error
	if errors.As(err, &e) && e.Scope == planes.ScopeConnection {
		return w.lost(e)
	}
	f := w.fault(planes.CodeOf(err), "the item was not sent", err)
	f.Items = w.items
	return f
}

// Flush implements planes.StreamWriter. What was sent leaves by itself.
func (w *muxWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone && w.reason != nil {
		return w.reason
	}
	return nil
}

// End implements planes.StreamWriter. What was sent is in the queue of the connection
// when it returns.
func (w *muxWriter) End(err error) error {
	var e *endInfo
	if err != nil {
		e = tell(err, planes.PhaseNotStarted) // before the lock: it runs the handler's code
	}
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return w.misuse("End comes once")
	}
	w.ended = true
	if err := w.stream(context.Background()); err != nil {
		w.mu.Unlock()
		return err
	}
	w.sent = true
	var verdict error
	switch {
	case !w.begun:
		sw := w.sw
		w.mu.Unlock()
		serr := sw.SendContext(context.Background(), w.prologue(e))
		w.mu.Lock()
		if serr != nil && !w.dead {
			verdict = serr
		}
	case e != nil:
		verdict = &planes.Error{Code: codes[e.Code], Phase: planes.PhaseStarted, Op: "answer", Reason: e.Reason}
	}
	if !w.finish(verdict) {
		defer w.mu.Unlock()
		return w.reason
	}
	w.mu.Unlock()
	w.m.unregister(w)
	return nil
}

// Controlled implements planes.StreamWriter.
func (w *muxWriter) Controlled() <-chan planes.Control { return w.ctl }

// Reason implements planes.StreamWriter.
func (w *muxWriter) Reason() *planes.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}
