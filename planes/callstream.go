package planes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"time"
)

// callStream is the answer to a call that may still move from one way of making it
// to the next, until the first item or the terminal.
type callStream struct {
	reg    *TransportRegistry
	call   Call // forgotten once the answer has begun: it is the caller's again
	route  string
	ctx    context.Context //nolint:containedctx // governs the whole stream, see Do
	cancel context.CancelFunc

	ways []candidate // of the present target, those not tried yet

	mu      sync.Mutex // guards cur and stopped: Stop may come from any goroutine
	cur     StreamReader
	stopped bool

	way     candidate // the one that cur came by
	plane   Plane     // whose Start was last announced
	started time.Time // then, or when an exchange was begun
	begun   bool      // an item or the clean end has come
	first   time.Duration
	items   uint64
	bytes   uint64
	over    error // the terminal
}

// advance makes the call in the next way there is; last is why the one before failed.
func (s *callStream) advance(last error) error {
	for {
		w, err := s.next(last)
		if err != nil {
			return err
		}
		if last != nil && s.way.request != nil && s.reg.cfg.Observer.Fallback != nil {
			s.reg.cfg.Observer.Fallback(s.way.info(RequestPlane, s.route), w.info(RequestPlane, s.route), last)
		}
		s.way = w
		cur, err := s.attempt()
		if err == nil {
			s.mu.Lock()
			s.cur = cur
			stopped := s.stopped
			s.mu.Unlock()
			if stopped {
				cur.Stop()
			}
			return nil
		}
		if !s.movesOn(err) {
			return err
		}
		last = err
	}
}

// next chooses the next way: another offer of the target, if the transport was at
// fault, or another target.
func (s *callStream) next(last error) (candidate, error) {
	if s.ctx.Err() != nil && last != nil {
		return candidate{}, last
	}
	if last != nil && faultOf(last) != faultTransport {
		s.ways = nil
	}
	for {
		if w, ok := s.pick(); ok {
			return w, nil
		}
		t, ok := s.call.Next(last)
		if !ok {
			if last == nil {
				last = &Error{Code: CodeNotFound, Phase: PhaseNotStarted, Op: "call", Route: s.route, Reason: "there is no target"}
			}
			return candidate{}, last
		}
		if s.ways = s.reg.candidates(s.ways[:0], t, s.call.Require); len(s.ways) == 0 {
			last = s.reg.noWay(t, s.call.Require, s.route)
			if s.ctx.Err() != nil { // whatever Next does, this ends
				return candidate{}, last
			}
		}
	}
}

// pick takes the first way whose breakers allow it, or else the first at all: a call
// that has no other way is better tried than refused.
func (s *callStream) pick() (candidate, bool) {
	if len(s.ways) == 0 {
		return candidate{}, false
	}
	at := 0
	for i := range s.ways {
		if s.reg.breakers.admit(&s.ways[i]) {
			at = i
			break
		}
	}
	w := s.ways[at]
	s.ways = append(s.ways[:at], s.ways[at+1:]...)
	return w, true
}

// admit reports whether both breakers of a way let a call through, and notes in w which
// of them it probes.
func (b *breakers) admit(w *candidate) bool {
	ok, probe := b.allow(w.requestKey())
	if !ok {
		return false
	}
	if w.response == nil {
		w.probesRequest = probe
		return true
	}
	answers, probes := b.allow(w.responseKey())
	if !answers {
		if probe {
			b.abandon(w.requestKey())
		}
		return false
	}
	w.probesRequest, w.probesResponse = probe, probes
	return true
}

// movesOn reports whether a call that failed with err may be made another way.
func (s *callStream) movesOn(err error) bool {
	if s.ctx.Err() != nil {
		return false
	}
	var e *Error
	if !errors.As(err, &e) || e == nil || e.Phase != PhaseNotStarted {
		return false
	}
	return SafeToRetry(err) || e.Code == CodeTooLarge || e.Code == CodeUnsupported
}

// attempt makes the call in the chosen way.
func (s *callStream) attempt() (StreamReader, error) {
	req := *s.call.Request
	if until, ok := s.ctx.Deadline(); ok { // the time left now, whatever earlier attempts took
		if req.Timeout = time.Until(until); req.Timeout <= 0 {
			s.release()
			return nil, &Error{Code: CodeDeadline, Phase: PhaseNotStarted, Op: "call", Route: s.route, Target: s.way.offer.Request.Address.String()}
		}
	}
	s.start(RequestPlane)
	if s.way.response == nil {
		cur, err := s.way.request.Client.(Exchanger).Exchange(s.ctx, s.way.offer.Request.Address, &req)
		if err != nil {
			s.failed(err)
			return nil, err
		}
		return cur, nil
	}
	id := newID()
	p, err := s.way.response.Server.Expect(s.ctx, Expectation{
		ID: id, Route: req.Route, Instance: s.way.instance, Target: s.way.offer.Request.Address.String(), Response: s.way.offer.Response,
	})
	if err != nil { // of this process: the worker's transports are not to blame
		s.end(err)
		s.release()
		return nil, err
	}
	env := Envelope{ID: id, Reply: p.Reply(), Request: &req}
	if err := s.way.request.Client.Send(s.ctx, s.way.offer.Request.Address, &env); err != nil {
		p.Cancel()
		s.failed(err)
		return nil, err
	}
	s.taken()
	cur, err := p.Accept(s.ctx)
	if err != nil {
		p.Cancel()
		s.failed(err)
		return nil, err
	}
	return cur, nil
}

