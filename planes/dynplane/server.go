package dynplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
	"github.com/wireplane/wireplane/planes/internal/reqpath"
)

// ServerConfig configures a Server. With neither Listener nor Addr it serves only what
// Attach gives it.
type ServerConfig struct {
	// Listener is served and closed; nil means that Addr is listened at.
	Listener net.Listener
	// Addr is "host:port" to listen at if there is no Listener; "" listens nowhere.
	Addr string
	// AdvertiseHost is the host of the addresses that are given out; "" means the
	// listener's, or a detected one if that is a wildcard.
	AdvertiseHost string
	// Revision of the frames: 1 for v0.7, 2 since January 2026; 0 means 2.
	Revision uint8
	// MaxMessageBytes is the largest whole frame; 0 means 32 MiB.
	MaxMessageBytes int
	// MaxConns is how many connections are open, further ones are closed at once; 0
	// means 1000.
	MaxConns int
	// FrameTimeout is how long a frame may take to arrive once it has begun, and acks
	// to be taken; 0 means 30 s. Between frames a connection may be silent for ever.
	FrameTimeout time.Duration
	// Logger gets one line per connection that ends with a fault; nil discards.
	Logger *slog.Logger
}

// Server is the worker's side. All methods are safe for concurrent use.
type Server struct {
	cfg    ServerConfig
	ln     net.Listener
	limits dynwire.Limits
	paths  reqpath.Table
	disp   atomic.Pointer[planes.Dispatcher]
	ready  chan struct{}
	once   sync.Once       // of ready
	ctx    context.Context //nolint:containedctx // of all requests, which belong to no call
	cancel context.CancelFunc
	done   chan struct{} // closed by Shutdown
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

var _ planes.RequestServer = (*Server)(nil)

// NewServer listens, and returns a server that refuses all requests until Serve.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Revision > 2 || cfg.MaxMessageBytes < 0 || cfg.MaxConns < 0 || cfg.FrameTimeout < 0 {
		return nil, fmt.Errorf("dynplane: ServerConfig with revision %d, MaxMessageBytes %d, MaxConns %d, FrameTimeout %v; want revision 1 or 2 and nothing negative, 0 for the defaults",
			cfg.Revision, cfg.MaxMessageBytes, cfg.MaxConns, cfg.FrameTimeout)
	}
	or(&cfg.Revision, 2)
	or(&cfg.MaxMessageBytes, 32<<20)
	or(&cfg.MaxConns, 1000)
	or(&cfg.FrameTimeout, 30*time.Second)
	or(&cfg.Logger, slog.New(slog.DiscardHandler))
	s := &Server{
		cfg: cfg, ln: cfg.Listener, limits: dynwire.Limits{MaxMessage: uint64(cfg.MaxMessageBytes)},
		done: make(chan struct{}), ready: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	if s.ln == nil && cfg.Addr != "" {
		var err error
		if s.ln, err = net.Listen("tcp", cfg.Addr); err != nil {
			return nil, fmt.Errorf("dynplane: %w", err)
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Address returns the address of a route: host, port and, as the path, the instance in
// hex and the route. Without a listener it is the zero Address.
func (s *Server) Address(route string, instance uint64) planes.Address {
	if s.ln == nil {
		return planes.Address{}
	}
	host, port := reqpath.Advertised(s.ln.Addr(), s.cfg.AdvertiseHost)
	return planes.Address{Kind: planes.AddressTCP, Host: host, Port: port, Path: s.Path(route, instance)}
}

// Path returns the path of Address, and makes callers that use it find the route.
func (s *Server) Path(route string, instance uint64) string { return s.paths.Path(route, instance) }

// Ready is closed once Serve takes requests (planes.Readier).
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Serve hands requests to d until ctx ends or the server is shut down. The connections
// stay until Shutdown.
func (s *Server) Serve(ctx context.Context, d planes.Dispatcher) error {
	s.disp.Store(&d)
	s.once.Do(func() { close(s.ready) })
	if s.ln == nil {
		select {
		case <-ctx.Done():
		case <-s.done:
		}
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = s.ln.Close() })()
	wait := 5 * time.Millisecond
	for {
		nc, err := s.ln.Accept()
		switch {
		case err == nil:
			wait = 5 * time.Millisecond
			_ = s.Attach(nc)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default: // such as too many files: it may pass
			s.cfg.Logger.Warn("accept failed", "err", err, "retry", wait.String())
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			case <-s.done:
			}
			wait = min(2*wait, time.Second)
		}
	}
}

// Attach serves a connection that was accepted elsewhere, and owns it: beyond MaxConns
// and after Shutdown it is closed, and an error returned.
func (s *Server) Attach(nc net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.cfg.MaxConns {
		_ = nc.Close()
		return fmt.Errorf("dynplane: %d connections are open, or the server is shut down", len(s.conns))
	}
	s.conns[nc] = struct{}{}
	s.wg.Go(func() {
		err := s.serve(nc)
		_ = nc.Close()
		s.mu.Lock()
		delete(s.conns, nc)
		s.mu.Unlock()
		if err != nil {
			s.cfg.Logger.Warn("connection ended by a fault", "peer", nc.RemoteAddr().String(), "err", err)
		}
	})
	return nil
}

// Shutdown takes no new requests and closes every connection once the requests that
// have arrived are answered; when ctx ends first, at once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		if s.ln != nil {
			_ = s.ln.Close()
		}
	}
	for nc := range s.conns {
		_ = nc.SetReadDeadline(time.Unix(1, 0)) // whoever waits for bytes goes
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() { s.wg.Wait(); close(gone) }()
	defer s.cancel()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for nc := range s.conns {
		_ = nc.Close()
	}
	s.mu.Unlock()
	<-gone
	return ctx.Err()
}

