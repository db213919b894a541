package callhome

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// The pauses before the router asks again on a connection whose worker does not know
// the answer yet, such as one that has queued the request for long.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

var errToken = errors.New("callhome: a prologue without the right token")

// overMux asks the worker for the answer on each connection that its instance has,
// until the answer comes that way or another, or the wait or the hope is over. The
// error says that a connection was lost after the request, and no other came.
func (p *pending) overMux(ctx, wait context.Context) error {
	l := p.l
	seek, cancel := context.WithCancel(wait)
	defer cancel()
	l.mu.Lock()
	p.found = cancel
	done := p.got != nil
	l.mu.Unlock()
	if done {
		return nil
	}
	defer l.seek(p)()
	pause := firstPause
	var cause error
	var hope *time.Timer // that the worker comes back
	defer func() {
		if hope != nil {
			hope.Stop()
		}
	}()
	for {
		var again, late <-chan time.Time
		if c := l.client(p.x.Instance); c != nil {
			if hope != nil {
				hope.Stop()
				hope = nil
			}
			err := p.ask(ctx, seek, c)
			var e *planes.Error
			switch {
			case err == nil || seek.Err() != nil || l.ctx.Err() != nil:
				return nil
			case errors.Is(err, errToken):
				l.rejectFrom(c.peer, "token", fmt.Sprintf("instance %x on a multiplexed connection", p.x.Instance))
				_ = c.Close() // whoever that is has no answers for us
				continue
			case errors.As(err, &e) && e.Scope == planes.ScopeConnection:
				select {
				case <-c.Done():
				case <-seek.Done():
				}
				cause = err
				continue
			}
			cause, again = err, time.After(pause)
			pause = min(2*pause, lastPause)
		} else if cause != nil {
			if hope == nil {
				hope = time.NewTimer(l.cfg.HandshakeTimeout)
			}
			late = hope.C
		}
		select {
		case <-p.wake:
		case <-again:
		case <-late:
			return cause
		case <-seek.Done():
			return nil
		case <-l.ctx.Done():
			return nil
		}
	}
}

// giveUpTimeout is how long the word that an answer is given up waits for it at the
// worker, which may not have begun.
const giveUpTimeout = 5 * time.Second

// giveUp tells the worker that nobody waits for the answer.
func (p *pending) giveUp() {
	ctx, cancel := context.WithTimeout(p.l.ctx, giveUpTimeout)
	defer cancel()
	defer p.l.seek(p)()
	c := p.l.client(p.x.Instance)
	for c == nil { // the worker may be about to dial
		select {
		case <-p.wake:
			c = p.l.client(p.x.Instance)
		case <-ctx.Done():
			return
		}
	}
	if st, err := c.Stream(ctx, &planes.Request{Route: muxRoute, Payload: mustJSON(muxOpen{Subject: p.info.Subject, Kill: true})}); err == nil {
		_, _ = st.Recv(ctx)
		_ = st.Close()
	}
}

// ask opens a stream for the answer and waits for its prologue. It returns nil if the
// answer is that stream, or has come another way.
func (p *pending) ask(ctx, seek context.Context, c *muxClient) error {
	whole, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(seek, cancel) // until the prologue is in
	s := &muxStream{p: p, cancel: cancel, a: answer{ours: true}}
	keep := false
	defer func() {
		if stop(); !keep {
			if s.st != nil {
				_ = s.st.Close()
			}
			cancel()
		}
	}()
	st, err := c.Stream(whole, &planes.Request{Route: muxRoute, Payload: mustJSON(muxOpen{Subject: p.info.Subject})})
	if err != nil {
		return err
	}
	s.st = st
	b, err := st.Recv(seek)
	if err == io.EOF { //nolint:errorlint // bare
		err = errToken
	}
	if err != nil {
		return err
	}
	var in prologue
	if len(b) > maxHeader || json.Unmarshal(b, &in) != nil || subtle.ConstantTimeCompare([]byte(in.Token), []byte(p.info.Token)) != 1 {
		return errToken
	}
	s.a.begin(&in)
	if !stop() {
		return nil // it has come another way, or it is too late
	}
	keep = p.claim(s)
	return nil
}

// claim makes s the answer, unless another way was faster.
func (p *pending) claim(s *muxStream) bool {
	l := p.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[p.info.Subject] != p {
		return false
	}
	l.forgetLocked(p.info.Subject, "duplicate")
	l.accepted++
	p.got = s
	close(p.ready)
	return true
}

// muxStream is the router's end of a multiplexed response. The items and totals are
// those of the plane beneath, with the prologue as one more.
type muxStream struct {
	p      *pending
	st     *tcpplane.Stream
	a      answer
	cancel context.CancelFunc
	over   error
}

// start implements answered: the prologue is in.
func (s *muxStream) start(_, wait context.Context) error {
	if s.a.refused == nil {
		return nil
	}
	short, cancel := context.WithTimeout(wait, controlTimeout)
	defer cancel()
	_, _ = s.st.Recv(short) // its end, so that there is nothing to cancel
	s.a.refused.Op, s.a.refused.Route, s.a.refused.Target = "response", s.p.x.Route, s.p.x.Target
	return s.a.refused
}

func (s *muxStream) kill() { _ = s.Close() }

func (s *muxStream) terminal() bool { return s.over != nil || s.a.refused != nil }

// Recv implements planes.StreamReader.
func (s *muxStream) Recv(ctx context.Context) ([]byte, error) {
	if s.over != nil {
		return nil, s.over
	}
	b, err := s.st.Recv(ctx)
	if err == nil {
		if most := s.p.l.cfg.MaxItemBytes; len(b) > most {
			_ = s.st.Close()
			return nil, s.finish(s.p.fault(planes.CodeTooLarge, planes.PhaseStarted, fmt.Sprintf("an item of %d bytes; want at most %d", len(b), most), nil))
		}
		s.a.items++
		return b, nil
	}
	if err == io.EOF { //nolint:errorlint // bare
		return nil, s.finish(io.EOF)
	}
	var e *planes.Error
	if !errors.As(err, &e) {
		return nil, err // ctx's
	}
	f := *e
	f.Op, f.Route, f.Target, f.Items = "response", s.p.x.Route, s.p.x.Target, s.a.items
	if f.Scope == planes.ScopeConnection && s.p.l.ctx.Err() != nil {
		f.Code, f.Reason, f.Err = planes.CodeTransport, "the listener was closed", net.ErrClosed
	}
	return nil, s.finish(&f)
}

func (s *muxStream) finish(err error) error {
	s.over = err
	s.cancel()
	return err
}

// Stop implements planes.StreamReader.
func (s *muxStream) Stop() { s.st.Stop() }

// Close implements planes.StreamReader.
func (s *muxStream) Close() error {
	_ = s.st.Close()
	s.cancel()
	if s.over == nil || s.over == io.EOF { //nolint:errorlint // Recv returns it bare
		s.over = s.p.fault(planes.CodeCancelled, planes.PhaseStarted, "the caller closed the stream", nil)
	}
	return nil
}