// newID returns a random request id, a version 4 UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var t [36]byte
	hex.Encode(t[:8], b[:4])
	hex.Encode(t[9:13], b[4:6])
	hex.Encode(t[14:18], b[6:8])
	hex.Encode(t[19:23], b[8:10])
	hex.Encode(t[24:], b[10:])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

func (s *callStream) start(p Plane) {
	s.plane, s.started = p, time.Now()
	if f := s.reg.cfg.Observer.Start; f != nil {
		f(s.way.info(p, s.route))
	}
}

func (s *callStream) end(err error) {
	if f := s.reg.cfg.Observer.End; f != nil {
		r := CallResult{Err: err, Elapsed: time.Since(s.started)}
		if s.plane == ResponsePlane {
			r.First, r.Items, r.Bytes = s.first, s.items, s.bytes
		}
		f(s.way.info(s.plane, s.route), r)
	}
}

// taken ends the request's half well, and starts the response's.
func (s *callStream) taken() {
	s.end(nil)
	s.reg.breakers.worked(s.way.requestKey())
	s.way.probesRequest = false
	asked := s.started
	s.start(ResponsePlane)
	if s.way.response == nil {
		s.started = asked // an exchange is waited for from its beginning
	}
}

// failed ends the present half with err, and tells the breaker.
func (s *callStream) failed(err error) {
	s.end(err)
	if counts(err) && s.ctx.Err() == nil {
		if s.plane == ResponsePlane && s.way.response != nil {
			s.reg.breakers.broke(s.way.responseKey(), s.way.probesResponse)
			s.way.probesResponse = false
		} else {
			s.reg.breakers.broke(s.way.requestKey(), s.way.probesRequest)
			s.way.probesRequest = false
		}
	}
	s.release()
}

// release gives up the probes that have told nothing.
func (s *callStream) release() {
	if s.way.probesRequest {
		s.reg.breakers.abandon(s.way.requestKey())
	}
	if s.way.probesResponse {
		s.reg.breakers.abandon(s.way.responseKey())
	}
	s.way.probesRequest, s.way.probesResponse = false, false
}

// Recv implements StreamReader.
func (s *callStream) Recv(ctx context.Context) ([]byte, error) {
	for {
		if s.over != nil {
			return nil, s.over
		}
		item, err := s.cur.Recv(ctx)
		switch {
		case err == nil:
			s.began()
			if s.items++; s.items == 1 {
				s.first = time.Since(s.started)
			}
			s.bytes += uint64(len(item))
			return item, nil
		case err == io.EOF: //nolint:errorlint // only bare EOF is a clean end
			s.began()
			s.finish(nil)
			continue
		case ctx.Err() != nil && !IsTerminal(err):
			return nil, err // the caller's patience, not the stream's end
		}
		if !IsTerminal(err) { // a transport that breaks the contract is still reported once
			err = &Error{Code: CodeInternal, Phase: PhaseMaybe, Op: "stream", Route: s.route, Items: s.items, Err: err}
		}
		if s.begun || !s.movesOn(err) {
			s.finish(err)
			continue
		}
		s.failed(err)
		_ = s.cur.Close()
		if err := s.advance(err); err != nil {
			s.over, s.call = err, Call{}
			s.cancel()
		}
	}
}

// began notes that the answer has begun, after which the call cannot be made again.
func (s *callStream) began() {
	if s.begun {
		return
	}
	s.begun = true
	s.call = Call{}
	if s.plane == RequestPlane { // in the same exchange: the first answer says that it was taken
		s.taken()
	}
	if s.way.response != nil {
		s.reg.breakers.worked(s.way.responseKey())
		s.way.probesResponse = false
	}
}

// finish sets the terminal.
func (s *callStream) finish(err error) {
	if s.over != nil {
		return
	}
	if s.over = err; err == nil {
		s.over = io.EOF
		s.end(nil)
	} else {
		var e *Error
		if errors.As(err, &e) && e.Phase == PhaseStarted && e.Origin == OriginApp {
			s.began() // a handler ended the call before its first item
		}
		s.failed(err)
	}
	s.call = Call{}
	s.cancel()
}

// Stop implements StreamReader.
func (s *callStream) Stop() {
	s.mu.Lock()
	cur := s.cur
	s.stopped = true
	s.mu.Unlock()
	if cur != nil {
		cur.Stop()
	}
}

// Close implements StreamReader.
func (s *callStream) Close() error {
	err := s.cur.Close()
	if s.over == nil {
		phase := PhaseMaybe
		if s.begun {
			phase = PhaseStarted
		}
		s.finish(&Error{Code: CodeCancelled, Phase: phase, Op: "stream", Route: s.route, Items: s.items,
			Target: s.way.offer.Request.Address.String(), Reason: "the caller closed the stream"})
	}
	s.cancel()
	return err
}
