package contend

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// readBufferBytes is what one read of an echo takes at most.
const readBufferBytes = 256 << 10

// GnetEcho is a framed echo on gnet's event loop, with the net client.
func GnetEcho() bench.Contender {
	return bench.Contender{
		Name:     "gnet",
		About:    "framed echo on gnet's event loop, answered inline; client over net",
		Handlers: []string{bench.Inline},
		NewServer: func(_ string, w bench.Workload) (bench.Server, error) {
			return newGnetServer(shapeOf(w))
		},
		NewClient: newMuxClient,
	}
}

// gnetServer accepts by itself and hands the connections to a gnet loop: as fast
// as gnet's own accepting, and it can serve any listener.
type gnetServer struct {
	gnet.BuiltinEventEngine
	shape  rawfloor.Shape
	engine *gnet.Client

	mu     sync.Mutex
	ln     net.Listener // guarded by mu
	closed bool         // guarded by mu
}

// quiet is a gnet logger that says nothing.
type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func newGnetServer(s rawfloor.Shape) (*gnetServer, error) {
	srv := &gnetServer{shape: s}
	var logger logging.Logger = quiet{}
	engine, err := gnet.NewClient(srv, gnet.WithLogger(logger), gnet.WithReadBufferCap(readBufferBytes),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay))
	if err != nil {
		return nil, fmt.Errorf("contend: gnet: %w", err)
	}
	srv.engine = engine
	return srv, nil
}

// Serve accepts until Close.
func (s *gnetServer) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.ln = ln
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ln.Close()
	}
	if err := s.engine.Start(); err != nil {
		return fmt.Errorf("contend: gnet: %w", err)
	}
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return s.stop()
		}
		if err != nil {
			return fmt.Errorf("contend: gnet: %w", err)
		}
		if _, err := s.engine.EnrollContext(c, newAnswerer(s.shape)); err != nil {
			return fmt.Errorf("contend: gnet: %w", err)
		}
	}
}

func (s *gnetServer) stop() error {
	if err := s.engine.Stop(); err != nil {
		return fmt.Errorf("contend: gnet: %w", err)
	}
	return nil
}

// Close makes Serve return.
func (s *gnetServer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil && !s.closed {
		_ = s.ln.Close()
	}
	s.closed = true
	return nil
}

// OnOpen binds the connection's write function: a method value allocates.
func (s *gnetServer) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	a, ok := c.Context().(*answerer)
	if !ok {
		return nil, gnet.Close
	}
	a.write = c.Write
	return nil, gnet.None
}

// OnTraffic answers the whole frames that have come in.
func (s *gnetServer) OnTraffic(c gnet.Conn) gnet.Action {
	a, ok := c.Context().(*answerer)
	if !ok {
		return gnet.Close
	}
	b, err := c.Peek(-1)
	if err != nil && !errors.Is(err, io.ErrShortBuffer) {
		return gnet.Close
	}
	used, err := a.answer(b)
	if err != nil {
		return gnet.Close
	}
	if used == 0 { // Discard takes 0 for everything
		return gnet.None
	}
	if _, err := c.Discard(used); err != nil {
		return gnet.Close
	}
	return gnet.None
}
