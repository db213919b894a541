package planetest

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/wireplane/wireplane/planes"
)

// window is how many bytes of items wait in a stream; a single item may be larger.
const window = 64 << 10

// pipe is one response stream: a StreamWriter at the worker, a StreamReader at the
// router. What waits between them is bounded by window.
type pipe struct {
	net           *Network
	route, target string
	onBegin       func()              // the answer has begun, or was ended without
	onControl     func(*planes.Error) // the caller wants no more
	breakAfter    int                 // items; -1 never
	control       chan planes.Control

	mu        sync.Mutex
	items     [][]byte
	queued    int // bytes of items
	sent      int
	delivered uint64
	begun     bool
	stopped   bool
	ended     bool          // nothing more is sent
	terminal  *planes.Error // of a stream that has ended; nil: cleanly
	reason    *planes.Error
	unhook    func() bool
	over      error // what the reader was told at the end
	changed   chan struct{}
}

func (p *pipe) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// govern ends the stream when the caller's context does.
func (p *pipe) govern(ctx context.Context) {
	unhook := context.AfterFunc(ctx, func() { p.kill(gaveUp(ctx, planes.PhaseMaybe, "stream", p.route, p.target)) })
	p.mu.Lock()
	p.unhook = unhook
	ended := p.over != nil
	p.mu.Unlock()
	if ended {
		unhook()
	}
}

// Begin implements planes.StreamWriter.
func (p *pipe) Begin() error {
	p.mu.Lock()
	if p.ended {
		defer p.mu.Unlock()
		return p.whyLocked()
	}
	p.begun = true
	p.wakeLocked()
	p.mu.Unlock()
	if p.onBegin != nil {
		p.onBegin()
	}
	return nil
}

func (p *pipe) whyLocked() error {
	if p.reason != nil {
		return p.reason
	}
	return &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Op: "handle", Route: p.route, Reason: "the stream has ended"}
}

// Send implements planes.StreamWriter.
func (p *pipe) Send(ctx context.Context, item []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.ended:
			return p.whyLocked()
		case p.sent == p.breakAfter:
			p.mu.Unlock()
			p.kill(lost("stream", p.route, p.target, "the connection broke"))
			p.mu.Lock()
			continue
		case len(p.items) == 0 || p.queued+len(item) <= window:
			p.items = append(p.items, append([]byte{}, item...))
			p.queued += len(item)
			p.sent++
			p.wakeLocked()
			return nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if ctx.Err() != nil && !p.ended {
			return gaveUp(ctx, planes.PhaseStarted, "handle", p.route, "")
		}
	}
}

// Flush implements planes.StreamWriter. Nothing is gathered here.
func (p *pipe) Flush() error { return nil }

// End implements planes.StreamWriter.
func (p *pipe) End(err error) error {
	p.mu.Lock()
	if p.ended {
		defer p.mu.Unlock()
		return p.whyLocked()
	}
	if p.breakAfter >= 0 { // fewer items came than were to arrive: the terminal is lost
		p.mu.Unlock()
		p.kill(lost("stream", p.route, p.target, "the connection broke"))
		return p.Reason()
	}
	p.ended = true
	p.terminal = told(err)
	p.wakeLocked()
	p.mu.Unlock()
	if p.onBegin != nil {
		p.onBegin()
	}
	return nil
}

// told is a handler's error as it arrives at the caller.
func told(err error) *planes.Error {
	var e *planes.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && e != nil:
		copied := *e
		copied.Err = nil // a Go error does not travel
		if copied.Origin == planes.OriginLocal {
			copied.Origin = planes.OriginPeer
		}
		return &copied
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return planes.Errorf(planes.CodeOf(err), "%v", err)
	}
	return planes.Errorf(planes.CodeHandler, "%v", err)
}

// kill ends the stream at both ends; what is on its way is lost.
func (p *pipe) kill(why *planes.Error) {
	p.mu.Lock()
	if p.over != nil || p.reason != nil && p.ended {
		p.mu.Unlock()
		return
	}
	p.items, p.queued = nil, 0
	p.ended, p.terminal, p.reason = true, why, why
	p.wakeLocked()
	p.mu.Unlock()
	select {
	case p.control <- planes.ControlKill:
	default:
	}
	if p.onControl != nil {
		p.onControl(why)
	}
	if p.onBegin != nil {
		p.onBegin()
	}
}

// Controlled implements planes.StreamWriter.
func (p *pipe) Controlled() <-chan planes.Control { return p.control }

// Reason implements planes.StreamWriter.
func (p *pipe) Reason() *planes.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// refusal returns the error of an answer that ended before it began, if it did.
func (p *pipe) refusal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun || !p.ended {
		return nil
	}
	return p.finishLocked()
}

// Recv implements planes.StreamReader.
func (p *pipe) Recv(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.over != nil:
			return nil, p.over
		case len(p.items) > 0:
			item := p.items[0]
			p.items[0] = nil
			p.items = p.items[1:]
			p.queued -= len(item)
			p.delivered++
			p.wakeLocked()
			return item, nil
		case p.ended:
			return nil, p.finishLocked()
		}
		changed := p.changed
		p.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.mu.Lock()
		if err != nil && !p.ended {
			return nil, err
		}
	}
}

// finishLocked notes what the reader is told at the end, and lets go of the stream.
func (p *pipe) finishLocked() error {
	if p.over == nil {
		p.over = io.EOF
		if p.terminal != nil {
			e := *p.terminal
			e.Op, e.Route, e.Target, e.Items = "stream", p.route, p.target, p.delivered
			if e.Items > 0 {
				e.Phase = planes.PhaseStarted
			}
			p.over = &e
		}
		if p.unhook != nil {
			p.unhook()
		}
		p.net.forget(p)
	}
	return p.over
}

// Stop implements planes.StreamReader.
func (p *pipe) Stop() {
	p.mu.Lock()
	if p.ended || p.stopped {
		p.mu.Unlock()
		return
	}
	p.stopped = true
	p.reason = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Origin: planes.OriginPeer, Op: "handle", Route: p.route,
		Reason: "the caller asked to stop"}
	why := p.reason
	p.mu.Unlock()
	p.control <- planes.ControlStop // there is room: it comes once
	if p.onControl != nil {
		p.onControl(why)
	}
}

// Close implements planes.StreamReader.
func (p *pipe) Close() error {
	p.kill(&planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseMaybe, Reason: "the caller closed the stream"})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = p.finishLocked()
	}
	return nil
}
