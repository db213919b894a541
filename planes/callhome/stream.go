package callhome

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// controlTimeout bounds the write of a control frame to a worker that reads nothing.
const controlTimeout = time.Second

// stream is the router's end of a response.
type stream struct {
	l      *Listener
	p      *pending
	key    net.Conn // as it is tracked
	nc     net.Conn
	fr     *frames
	a      answer
	pooled bool
	ctx    context.Context //nolint:containedctx // governs the stream, see planes.Pending
	unctx  func() bool
	over   error // the terminal; for the goroutine of Recv

	mu        sync.Mutex
	left      bool          // the connection is not this stream's any more
	cancelled *planes.Error // why it was ended from outside
	stopped   bool
}

func (s *stream) watch(ctx context.Context) {
	s.ctx = ctx
	s.unctx = context.AfterFunc(ctx, func() {
		s.leave(s.p.fault(planes.CodeOf(ctx.Err()), planes.PhaseStarted, "the caller gave up", context.Cause(ctx)))
	})
}

// leave ends the stream with a kill, for the reason why, unless it is over.
func (s *stream) leave(why *planes.Error) {
	s.mu.Lock()
	if s.left {
		s.mu.Unlock()
		return
	}
	s.left, s.cancelled = true, why
	s.control(killWord)
	s.mu.Unlock()
	s.l.drop(s.key)
}

func (s *stream) kill() { s.leave(nil) }

// control sends a word. It runs under mu, so that none is sent for a response whose
// end was answered.
func (s *stream) control(word []byte) {
	_ = s.nc.SetWriteDeadline(time.Now().Add(controlTimeout))
	_, _ = s.nc.Write(appendFrame(nil, word, nil)) // a lost connection shows at the next read
	_ = s.nc.SetWriteDeadline(time.Time{})
}

// start implements answered.
func (s *stream) start(ctx, wait context.Context) error {
	s.watch(ctx)
	return s.begin(wait)
}

func (s *stream) terminal() bool { return s.over != nil }

// begin reads the prologue.
func (s *stream) begin(ctx context.Context) error {
	_, _, err := s.step(ctx)
	if err == nil && s.a.refused != nil {
		short, cancel := context.WithTimeout(ctx, controlTimeout)
		defer cancel()
		if _, _, _ = s.step(short); s.over == nil { // no sentinel
			_ = s.finish(s.a.refused, false)
		}
		return s.a.refused
	}
	return err
}

// Recv implements planes.StreamReader.
func (s *stream) Recv(ctx context.Context) ([]byte, error) {
	if s.over != nil {
		return nil, s.over
	}
	for {
		if item, ok, err := s.step(ctx); ok || err != nil {
			return item, err
		}
	}
}

// step takes one frame. An error that is not the terminal is ctx's.
func (s *stream) step(ctx context.Context) ([]byte, bool, error) {
	header, body, err := s.read(ctx)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if errors.Is(err, errFrame) {
			e := s.a.broken("what is no frame: " + err.Error())
			e.Err = err
			return nil, false, s.finish(e, false)
		}
		return nil, false, s.finish(s.a.cutShort(err), false)
	}
	item, ok, whole, err := s.a.frame(header, body)
	if err != nil {
		return nil, false, s.finish(err, whole)
	}
	return item, ok, nil
}

func (s *stream) read(ctx context.Context) (header, body []byte, err error) {
	if done := ctx.Done(); done == nil || s.ctx != nil && done == s.ctx.Done() {
		return s.fr.next(s.nc) // the end of s.ctx closes the connection
	}
	if ctx.Err() != nil {
		return nil, nil, os.ErrDeadlineExceeded
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = s.nc.SetReadDeadline(time.Unix(1, 0))
		close(fired)
	})
	header, body, err = s.fr.next(s.nc)
	if !stop() {
		<-fired
		_ = s.nc.SetReadDeadline(time.Time{})
	}
	return header, body, err
}

// finish sets the terminal, and gives the connection back where it is in step, which
// whole tells. It returns the terminal.
func (s *stream) finish(err error, whole bool) error {
	if s.unctx != nil {
		s.unctx()
	}
	s.mu.Lock()
	if s.left {
		if s.cancelled != nil {
			s.cancelled.Items = s.a.items
			err = s.cancelled
		}
		s.mu.Unlock()
		s.over = err
		return err
	}
	s.left = true
	again := whole && s.pooled && s.fr.buffered() == 0
	switch {
	case again:
		s.control(sentinelWord)
	case !whole:
		s.control(killWord)
	}
	s.mu.Unlock()
	var e *planes.Error
	if errors.As(err, &e) {
		e.Op, e.Route, e.Target = "response", s.p.x.Route, s.p.x.Target
	}
	s.over = err
	if !again || !s.l.keep(s) {
		if c, ok := s.nc.(interface{ CloseWrite() error }); ok && whole {
			_ = c.CloseWrite()
		}
		s.l.drop(s.key)
	}
	return err
}

// keep waits for the next response on the connection of s.
func (l *Listener) keep(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.wg.Go(func() { l.next(s.key, s.nc, s.fr, l.cfg.IdleTimeout, true) })
	return true
}

// Stop implements planes.StreamReader.
func (s *stream) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left && !s.stopped {
		s.stopped = true
		s.control(stopWord)
	}
}

// Close implements planes.StreamReader.
func (s *stream) Close() error {
	if s.unctx != nil {
		s.unctx()
	}
	s.kill()
	if s.over == nil || s.over == io.EOF { //nolint:errorlint // Recv returns it bare
		s.over = s.p.fault(planes.CodeCancelled, planes.PhaseStarted, "the caller closed the stream", nil)
	}
	return nil
}
