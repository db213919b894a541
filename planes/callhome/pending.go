package callhome

import (
	"context"
	"errors"
	"net"

	"github.com/wireplane/wireplane/planes"
)

// pending is an answer that is waited for.
type pending struct {
	l     *Listener
	x     planes.Expectation
	info  info
	ready chan struct{} // closed when got is set
	got   answered      // guarded by l.mu until ready
	over  bool          // given up, or accepted; guarded by l.mu
	mux   bool          // the router asks for it over a connection of the worker's
	found func()        // then: ends the asking; guarded by l.mu
	wake  chan struct{} // then: one token, there is a new connection
}

// answered is the answer that has come, in whichever mode.
type answered interface {
	planes.StreamReader
	// start waits for the prologue, and returns what it refuses with. ctx governs the
	// stream from then on.
	start(ctx, wait context.Context) error
	kill()
	// terminal reports whether the stream has ended by itself.
	terminal() bool
}

func (p *pending) fault(code planes.Code, phase planes.Phase, why string, err error) *planes.Error {
	return &planes.Error{Code: code, Phase: phase, Op: "response", Route: p.x.Route, Target: p.x.Target, Reason: why, Err: err}
}

// Reply implements planes.Pending.
func (p *pending) Reply() planes.ConnectionInfo {
	return planes.ConnectionInfo{Transport: transportName, Info: string(mustJSON(p.info))}
}

// Cancel implements planes.Pending.
func (p *pending) Cancel() {
	p.l.mu.Lock()
	over, s := p.over, p.got
	p.over = true
	if !over && s == nil {
		p.l.forgetLocked(p.info.Subject, "late")
		if p.mux && !p.l.closed {
			p.l.wg.Go(p.giveUp)
		}
	}
	p.l.mu.Unlock()
	if !over && s != nil {
		s.kill()
	}
}

// Accept implements planes.Pending.
func (p *pending) Accept(ctx context.Context) (planes.StreamReader, error) {
	wait, cancel := context.WithTimeout(ctx, p.l.cfg.PrologueTimeout)
	defer cancel()
	if p.mux {
		if err := p.overMux(ctx, wait); err != nil {
			p.Cancel()
			return nil, p.fault(planes.CodeTransport, planes.PhaseMaybe, "the worker's connection was lost, and it has not come back", err)
		}
	}
	select {
	case <-p.ready:
	case <-wait.Done():
		p.Cancel()
		return nil, p.gaveUp(ctx, wait.Err(), "no worker has called")
	case <-p.l.ctx.Done():
		p.Cancel()
		return nil, p.fault(planes.CodeTransport, planes.PhaseMaybe, "the listener was closed", net.ErrClosed)
	}
	p.l.mu.Lock()
	s, over := p.got, p.over
	p.over = true
	p.l.mu.Unlock()
	if over {
		return nil, p.fault(planes.CodeCancelled, planes.PhaseMaybe, "the answer was given up", nil)
	}
	err := s.start(ctx, wait)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, wait.Err()) && wait.Err() != nil && !s.terminal():
		err = p.gaveUp(ctx, err, "the worker sent no prologue")
	}
	_ = s.Close()
	return nil, err
}

func (p *pending) gaveUp(ctx context.Context, err error, why string) error {
	if ctx.Err() == nil {
		return p.fault(planes.CodeDeadline, planes.PhaseMaybe, why+" in time", err)
	}
	return p.fault(planes.CodeOf(ctx.Err()), planes.PhaseMaybe, why+" before the caller gave up", context.Cause(ctx))
}
