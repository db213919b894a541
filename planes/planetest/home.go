package planetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// What a Home takes: maxWaiting answers that have not begun, each for up to patience.
const (
	maxWaiting = 10_000
	patience   = 10 * time.Second
)

var (
	_ planes.ResponseServer = (*Home)(nil)
	_ planes.ResponseClient = (*Caller)(nil)
)

// Home is the router's side of the response transport: where workers call home to. At
// most 10,000 answers may wait to begin, each for up to 10 s after the request was taken.
type Home struct {
	net  *Network
	name string

	mu      sync.Mutex
	waiting map[string]*pending
	closed  bool
}

// Home makes a router reachable, in place of one that had its name.
func (n *Network) Home(name string) *Home {
	h := &Home{net: n, name: name, waiting: make(map[string]*pending)}
	n.mu.Lock()
	n.homes[name] = h
	n.mu.Unlock()
	return h
}

// info is the ConnectionInfo.Info of this transport.
type info struct {
	Home string `json:"home"`
	ID   string `json:"id"`
}

// Expect implements planes.ResponseServer.
func (h *Home) Expect(_ context.Context, x planes.Expectation) (planes.Pending, error) {
	p := &pending{home: h, x: x, answered: make(chan *pipe, 1), gone: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, unreached("expect", x.Route, x.Target, "the response server is closed")
	case len(h.waiting) >= maxWaiting:
		return nil, &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, Op: "expect", Route: x.Route, Target: x.Target,
			Reason: fmt.Sprintf("%d answers wait to begin", maxWaiting)}
	case h.waiting[x.ID] != nil:
		return nil, &planes.Error{Code: planes.CodeInternal, Phase: planes.PhaseNotStarted, Op: "expect", Route: x.Route, Target: x.Target,
			Reason: "a request of that id waits already"}
	}
	h.waiting[x.ID] = p
	return p, nil
}

// take gives an expectation to the worker that comes for it, once.
func (h *Home) take(id string) *pending {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.waiting[id]
	delete(h.waiting, id)
	return p
}

// Close implements planes.ResponseServer.
func (h *Home) Close() error {
	h.net.mu.Lock()
	if h.net.homes[h.name] == h {
		delete(h.net.homes, h.name)
	}
	h.net.mu.Unlock()
	h.mu.Lock()
	waiting := h.waiting
	h.waiting, h.closed = nil, true
	h.mu.Unlock()
	for _, p := range waiting {
		p.end()
	}
	return nil
}

// pending is an answer that was asked for.
type pending struct {
	home     *Home
	x        planes.Expectation
	answered chan *pipe    // the stream, once it has begun or was refused
	gone     chan struct{} // closed when nobody waits any more
	once     sync.Once
}

func (p *pending) end() { p.once.Do(func() { close(p.gone) }) }

// Reply implements planes.Pending.
func (p *pending) Reply() planes.ConnectionInfo {
	b, err := json.Marshal(info{p.home.name, p.x.ID})
	if err != nil {
		panic(err) // two strings
	}
	return planes.ConnectionInfo{Transport: HomeReply, Info: string(b)}
}

// Accept implements planes.Pending.
func (p *pending) Accept(ctx context.Context) (planes.StreamReader, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err *planes.Error
	select {
	case s := <-p.answered:
		if err := s.refusal(); err != nil {
			return nil, err
		}
		s.govern(ctx)
		return s, nil
	case <-ctx.Done():
		err = gaveUp(ctx, planes.PhaseMaybe, "accept", p.x.Route, p.x.Target)
	case <-timer.C:
		err = lost("accept", p.x.Route, p.x.Target, "the worker has not called home")
	case <-p.gone:
		err = lost("accept", p.x.Route, p.x.Target, "the response server is closed")
	}
	p.Cancel()
	return nil, err
}

// Cancel implements planes.Pending.
func (p *pending) Cancel() {
	p.home.take(p.x.ID)
	p.end()
	select {
	case s := <-p.answered:
		_ = s.Close()
	default:
	}
}

// Caller is the worker's side of the response transport.
type Caller struct {
	net  *Network
	host string
}

// Caller returns the response client of a worker's host.
func (n *Network) Caller(host string) *Caller { return &Caller{n, host} }

// Close implements planes.ResponseClient.
func (c *Caller) Close() error { return nil }

// Open implements planes.ResponseClient.
func (c *Caller) Open(ctx context.Context, env *planes.Envelope) (planes.StreamWriter, error) {
	var to info
	route := env.Request.Route
	if err := json.Unmarshal([]byte(env.Reply.Info), &to); err != nil {
		return nil, &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseNotStarted, Origin: planes.OriginPeer, Op: "call home", Route: route,
			Reason: "connection info that cannot be read", Err: err}
	}
	f := c.net.fault(StageHome, to.Home, route)
	f.pause(ctx)
	c.net.mu.Lock()
	h := c.net.homes[to.Home]
	c.net.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, gaveUp(ctx, planes.PhaseNotStarted, "call home", route, to.Home)
	case f.Lose || h == nil:
		return nil, unreached("call home", route, to.Home, "nobody is there")
	}
	p := h.take(to.ID)
	if p == nil {
		return nil, &planes.Error{Code: planes.CodeRefused, Phase: planes.PhaseNotStarted, Origin: planes.OriginPeer, Op: "call home", Route: route,
			Target: to.Home, Reason: "nobody waits for this answer"}
	}
	s := c.net.newPipe(c.host, route, p.x.Target, c.net.fault(StageAnswer, c.host, route))
	var begun atomic.Bool
	s.onBegin = func() {
		if !begun.CompareAndSwap(false, true) {
			return
		}
		p.answered <- s
		select {
		case <-p.gone: // given up meanwhile: whoever takes it out, closes it
			p.Cancel()
		default:
		}
	}
	return s, nil
}
