// Package tcpport is one TCP port for both request planes: it looks at the first byte of
// each connection and hands it to the multiplexed plane (tcpplane) or to the one of the
// released Dynamo runtime (dynplane). Whoever speaks something else is closed, with a log
// line that says what it looked like. It is a package of its own because neither plane
// needs the other.
package tcpport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/internal/reqpath"
	"github.com/wireplane/wireplane/planes/internal/sniff"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// Wire says which protocols a port takes.
type Wire string

// The wires.
const (
	Auto   Wire = "auto"
	Mux    Wire = "mux"
	Dynamo Wire = "dynamo"
)

// Config configures a Server. Every field but Addr and Listener has a usable zero value.
type Config struct {
	// Listener is served and closed; nil means that Addr is listened at.
	Listener net.Listener
	// Addr is "host:port" to listen at if there is no Listener; "" is an error then.
	Addr string
	// AdvertiseHost is the host of the addresses that are given out; "" means the
	// listener's, or a detected one if that is a wildcard.
	AdvertiseHost string
	// Wire says what is taken; "" means Auto: both.
	Wire Wire
	// PeekTimeout is how long a new connection may send nothing; 0 means 10 s.
	PeekTimeout time.Duration
	// MaxPeeking is how many connections may have sent nothing yet, for a further one
	// the oldest of them is closed; 0 means 256.
	MaxPeeking int
	// Mux configures the multiplexed plane; the zero value is usable.
	Mux tcpplane.ServerConfig
	// Dynamo configures the released plane; Listener, Addr and AdvertiseHost of it are
	// not used. The zero value is usable.
	Dynamo dynplane.ServerConfig
	// Logger gets one line per connection that is turned away; nil discards.
	Logger *slog.Logger
}

// Server is a port. All methods are safe for concurrent use.
type Server struct {
	cfg    Config
	ln     net.Listener
	mux    *tcpplane.RequestServer
	dyn    *dynplane.Server
	ready  chan struct{}
	begin  sync.Once       // of ready
	ctx    context.Context //nolint:containedctx // of the peeks, which belong to no call
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	peeking []*newcomer // who has sent nothing yet, the oldest first; at most MaxPeeking
}

// newcomer is a connection that has sent nothing yet.
type newcomer struct{ giveUp context.CancelFunc }

var _ planes.RequestServer = (*Server)(nil)

