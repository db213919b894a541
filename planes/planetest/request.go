package planetest

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/wireplane/wireplane/planes"
)

// Client is the router's side of the request transport. It makes no connections, so
// there is nothing to bound.
type Client struct{ net *Network }

var (
	_ planes.RequestClient = (*Client)(nil)
	_ planes.Exchanger     = (*Client)(nil)
	_ planes.RequestServer = (*Server)(nil)
)

// Client returns a client of the network's workers.
func (n *Network) Client() *Client { return &Client{n} }

// Close implements planes.RequestClient.
func (c *Client) Close() error { return nil }

// Send implements planes.RequestClient.
func (c *Client) Send(ctx context.Context, to planes.Address, env *planes.Envelope) error {
	route := routeOf(to, env.Request)
	s, refused, _ := c.reach(ctx, to, route)
	if refused != nil {
		return refused
	}
	defer s.leave()
	if f := c.net.fault(StageSend, to.Host, route); f.Lose {
		return lost("send", route, to.String(), "the connection broke before the answer")
	}
	named, req := *env, *env.Request
	named.Request, req.Route = &req, route
	err := s.to.Accept(ctx, &named)
	f := c.net.fault(StageAck, to.Host, route)
	f.pause(ctx)
	switch {
	case f.Lose:
		return lost("send", route, to.String(), "the connection broke before the answer")
	case err != nil:
		e := told(err)
		e.Op, e.Route, e.Target = "send", route, to.String()
		return e
	}
	return nil
}

// Exchange implements planes.Exchanger.
func (c *Client) Exchange(ctx context.Context, to planes.Address, req *planes.Request) (planes.StreamReader, error) {
	route := routeOf(to, req)
	p := c.net.newPipe(to.Host, route, to.String(), c.net.fault(StageAnswer, to.Host, route))
	fail := func(e *planes.Error, late bool) (planes.StreamReader, error) {
		p.kill(e)
		if late {
			return p, nil
		}
		_ = p.Close()
		return nil, e
	}
	s, refused, late := c.reach(ctx, to, route)
	if refused != nil {
		return fail(refused, late)
	}
	if f := c.net.fault(StageSend, to.Host, route); f.Lose {
		s.leave()
		return fail(lost("call", route, to.String(), "the connection broke before the answer"), f.Late)
	}
	own := *req
	own.Route, own.Payload, own.Headers = route, bytes.Clone(req.Payload), slices.Clone(req.Headers)
	run, cancel := context.WithCancelCause(context.Background())
	p.onControl = func(why *planes.Error) { cancel(why) }
	go s.serve(run, cancel, p, &own)
	p.govern(ctx)
	if f := c.net.fault(StageAck, to.Host, route); f.Lose {
		return fail(lost("call", route, to.String(), "the connection broke before the answer"), f.Late)
	}
	return p, nil
}

// routeOf returns the route that the address names, or else the request's own.
func routeOf(to planes.Address, req *planes.Request) string {
	if to.Path != "" {
		return to.Path
	}
	return req.Route
}

// reach finds the worker at an address and waits until it serves. leave must follow.
func (c *Client) reach(ctx context.Context, to planes.Address, route string) (s *Server, refused *planes.Error, late bool) {
	f := c.net.fault(StageDial, to.Host, route)
	f.pause(ctx)
	c.net.mu.Lock()
	s = c.net.servers[to.Host]
	c.net.mu.Unlock()
	if f.Lose || s == nil {
		return nil, unreached("dial", route, to.String(), "nobody is there"), f.Late
	}
	select {
	case <-s.ready:
	case <-s.closed:
		return nil, unreached("dial", route, to.String(), "nobody is there"), f.Late
	case <-ctx.Done():
		return nil, gaveUp(ctx, planes.PhaseNotStarted, "dial", route, to.String()), f.Late
	}
	if !s.enter() {
		return nil, &planes.Error{Code: planes.CodeDraining, Phase: planes.PhaseNotStarted, Origin: planes.OriginPeer, Op: "call",
			Route: route, Target: to.String(), Reason: "the worker shuts down"}, f.Late
	}
	return s, nil, false
}

// Server is the worker's side of the request transport.
type Server struct {
	net    *Network
	host   string
	to     planes.Dispatcher // set before ready is closed
	ready  chan struct{}
	closed chan struct{}

	mu       sync.Mutex
	serving  bool
	draining bool
	over     bool
	running  int
	idle     chan struct{} // closed when nothing runs while draining
}

// Listen makes a host reachable, in place of one that had its name.
func (n *Network) Listen(host string) *Server {
	s := &Server{net: n, host: host, ready: make(chan struct{}), closed: make(chan struct{}), idle: make(chan struct{})}
	n.mu.Lock()
	n.servers[host] = s
	n.mu.Unlock()
	return s
}

// Address implements planes.RequestServer. It has a kind of its own no more than other
// transports of third parties; a client of this network reads Host and Path.
func (s *Server) Address(route string, _ uint64) planes.Address {
	return planes.Address{Kind: planes.AddressTCP, Host: s.host, Port: 1, Path: route}
}

// Serve implements planes.RequestServer.
func (s *Server) Serve(ctx context.Context, d planes.Dispatcher) error {
	s.mu.Lock()
	if !s.serving {
		s.serving, s.to = true, d
		close(s.ready)
	}
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-s.closed:
	}
	s.close()
	return nil
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.running++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 && s.draining {
		close(s.idle)
	}
}

// serve answers one call in its own exchange.
func (s *Server) serve(ctx context.Context, cancel context.CancelCauseFunc, p *pipe, req *planes.Request) {
	defer s.leave()
	defer cancel(nil)
	if req.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, req.Timeout)
		defer stop()
	}
	err := error(planes.Errorf(planes.CodeInternal, "the handler ended its goroutine"))
	defer func() { _ = p.End(err) }()
	err = s.to.ServeCall(ctx, req, writer{p})
}

// writer is the handler's end of a pipe, which waits for nothing but the stream.
type writer struct{ p *pipe }

// Send implements planes.ResponseWriter.
func (w writer) Send(item []byte) error { return w.p.Send(context.Background(), item) }

// Shutdown implements planes.RequestServer.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if s.running == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.close()
	return err
}

// close makes the host unreachable, once.
func (s *Server) close() {
	s.net.mu.Lock()
	if s.net.servers[s.host] == s {
		delete(s.net.servers, s.host)
	}
	s.net.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	close(s.closed)
	if !s.draining {
		s.draining = true
		if s.running == 0 {
			close(s.idle)
		}
	}
}
