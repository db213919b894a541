package tcpplane_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// pair starts a server with the test routes, and a client of it, on one driver.
func pair(t testing.TB, d netpoll.Driver, sc tcpplane.ServerConfig, cc tcpplane.ClientConfig) (*tcpplane.Server, *tcpplane.Client) {
	t.Helper()
	g, err := netpoll.New(netpoll.Config{Driver: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	sc.Group, cc.Group = g, g
	s, err := tcpplane.NewServer(sc)
	if err != nil {
		t.Fatal(err)
	}
	routes(s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, tcpplane.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	cc.Addr = ln.Addr().String()
	c, err := tcpplane.NewClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

func routes(s *tcpplane.Server) {
	s.HandleInline("echo", func(req *planes.Request, dst []byte) ([]byte, error) { return append(dst, req.Payload...), nil })
	s.HandleInline("fail", func(req *planes.Request, dst []byte) ([]byte, error) {
		return nil, planes.Errorf(planes.CodeDenied, "not you, %s", req.Payload)
	})
	s.HandleInline("panic", func(*planes.Request, []byte) ([]byte, error) { panic("inline") })
	s.HandleUnary("slow-echo", func(_ context.Context, req *planes.Request, dst []byte) ([]byte, error) {
		return append(dst, req.Payload...), nil
	})
	s.HandleUnary("wait", func(ctx context.Context, _ *planes.Request, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.HandleFunc("count", func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
		var n int
		if _, err := fmt.Sscan(string(req.Payload), &n); err != nil {
			return planes.Errorf(planes.CodeRefused, "not a number: %q", req.Payload)
		}
		for i := range n {
			if err := w.Send(fmt.Appendf(nil, "item %d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	s.HandleFunc("tokens", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		item := make([]byte, 64)
		for range 256 {
			if err := w.Send(item); err != nil {
				return err
			}
		}
		return nil
	})
	s.HandleFunc("item-then-fail", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		return errors.Join(w.Send([]byte("x")), errors.New("the engine broke"))
	})
	s.HandleFunc("burst-then-fail", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		for range 3 {
			if err := w.Send([]byte("x")); err != nil {
				return err
			}
		}
		return errors.New("the engine broke")
	})
}

func drivers(t *testing.T, f func(t *testing.T, d netpoll.Driver)) {
	t.Helper()
	for _, d := range []netpoll.Driver{netpoll.DriverLoop, netpoll.DriverNet} {
		t.Run(d.String(), func(t *testing.T) { f(t, d) })
	}
}

func TestCallsAndStreams(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		_, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, route := range []string{"echo", "slow-echo"} {
			for _, size := range []int{0, 1, 64, 5000, 70_000, 3 << 20} {
				want := strings.Repeat("a", size)
				got, err := c.Call(ctx, &planes.Request{Route: route, Payload: []byte(want)}, nil)
				if err != nil || string(got) != want {
					t.Fatalf("%s of %d bytes: %d bytes, %v", route, size, len(got), err)
				}
			}
		}
		for _, n := range []int{0, 1, 256, 20_000} {
			st, err := c.Stream(ctx, &planes.Request{Route: "count", Payload: fmt.Append(nil, n)})
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			for item, err := range st.All(ctx) {
				if err != nil || string(item) != fmt.Sprintf("item %d", i) {
					t.Fatalf("item %d of %d: %q, %v", i, n, item, err)
				}
				i++
			}
			if i != n {
				t.Fatalf("%d items of %d", i, n)
			}
		}
	})
}

func TestErrorsSayWhatHappened(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		_, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		bg := context.Background()
		cases := []struct {
			name, route string
			ctx         time.Duration // the context's, 0: none
			timeout     time.Duration // the request's
			code        planes.Code
			phase       planes.Phase
			reason      string
		}{
			{"unknown route", "nowhere", 0, 0, planes.CodeNotFound, planes.PhaseNotStarted, "nowhere"},
			{"handler's own error", "fail", 0, 0, planes.CodeDenied, planes.PhaseStarted, "not you, me"},
			{"inline panic", "panic", 0, 0, planes.CodeInternal, planes.PhaseStarted, "panicked"},
			{"handler's error behind an item", "item-then-fail", 0, 0, planes.CodeHandler, planes.PhaseStarted, "the engine broke"},
			{"request's timeout", "wait", 0, 20 * time.Millisecond, planes.CodeDeadline, planes.PhaseStarted, "deadline"},
			{"context's deadline", "wait", 20 * time.Millisecond, 0, planes.CodeDeadline, planes.PhaseStarted, "deadline"},
		}
		for _, tc := range cases {
			ctx, cancel := bg, context.CancelFunc(func() {})
			if tc.ctx != 0 {
				ctx, cancel = context.WithTimeout(bg, tc.ctx)
			}
			_, err := c.Call(ctx, &planes.Request{Route: tc.route, Payload: []byte("me"), Timeout: tc.timeout}, nil)
			cancel()
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != tc.code || e.Phase != tc.phase || !strings.Contains(e.Error(), tc.reason) {
				t.Errorf("%s: %v; want %v, %v, %q", tc.name, err, tc.code, tc.phase, tc.reason)
			}
		}
		st, err := c.Stream(bg, &planes.Request{Route: "burst-then-fail"})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; err == nil; n++ {
			_, err = st.Recv(bg)
		}
		var e *planes.Error
		if n != 4 || !errors.As(err, &e) || e.Items != 3 || errors.Is(err, io.EOF) {
			t.Errorf("after %d items: %v", n-1, err)
		}
	})
}

func contains(s, sub string) bool { return strings.Contains(s, sub) }
