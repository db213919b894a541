package contend

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// NetEcho is a framed echo with one goroutine for each connection over net.
func NetEcho() bench.Contender {
	return bench.Contender{
		Name:     "net",
		About:    "framed echo with a goroutine per connection over net; client over net",
		Handlers: []string{bench.Inline},
		NewServer: func(_ string, w bench.Workload) (bench.Server, error) {
			return &netServer{shape: shapeOf(w), conns: map[net.Conn]struct{}{}}, nil
		},
		NewClient: newMuxClient,
	}
}

// netServer has a goroutine for each connection, which reads, answers and reads
// again.
type netServer struct {
	shape rawfloor.Shape
	wg    sync.WaitGroup

	mu     sync.Mutex
	ln     net.Listener          // guarded by mu
	conns  map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu
}

// Serve accepts until Close, and returns when all connections are closed.
func (s *netServer) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.ln = ln
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ln.Close()
	}
	defer s.wg.Wait()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("contend: net: %w", err)
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() { s.conn(c) })
	}
}

// Close closes the listener and all connections.
func (s *netServer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.ln != nil {
		_ = s.ln.Close()
	}
	for c := range s.conns {
		_ = c.Close()
	}
	return nil
}

func (s *netServer) conn(c net.Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	a := newAnswerer(s.shape)
	a.write = c.Write
	buf := make([]byte, max(readBufferBytes, 2*s.shape.RequestBytes()))
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		used, err := a.answer(buf[:have])
		if err != nil {
			return
		}
		have = copy(buf, buf[used:have])
	}
}