// readAhead is what is read at once. The memory of a connection is at most twice what
// has arrived of a frame and this, whatever length the frame claims.
const readAhead = 64 << 10

// serve reads requests and writes their acks in order, those of what arrived together
// at once. It returns nil when the peer or Shutdown ended the connection between frames.
func (s *Server) serve(nc net.Conn) error {
	var in, out []byte
	var begun time.Time // of the frame that is inside in
	for {
		rest, acks, fault := s.frames(in, out)
		if len(rest) < len(in) {
			begun = time.Time{}
		}
		if len(acks) > 0 {
			_ = nc.SetWriteDeadline(time.Now().Add(s.cfg.FrameTimeout))
			if _, err := nc.Write(acks); err != nil {
				return err
			}
		}
		if fault != nil {
			return fault
		}
		if out = acks[:0]; cap(out) > readAhead {
			out = nil
		}
		in = in[:copy(in, rest)]
		if len(in) == 0 && cap(in) > 4*readAhead {
			in = nil // what a large frame needed
		}
		in = slices.Grow(in, readAhead)
		if len(in) > 0 && begun.IsZero() {
			begun = time.Now()
		}
		if err := s.await(nc, begun); err != nil {
			return nil //nolint:nilerr // shut down
		}
		n, err := nc.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		switch {
		case n > 0:
		case err != nil && len(in) > 0 && !s.down():
			return fmt.Errorf("inside a frame, after %d bytes: %w", len(in), err)
		case err != nil:
			return nil
		}
	}
}

func (s *Server) down() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// await sets the deadline of the next read, unless the server is shut down.
func (s *Server) await(nc net.Conn, begun time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	var t time.Time
	if !begun.IsZero() {
		t = begun.Add(s.cfg.FrameTimeout)
	}
	return nc.SetReadDeadline(t)
}

// frames takes the whole frames of in and appends their acks to out. A frame that is
// none is answered as well, so that its sender is not left waiting, and is the last.
func (s *Server) frames(in, out []byte) (rest, acks []byte, fault error) {
	for {
		var m dynwire.Request
		n, err := m.Decode(in, &s.limits, s.cfg.Revision)
		var bad *codec.Error
		switch {
		case errors.As(err, &bad):
			return nil, appendAck(out, "Server unavailable: malformed request frame"), fmt.Errorf("malformed request frame: %w", err)
		case err != nil: // more bytes are needed
			return in, out, nil
		}
		out = appendAck(out, s.take(&m))
		in = in[n:]
	}
}

func appendAck(out []byte, reason string) []byte {
	m := dynwire.Ack{Reason: []byte(reason)}
	out, _ = m.Append(out) // it refuses only what is larger than 4 GiB
	return out
}

// take hands a request to the dispatcher and returns why it was rejected, or "".
func (s *Server) take(m *dynwire.Request) string {
	d := s.disp.Load()
	if d == nil {
		return "Server unavailable: not serving yet"
	}
	path := string(m.Path)
	route, ok := s.route(path, (*d).Routes())
	if !ok {
		return "Server unavailable: unknown endpoint " + path
	}
	env, _, err := envelope.Decode(m.Payload, s.cfg.MaxMessageBytes)
	if err != nil {
		return fmt.Sprintf("Server unavailable: %.500s", err)
	}
	env.Request.Route = route
	var headers map[string]string
	if json.Unmarshal(m.Headers, &headers) == nil {
		envelope.Apply(env.Request, func(name string) string { return headers[name] })
	}
	err = (*d).Accept(s.ctx, env)
	switch planes.CodeOf(err) { //nolint:exhaustive // the wire has no more than these
	case planes.CodeOK:
		return ""
	case planes.CodeOverloaded:
		return "Server overloaded: worker at capacity"
	case planes.CodeNotFound:
		return "Server unavailable: unknown endpoint " + path
	}
	return fmt.Sprintf("Server unavailable: %.500s", err)
}

// route finds the route of a path: one of our own paths, the bare route, or one whose
// last segment is the route.
func (s *Server) route(path string, routes []string) (string, bool) {
	last := path[strings.LastIndexByte(path, '/')+1:]
	for _, r := range []string{s.paths.Route(path), path, last} {
		if slices.Contains(routes, r) {
			return r, true
		}
	}
	return "", false
}
