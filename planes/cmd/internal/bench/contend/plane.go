package contend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// Routes of the plane's server.
const (
	routeInline = "echo/inline"
	routeUnary  = "echo/unary"
	routeStream = "echo/stream"
)

// Plane is the multiplexed TCP plane with its defaults: handshake, deadlines, flow
// control, credit, totals and errors, none of it switched off. By default frames
// carry no checksums on loopback; PlaneSums is the same with them.
func Plane() bench.Contender {
	return plane(bench.Plane, "the multiplexed TCP plane with its default settings", tcpplane.Limits{})
}

// PlaneSums is Plane with checksums on header and body of every frame, as between hosts.
func PlaneSums() bench.Contender {
	return plane("wireplane-sums", "the same with checksums on every frame, as between hosts",
		tcpplane.Limits{Checksums: tcpplane.ChecksumOn})
}

func plane(name, about string, limits tcpplane.Limits) bench.Contender {
	return bench.Contender{
		Name:           name,
		About:          about,
		Handlers:       []string{bench.Inline, bench.Goroutine},
		StreamHandlers: []string{bench.Goroutine},
		NewServer: func(_ string, w bench.Workload) (bench.Server, error) {
			return newPlaneServer(limits, w)
		},
		NewClient: func(_ context.Context, addr, handler string, w bench.Workload) (bench.Client, error) {
			return newPlaneClient(limits, addr, handler, w)
		},
	}
}

// callTimeout is the deadline of each call, enforced at both ends.
const callTimeout = 10 * time.Second

type planeServer struct{ *tcpplane.Server }

func newPlaneServer(limits tcpplane.Limits, w bench.Workload) (bench.Server, error) {
	s, err := tcpplane.NewServer(tcpplane.ServerConfig{Limits: limits, MaxConns: max(1000, 2*w.Conns)})
	if err != nil {
		return nil, err
	}
	item := []byte(strings.Repeat("x", w.SizeBytes))
	s.HandleInline(routeInline, func(req *planes.Request, dst []byte) ([]byte, error) {
		return append(dst, req.Payload...), nil
	})
	s.HandleUnary(routeUnary, func(_ context.Context, req *planes.Request, dst []byte) ([]byte, error) {
		return append(dst, req.Payload...), nil
	})
	s.HandleFunc(routeStream, func(_ context.Context, _ *planes.Request, rw planes.ResponseWriter) error {
		for range w.StreamItems {
			if err := rw.Send(item); err != nil {
				return err
			}
		}
		return nil
	})
	return planeServer{s}, nil
}

// Serve serves until Close.
func (s planeServer) Serve(ln net.Listener) error {
	err := s.Server.Serve(context.Background(), ln)
	if errors.Is(err, tcpplane.ErrServerClosed) {
		return nil
	}
	return err
}

type planeClient struct {
	*tcpplane.Client
	w   bench.Workload
	req planes.Request // shared by all callers, who only read it
}

// newPlaneClient leaves the handler class to the route: the server has them all.
func newPlaneClient(limits tcpplane.Limits, addr, handler string, w bench.Workload) (bench.Client, error) {
	cl, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: addr, Conns: w.Conns, Limits: limits})
	if err != nil {
		return nil, err
	}
	c := &planeClient{Client: cl, w: w}
	c.req.Timeout = callTimeout
	switch {
	case w.StreamItems > 0:
		c.req.Route = routeStream
	case handler == bench.Goroutine:
		c.req.Route = routeUnary
	default:
		c.req.Route = routeInline
	}
	if w.StreamItems == 0 {
		c.req.Payload = []byte(strings.Repeat("x", w.SizeBytes))
	}
	if _, err := c.call(nil); err != nil { // connected from here on
		_ = cl.Close()
		return nil, err
	}
	return c, nil
}

// Run has one goroutine for each call in flight.
func (c *planeClient) Run(_ context.Context, m *bench.Meter) error {
	done := make(chan error, c.w.Inflight)
	for range c.w.Inflight {
		go func() {
			dst := make([]byte, 0, c.w.SizeBytes)
			done <- m.Loop(func() (int, error) { return c.call(dst) })
		}()
	}
	var errs []error
	for range c.w.Inflight {
		if err := <-done; err != nil {
			m.Stop() // the others need not go on
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// call makes one call of the workload, and checks that the answer is whole.
func (c *planeClient) call(dst []byte) (int, error) {
	ctx := context.Background() // the request's own timeout bounds the call
	if c.w.StreamItems == 0 {
		answer, err := c.Call(ctx, &c.req, dst[:0])
		if err != nil {
			return 0, err
		}
		if len(answer) != c.w.SizeBytes {
			return 0, fmt.Errorf("contend: %d bytes came back of %d", len(answer), c.w.SizeBytes)
		}
		return 1, nil
	}
	s, err := c.Stream(ctx, &c.req)
	if err != nil {
		return 0, err
	}
	items := 0
	for {
		item, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if len(item) != c.w.SizeBytes {
			return 0, fmt.Errorf("contend: an item of %d bytes, not %d", len(item), c.w.SizeBytes)
		}
		items++
	}
	if items != c.w.StreamItems {
		return 0, fmt.Errorf("contend: %d items came of %d", items, c.w.StreamItems)
	}
	return items, nil
}
