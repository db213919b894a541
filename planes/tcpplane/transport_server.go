package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
	"github.com/wireplane/wireplane/planes/internal/reqpath"
)

// RequestServerConfig configures a RequestServer. With neither Listener nor Addr it
// serves only what Attach gives it.
type RequestServerConfig struct {
	// Listener is served and closed; nil means that Addr is listened at.
	Listener net.Listener
	// Addr is "host:port" to listen at if there is no Listener; "" listens nowhere.
	Addr string
	// AdvertiseHost is the host of the addresses that are given out; "" means the
	// listener's, or a detected one if that is a wildcard.
	AdvertiseHost string
	// Server configures the plane; the zero value is usable.
	Server ServerConfig
}

// RequestServer is the worker's side of the plane as a request transport. All methods
// are safe for concurrent use.
type RequestServer struct {
	cfg   RequestServerConfig
	srv   *Server
	ln    net.Listener
	paths reqpath.Table
	limit int
	disp  atomic.Pointer[planes.Dispatcher]
	done  chan struct{}
	once  sync.Once
	ready chan struct{}
	begin sync.Once // of ready
}

// NewRequestServer listens, and returns a server that refuses all calls until Serve.
func NewRequestServer(cfg RequestServerConfig) (*RequestServer, error) {
	srv, err := NewServer(cfg.Server)
	if err != nil {
		return nil, err
	}
	s := &RequestServer{cfg: cfg, srv: srv, ln: cfg.Listener, limit: cfg.Server.Limits.MaxMessageBytes, done: make(chan struct{}), ready: make(chan struct{})}
	if s.limit == 0 {
		s.limit = 16 << 20
	}
	if s.ln == nil && cfg.Addr != "" {
		if s.ln, err = net.Listen("tcp", cfg.Addr); err != nil {
			return nil, errors.Join(fmt.Errorf("tcpplane: %w", err), srv.Close())
		}
	}
	srv.HandleAny(planes.HandlerFunc(s.handle))
	return s, nil
}

// Ready is closed once Serve takes requests (planes.Readier).
func (s *RequestServer) Ready() <-chan struct{} { return s.ready }

// Server returns the plane's server, on which routes of its own may be registered:
// they win over the dispatcher's.
func (s *RequestServer) Server() *Server { return s.srv }

// Attach serves a connection that was accepted elsewhere, and owns it.
func (s *RequestServer) Attach(nc net.Conn) error { return s.srv.Attach(nc) }

// Address returns the address of a route: host, port and, as the path, the instance in
// hex and the route. Without a listener it is the zero Address.
func (s *RequestServer) Address(route string, instance uint64) planes.Address {
	if s.ln == nil {
		return planes.Address{}
	}
	host, port := reqpath.Advertised(s.ln.Addr(), s.cfg.AdvertiseHost)
	return planes.Address{Kind: planes.AddressTCP, Host: host, Port: port, Path: s.Path(route, instance)}
}

// Path returns the path of Address, and makes callers that use it find the route.
func (s *RequestServer) Path(route string, instance uint64) string {
	return s.paths.Path(route, instance)
}

// Serve hands calls to d until ctx ends or the server is shut down. The connections
// stay until Shutdown.
func (s *RequestServer) Serve(ctx context.Context, d planes.Dispatcher) error {
	s.disp.Store(&d)
	s.begin.Do(func() { close(s.ready) })
	if s.ln == nil {
		select {
		case <-ctx.Done():
		case <-s.done:
		}
		return nil
	}
	if err := s.srv.Serve(ctx, s.ln); !errors.Is(err, ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown takes no new calls, lets those that run finish until ctx ends, and closes.
func (s *RequestServer) Shutdown(ctx context.Context) error {
	s.once.Do(func() {
		close(s.done)
		if s.ln != nil {
			_ = s.ln.Close()
		}
	})
	return s.srv.Shutdown(ctx)
}

// handle takes every call that has no route of its own.
func (s *RequestServer) handle(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
	d := s.disp.Load()
	if d == nil {
		return notTaken(&planes.Error{Code: planes.CodeDraining, Reason: "the worker does not serve yet"})
	}
	req.Route = s.paths.Route(req.Route)
	if req.Header(EnvelopeHeader) == "" {
		return (*d).ServeCall(ctx, req, w)
	}
	env, _, err := envelope.Decode(req.Payload, s.limit)
	if err != nil {
		return notTaken(err)
	}
	env.Request.Route = req.Route // the path may say it, the envelope's is for planes without
	env.Request.Trace, env.Request.TraceState = req.Trace, req.TraceState
	if err := (*d).Accept(ctx, env); err != nil {
		return notTaken(err)
	}
	return nil
}

// notTaken makes err a refusal: an envelope that is not accepted never runs.
func notTaken(err error) error {
	e := &planes.Error{Code: planes.CodeRefused, Reason: err.Error()}
	var had *planes.Error
	if errors.As(err, &had) && had != nil {
		same := *had
		e = &same
	}
	e.Phase = planes.PhaseNotStarted
	return e
}