// NewServer listens, and returns a server that refuses all calls until Serve.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Wire == "" {
		cfg.Wire = Auto
	}
	if cfg.PeekTimeout == 0 {
		cfg.PeekTimeout = 10 * time.Second
	}
	if cfg.MaxPeeking == 0 {
		cfg.MaxPeeking = 256
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Wire != Auto && cfg.Wire != Mux && cfg.Wire != Dynamo || cfg.PeekTimeout < 0 || cfg.MaxPeeking < 0 || cfg.Listener == nil && cfg.Addr == "" {
		return nil, fmt.Errorf("tcpport: Config with Wire %.20q, PeekTimeout %v, MaxPeeking %d, Addr %q; want auto, mux or dynamo, nothing negative, and a Listener or Addr",
			cfg.Wire, cfg.PeekTimeout, cfg.MaxPeeking, cfg.Addr)
	}
	cfg.Dynamo.Listener, cfg.Dynamo.Addr = nil, ""
	dyn, err := dynplane.NewServer(cfg.Dynamo)
	if err != nil {
		return nil, err
	}
	mux, err := tcpplane.NewRequestServer(tcpplane.RequestServerConfig{Server: cfg.Mux})
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, ln: cfg.Listener, mux: mux, dyn: dyn, ready: make(chan struct{})}
	if s.ln == nil {
		if s.ln, err = net.Listen("tcp", cfg.Addr); err != nil {
			return nil, errors.Join(fmt.Errorf("tcpport: %w", err), mux.Server().Close())
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Address returns the address of a route, the same for both planes.
func (s *Server) Address(route string, instance uint64) planes.Address {
	host, port := reqpath.Advertised(s.ln.Addr(), s.cfg.AdvertiseHost)
	s.dyn.Path(route, instance)
	return planes.Address{Kind: planes.AddressTCP, Host: host, Port: port, Path: s.mux.Path(route, instance)}
}

// Ready is closed once Serve takes requests (planes.Readier).
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Serve hands calls of both planes to d until ctx ends or the server is shut down. The
// connections stay until Shutdown.
func (s *Server) Serve(ctx context.Context, d planes.Dispatcher) error {
	ctx, cancel := context.WithCancel(ctx)
	var both sync.WaitGroup
	defer both.Wait()
	defer cancel()
	both.Go(func() { _ = s.mux.Serve(ctx, d) })
	both.Go(func() { _ = s.dyn.Serve(ctx, d) })
	<-s.mux.Ready() // neither blocks before that
	<-s.dyn.Ready()
	s.begin.Do(func() { close(s.ready) })
	defer context.AfterFunc(ctx, func() { _ = s.ln.Close() })()
	for {
		nc, err := s.ln.Accept()
		switch {
		case err == nil:
			s.admit(nc)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default: // such as too many files: it may pass
			s.cfg.Logger.Warn("accept failed", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// admit looks at a connection in a goroutine of its own.
func (s *Server) admit(nc net.Conn) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.PeekTimeout)
	n := &newcomer{cancel}
	s.mu.Lock()
	if len(s.peeking) >= s.cfg.MaxPeeking {
		// Who speaks does so at once, so the oldest is the least likely to.
		s.peeking[0].giveUp()
		s.peeking = slices.Delete(s.peeking, 0, 1)
		s.cfg.Logger.Warn("connection turned away: it has sent nothing yet, as too many have", "limit", s.cfg.MaxPeeking)
	}
	s.peeking = append(s.peeking, n)
	s.mu.Unlock()
	s.wg.Go(func() {
		first, same, err := sniff.Peek(ctx, nc, 1)
		cancel()
		s.mu.Lock()
		if i := slices.Index(s.peeking, n); i >= 0 {
			s.peeking = slices.Delete(s.peeking, i, i+1)
		}
		s.mu.Unlock()
		if err != nil {
			_ = same.Close()
			return
		}
		s.hand(same, first[0])
	})
}

func (s *Server) hand(nc net.Conn, first byte) {
	var err error
	switch looks := Looks(first); {
	case looks == Mux && s.cfg.Wire != Dynamo:
		err = s.mux.Attach(nc)
	case looks == Dynamo && s.cfg.Wire != Mux:
		err = s.dyn.Attach(nc)
	default:
		err = fmt.Errorf("it looks like %s; this port takes %s", looks, s.cfg.Wire)
		_ = nc.Close()
	}
	if err != nil {
		s.cfg.Logger.Warn("connection turned away", "peer", nc.RemoteAddr().String(), "err", err)
	}
}

// Looks says what a connection speaks by its first byte: Mux, Dynamo, or in words what
// else it may be.
func Looks(first byte) Wire {
	switch {
	case first == 0xf7:
		return Mux
	case first <= 4: // the length of a path of at most 1024 bytes
		return Dynamo
	case first == 0x16:
		return "TLS, though this port is plain TCP"
	case 'A' <= first && first <= 'Z', 'a' <= first && first <= 'z':
		return "HTTP or another text protocol"
	}
	return Wire(fmt.Sprintf("nothing known: its first byte is %#02x", first))
}

// Shutdown takes no new calls, lets those that run finish until ctx ends, and closes.
func (s *Server) Shutdown(ctx context.Context) error {
	_ = s.ln.Close()
	s.cancel()
	s.wg.Wait()
	var muxErr, dynErr error
	var both sync.WaitGroup
	both.Go(func() { muxErr = s.mux.Shutdown(ctx) })
	both.Go(func() { dynErr = s.dyn.Shutdown(ctx) })
	both.Wait()
	return errors.Join(muxErr, dynErr)
}
