package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// gate bounds the handlers that run and the calls that wait for one, and knows when
// the last is gone.
type gate struct {
	slots chan struct{} // one token for each running handler

	mu       sync.Mutex
	limit    int // of queued
	queued   int
	running  int
	draining bool
	idle     chan struct{} // closed when nothing runs or waits; nil unless somebody waits for that
	counts   Stat
}

func (g *gate) init(maxInFlight, maxQueued int) {
	if maxInFlight == 0 {
		maxInFlight = 4096
	}
	switch {
	case maxQueued == 0:
		maxQueued = 4096
	case maxQueued < 0:
		maxQueued = 0
	}
	g.slots = make(chan struct{}, maxInFlight)
	g.limit = maxQueued
}

// place is a call's claim to a handler: held at once, or still to be waited for.
type place struct {
	g    *gate
	held bool
}

// enter claims a place, or says why there is none.
func (g *gate) enter(retryAfter time.Duration) (place, *planes.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		g.counts.Refused++
		return place{}, refusal(planes.CodeDraining, 0, "the worker shuts down")
	}
	select {
	case g.slots <- struct{}{}:
		g.running++
		return place{g, true}, nil
	default:
	}
	if g.queued >= g.limit {
		g.counts.Refused++
		return place{}, refusal(planes.CodeOverloaded, retryAfter, fmt.Sprintf("%d handlers run and %d calls wait", g.running, g.queued))
	}
	g.queued++
	return place{g, false}, nil
}

func refusal(code planes.Code, after time.Duration, why string) *planes.Error {
	return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "accept", Reason: why, RetryAfter: after}
}

// wait waits for the handler's turn. leave must follow in every case.
func (p *place) wait(ctx context.Context) error {
	if p.held {
		return nil
	}
	select {
	case p.g.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.held = true
	p.g.mu.Lock()
	p.g.queued--
	p.g.running++
	p.g.mu.Unlock()
	return nil
}

// leave gives the place back.
func (p *place) leave() {
	g := p.g
	g.mu.Lock()
	if p.held {
		<-g.slots
		g.running--
		g.counts.Served++
	} else {
		g.queued--
	}
	if g.running+g.queued == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	g.mu.Unlock()
}

func (g *gate) drain() {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
}

// wait returns when nothing runs or waits, or with ctx's error.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.running+g.queued == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running + g.queued
}

func (g *gate) stat() Stat {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.counts
	s.Running, s.Queued = g.running, g.queued
	return s
}

func (g *gate) openFailed() {
	g.mu.Lock()
	g.counts.OpenFailed++
	g.mu.Unlock()
}
