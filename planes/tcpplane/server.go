package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// ServerConfig configures a Server. The zero value is usable.
type ServerConfig struct {
	// Group runs the connections; nil makes one with defaults, which the server
	// then closes. A given group stays open.
	Group *netpoll.Group
	// MaxConns is how many connections a group of the server's own accepts, further
	// ones are closed at once; 0 means 1000. A given group has its own limit.
	MaxConns int
	// Limits bounds each connection.
	Limits Limits
	// MaxHandlers is the number of goroutine handlers that run at once, over all
	// connections; 0 means 4096. Calls above it wait and are told their position.
	MaxHandlers int
	// MaxQueued is the number of calls that may wait; 0 means 4096, negative
	// none. Calls above it are refused with CodeOverloaded, the queue's length
	// and RetryAfter.
	MaxQueued int
	// RetryAfter is the advice to refused callers; 0 means 100 ms.
	RetryAfter time.Duration
	// BaseContext gives handlers' contexts their values; nil means Background.
	BaseContext context.Context //nolint:containedctx // configuration, as in net/http
	// Instance and Epoch are announced to peers; 0 says nothing.
	Instance, Epoch uint64
	// Logger gets one line per connection that ends with a fault; nil discards.
	Logger *slog.Logger
}

// Validate reports all wrong fields at once.
func (c ServerConfig) Validate() error {
	var errs []error
	if c.MaxHandlers < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: ServerConfig.MaxHandlers is %d; want 0 for 4096, or more", c.MaxHandlers))
	}
	if c.MaxConns < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: ServerConfig.MaxConns is %d; want 0 for 1000, or more", c.MaxConns))
	}
	if c.RetryAfter < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: ServerConfig.RetryAfter is %v; want 0 for 100 ms, or more", c.RetryAfter))
	}
	return errors.Join(append(errs, c.Limits.Validate())...)
}

func maxConns(n int) int {
	if n == 0 {
		return 1000
	}
	return n
}

// Server serves calls. Register routes first, then Serve any number of listeners.
// All methods are safe for concurrent use.
type Server struct {
	cfg    ServerConfig
	conns  *configs
	group  *netpoll.Group
	owned  bool
	log    *slog.Logger
	base   context.Context //nolint:containedctx // see ServerConfig.BaseContext
	routes routeTable
	gate   gate

	mu     sync.Mutex
	links  map[*link]struct{}
	serves map[*context.CancelFunc]struct{}
	closed bool
	past   mux.Stats // of connections that are gone
}

// NewServer returns a Server without routes. It does no I/O beyond starting the
// loops of its group.
func NewServer(cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, group: cfg.Group, log: cfg.Logger, base: cfg.BaseContext,
		links: make(map[*link]struct{}), serves: make(map[*context.CancelFunc]struct{}),
	}
	s.conns = cfg.Limits.configs(mux.Accepter, cfg.Instance, cfg.Epoch)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.base == nil {
		s.base = context.Background()
	}
	if s.cfg.RetryAfter == 0 {
		s.cfg.RetryAfter = 100 * time.Millisecond
	}
	s.gate.max, s.gate.maxQueued = cfg.MaxHandlers, cfg.MaxQueued
	if s.gate.max == 0 {
		s.gate.max = 4096
	}
	switch {
	case s.gate.maxQueued == 0:
		s.gate.maxQueued = 4096
	case s.gate.maxQueued < 0:
		s.gate.maxQueued = 0
	}
	if s.group == nil {
		g, err := netpoll.New(netpoll.Config{Logger: cfg.Logger, MaxConns: maxConns(cfg.MaxConns)})
		if err != nil {
			return nil, fmt.Errorf("tcpplane: start the loops: %w", err)
		}
		s.group, s.owned = g, true
	}
	return s, nil
}

// Serve accepts connections until ctx ends or the server is shut down, and closes
// ln. It returns ErrServerClosed in those cases.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(ErrServerClosed, ln.Close())
	}
	s.serves[&cancel] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.serves, &cancel)
		s.mu.Unlock()
	}()
	err := s.group.Serve(ctx, ln, s.accept)
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return ErrServerClosed
	}
	return err
}

func (s *Server) accept(*netpoll.Conn) (netpoll.Handler, error) {
	return newLink(s, mux.Accepter, s.log), nil
}

// Attach serves a connection that was accepted elsewhere, from its first byte on, and
// owns it from then on: after an error it is closed. It must not be called from a
// handler that runs on a loop.
func (s *Server) Attach(nc net.Conn) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return errors.Join(ErrServerClosed, nc.Close())
	}
	_, err := s.group.Attach(nc, newLink(s, mux.Accepter, s.log))
	return err
}

func (s *Server) config() *configs { return s.conns }

// opened notes a connection; one that comes too late is closed.
func (s *Server) opened(l *link) {
	s.mu.Lock()
	s.links[l] = struct{}{}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		l.close(errDraining)
	}
}

// closedLink forgets a connection, and logs once if it ended by a fault.
func (s *Server) closedLink(l *link, why *mux.ConnError) {
	st := l.stats()
	s.mu.Lock()
	delete(s.links, l)
	s.past = addStats(s.past, st)
	s.mu.Unlock()
	if why.Code != planes.CodeTransport && why.Code != planes.CodeDraining {
		s.log.Warn("connection ended by a fault", "peer", l.nc.RemoteAddr().String(), "code", why.Code.String(),
			"origin", why.Origin.String(), "reason", why.Reason)
	}
}

// Shutdown stops accepting, tells the peers, lets running calls finish and closes
// the connections. When ctx ends first, the calls that are left are cancelled and
// its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	left := time.Minute
	if t, ok := ctx.Deadline(); ok {
		left = time.Until(t)
	}
	links := s.stop()
	for _, l := range links {
		l.mu.Lock()
		l.sess.Drain(left, "the server shuts down")
		l.sess.GoAway("the server shuts down")
		l.mu.Unlock()
		l.wake()
	}
	var err error
	for _, l := range links {
		if e := l.waitIdle(ctx); e != nil {
			err = e
		}
		l.close(errDraining)
	}
	for _, l := range links {
		<-l.gone()
	}
	return errors.Join(err, s.closeGroup())
}

var errDraining = &mux.ConnError{Code: planes.CodeDraining, Reason: "the server shuts down"}

// Close closes all connections at once and cancels running calls.
func (s *Server) Close() error {
	links := s.stop()
	for _, l := range links {
		l.close(errDraining)
	}
	for _, l := range links {
		<-l.gone()
	}
	return s.closeGroup()
}

// stop ends all Serve calls and returns the connections that are open.
func (s *Server) stop() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for cancel := range s.serves {
		(*cancel)()
	}
	links := make([]*link, 0, len(s.links))
	for l := range s.links {
		links = append(links, l)
	}
	return links
}

func (s *Server) closeGroup() error {
	s.gate.close()
	if !s.owned {
		return nil
	}
	return s.group.Close()
}
