package tcpplane_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// ticker serves streams that go on until the caller ends them, and says how each
// handler's context ended.
type ticker struct {
	started chan struct{}
	ended   chan error
}

func (k *ticker) ServeCall(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
	if err := w.Send([]byte("first")); err != nil {
		return err
	}
	k.started <- struct{}{}
	<-ctx.Done()
	k.ended <- ctx.Err()
	return ctx.Err()
}

func newTicker(s *tcpplane.Server) *ticker {
	k := &ticker{started: make(chan struct{}, 64), ended: make(chan error, 64)}
	s.Handle("ticker", k)
	return k
}

func wantCode(t *testing.T, err error, code planes.Code, phase planes.Phase) {
	t.Helper()
	var e *planes.Error
	if !errors.As(err, &e) || e.Code != code || e.Phase != phase {
		t.Errorf("got %v; want %v, phase %v", err, code, phase)
	}
}

// Each way in which a caller ends a stream reaches the handler, and the caller gets
// one terminal that says what it did.
func TestCallerEndsStream(t *testing.T) {
	cases := []struct {
		name string
		end  func(cancel func(), st *tcpplane.Stream)
		code planes.Code
	}{
		{"context", func(cancel func(), _ *tcpplane.Stream) { cancel() }, planes.CodeCancelled},
		{"Close", func(_ func(), st *tcpplane.Stream) { _ = st.Close() }, planes.CodeCancelled},
		{"Stop", func(_ func(), st *tcpplane.Stream) { st.Stop() }, planes.CodeCancelled},
	}
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		k := newTicker(s)
		for _, tc := range cases {
			ctx, cancel := context.WithCancel(context.Background())
			st, err := c.Stream(ctx, &planes.Request{Route: "ticker"})
			if err != nil {
				t.Fatal(err)
			}
			if item, err := st.Recv(ctx); err != nil || string(item) != "first" {
				t.Fatalf("%s: %q, %v", tc.name, item, err)
			}
			<-k.started
			tc.end(cancel, st)
			if err := <-k.ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the handler's context ended with %v", tc.name, err)
			}
			_, err = st.Recv(context.Background())
			wantCode(t, err, tc.code, planes.PhaseStarted)
			if _, again := st.Recv(context.Background()); !errors.Is(again, err) {
				t.Errorf("%s: a second terminal: %v after %v", tc.name, again, err)
			}
			cancel()
		}
	})
}

// The caller's cancel of a unary call reaches the handler too.
func TestCallCancelled(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		running, ended := make(chan struct{}), make(chan error, 1)
		s.HandleUnary("hold", func(ctx context.Context, _ *planes.Request, dst []byte) ([]byte, error) {
			close(running)
			<-ctx.Done()
			ended <- ctx.Err()
			return dst, nil
		})
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-running; cancel() }()
		_, err := c.Call(ctx, &planes.Request{Route: "hold"}, nil)
		var e *planes.Error
		if !errors.As(err, &e) || e.Code != planes.CodeCancelled || !errors.Is(err, context.Canceled) || planes.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
	})
}

// A lost connection ends its calls, with what is known about each, and the next call
// dials again.
func TestConnectionLoss(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		k := newTicker(s)
		bg := context.Background()
		st, err := c.Stream(bg, &planes.Request{Route: "ticker"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Recv(bg); err != nil {
			t.Fatal(err)
		}
		<-k.started
		tcpplane.CutClient(c)
		_, err = st.Recv(bg)
		wantCode(t, err, planes.CodeTransport, planes.PhaseStarted)
		var lost *planes.Error
		if errors.As(err, &lost) && lost.Scope != planes.ScopeConnection {
			t.Errorf("%v: the scope is %v", err, lost.Scope)
		}
		if err := <-k.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
		if got, err := c.Call(bg, &planes.Request{Route: "echo", Payload: []byte("again")}, nil); err != nil || string(got) != "again" {
			t.Errorf("after the loss: %q, %v", got, err)
		}
	})
}

func TestDialRefused(t *testing.T) {
	ln := testenv.Listen(t)
	addr := ln.Addr().String()
	_ = ln.Close()
	c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Call(context.Background(), &planes.Request{Route: "echo"}, nil)
	wantCode(t, err, planes.CodeTransport, planes.PhaseNotStarted)
	if !planes.SafeToRetry(err) {
		t.Errorf("%v should be safe to retry", err)
	}
}

// A server that accepts and says nothing costs a caller its own time, no more.
func TestSilentServer(t *testing.T) {
	ln := testenv.Listen(t)
	c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: ln.Addr().String(), DialTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Call(context.Background(), &planes.Request{Route: "echo", Timeout: 30 * time.Millisecond}, nil)
	wantCode(t, err, planes.CodeDeadline, planes.PhaseNotStarted)
	_, err = c.Call(context.Background(), &planes.Request{Route: "echo"}, nil)
	wantCode(t, err, planes.CodeTransport, planes.PhaseNotStarted)
}

// Calls above the handlers wait, calls above the queue are refused with advice.
func TestQueueAndOverload(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{MaxHandlers: 1, MaxQueued: 1, RetryAfter: 70 * time.Millisecond}, tcpplane.ClientConfig{})
	release, running := make(chan struct{}), make(chan struct{}, 8)
	s.HandleUnary("hold", func(_ context.Context, req *planes.Request, dst []byte) ([]byte, error) {
		running <- struct{}{}
		<-release
		return append(dst, req.Payload...), nil
	})
	bg := context.Background()
	var wg sync.WaitGroup
	call := func(payload string) {
		wg.Go(func() {
			if got, err := c.Call(bg, &planes.Request{Route: "hold", Payload: []byte(payload)}, nil); err != nil || string(got) != payload {
				t.Errorf("%s: %q, %v", payload, got, err)
			}
		})
	}
	call("first")
	<-running
	call("second")
	testenv.Eventually(t, 5*time.Second, "the second call is queued", func() bool { return s.Stats().Streams == 2 })
	_, err := c.Call(bg, &planes.Request{Route: "hold"}, nil)
	wantCode(t, err, planes.CodeOverloaded, planes.PhaseNotStarted)
	var e *planes.Error
	if errors.As(err, &e) && (e.RetryAfter != 70*time.Millisecond || !planes.SafeToRetry(err)) {
		t.Errorf("retry after %v, safe %v", e.RetryAfter, planes.SafeToRetry(err))
	}
	close(release)
	wg.Wait()
}

// A call that is cancelled while it waits for a handler never runs.
func TestCancelWhileQueued(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{MaxHandlers: 1}, tcpplane.ClientConfig{})
	release, running := make(chan struct{}), make(chan string, 8)
	s.HandleUnary("hold", func(_ context.Context, req *planes.Request, dst []byte) ([]byte, error) {
		running <- string(req.Payload)
		<-release
		return dst, nil
	})
	bg := context.Background()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Call(bg, &planes.Request{Route: "hold", Payload: []byte("first")}, nil); err != nil {
			t.Error(err)
		}
	})
	<-running
	_, err := c.Call(bg, &planes.Request{Route: "hold", Payload: []byte("second"), Timeout: 50 * time.Millisecond}, nil)
	wantCode(t, err, planes.CodeDeadline, planes.PhaseMaybe)
	// A call behind the reset on the same connection: once it is answered, the
	// server has taken the reset in.
	if _, err := c.Call(bg, &planes.Request{Route: "echo"}, nil); err != nil {
		t.Fatal(err)
	}
	close(release)
	wg.Wait()
	testenv.Eventually(t, 5*time.Second, "all slots are free", func() bool { return s.Stats().Streams == 0 })
	select {
	case who := <-running:
		t.Errorf("%s ran", who)
	default:
	}
}

// More callers than the server takes streams: they wait their turn, and one whose
// time is up while it waits has not started.
func TestMoreCallersThanStreams(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{Limits: tcpplane.Limits{MaxStreams: 4}}, tcpplane.ClientConfig{})
		bg := context.Background()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 20 {
					if got, err := c.Call(bg, &planes.Request{Route: "slow-echo", Payload: []byte("x")}, nil); err != nil || string(got) != "x" {
						t.Errorf("%q, %v", got, err)
						return
					}
				}
			})
		}
		wg.Wait()
		k := newTicker(s)
		for range 4 {
			st, err := c.Stream(bg, &planes.Request{Route: "ticker"})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			<-k.started
		}
		_, err := c.Call(bg, &planes.Request{Route: "echo", Timeout: 30 * time.Millisecond}, nil)
		wantCode(t, err, planes.CodeDeadline, planes.PhaseNotStarted)
	})
}

// Shutdown lets what runs finish and refuses what is new, as not started.
func TestShutdownDrains(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		running, release := make(chan struct{}), make(chan struct{})
		s.HandleFunc("held", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			close(running)
			<-release
			return w.Send([]byte("late"))
		})
		bg := context.Background()
		st, err := c.Stream(bg, &planes.Request{Route: "held"})
		if err != nil {
			t.Fatal(err)
		}
		<-running
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(testenv.Context(t, 10*time.Second)) }()
		testenv.Eventually(t, 5*time.Second, "new calls are refused", func() bool {
			_, err := c.Call(bg, &planes.Request{Route: "echo"}, nil)
			return err != nil && planes.SafeToRetry(err)
		})
		close(release)
		if item, err := st.Recv(bg); err != nil || string(item) != "late" {
			t.Errorf("%q, %v", item, err)
		}
		if _, err := st.Recv(bg); !errors.Is(err, io.EOF) {
			t.Errorf("end: %v", err)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// A shutdown that runs out of time cancels what is left, and says so.
func TestShutdownRunsOut(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	k := newTicker(s)
	st, err := c.Stream(context.Background(), &planes.Request{Route: "ticker"})
	if err != nil {
		t.Fatal(err)
	}
	<-k.started
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-k.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("handler: %v", err)
	}
	for err = nil; err == nil; {
		_, err = st.Recv(context.Background())
	}
	if errors.Is(err, io.EOF) {
		t.Errorf("a cut stream ended cleanly")
	}
}

// Values of the base context and the deadline reach the handler, and contexts
// derived from its own end with it.
func TestHandlerContext(t *testing.T) {
	type key struct{}
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{BaseContext: context.WithValue(context.Background(), key{}, "v")}, tcpplane.ClientConfig{})
	derived := make(chan context.Context, 1)
	s.HandleUnary("look", func(ctx context.Context, req *planes.Request, dst []byte) ([]byte, error) {
		child, cancel := context.WithCancel(ctx)
		_ = cancel
		derived <- child
		if t, ok := ctx.Deadline(); !ok || time.Until(t) > time.Minute {
			return nil, errors.New("no deadline")
		}
		if ctx.Value(key{}) != "v" || req.Header("a") != "b" || req.TraceState != "s=1" || req.Trace.Flags != 1 || req.CallID[0] != 7 {
			return nil, errors.New("request data is missing")
		}
		return dst, nil
	})
	_, err := c.Call(context.Background(), &planes.Request{
		Route: "look", Timeout: time.Minute, Headers: []planes.Header{{Name: "a", Value: "b"}}, TraceState: "s=1",
		Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}, CallID: [16]byte{7},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	child := <-derived
	select {
	case <-child.Done():
	case <-time.After(5 * time.Second):
		t.Error("a derived context outlived the call")
	}
}

func TestConfigProblemsAreAllReported(t *testing.T) {
	_, err := tcpplane.NewClient(tcpplane.ClientConfig{Conns: -1, DialTimeout: -1, Limits: tcpplane.Limits{MaxStreams: -2}})
	for _, want := range []string{"Addr", "Conns", "DialTimeout", "MaxStreams"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	_, err = tcpplane.NewServer(tcpplane.ServerConfig{MaxHandlers: -1, MaxConns: -1, RetryAfter: -1})
	for _, want := range []string{"MaxHandlers", "MaxConns", "RetryAfter"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// A handler that ends its goroutine ends its call, and its place goes on to others.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{MaxHandlers: 1}, tcpplane.ClientConfig{})
	s.HandleUnary("exit", func(context.Context, *planes.Request, []byte) ([]byte, error) {
		runtime.Goexit()
		return nil, nil
	})
	bg := context.Background()
	for range 3 {
		_, err := c.Call(bg, &planes.Request{Route: "exit"}, nil)
		wantCode(t, err, planes.CodeInternal, planes.PhaseStarted)
	}
	if got, err := c.Call(bg, &planes.Request{Route: "slow-echo", Payload: []byte("x")}, nil); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// A handler that ignores dst and returns memory of its own keeps that memory: nobody
// writes to it, whatever comes after.
func TestHandlersKeepTheirOwnMemory(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	const text = "a page that the handler holds for ever, and answers the first part of"
	page := []byte(text)
	s.HandleInline("page/inline", func(*planes.Request, []byte) ([]byte, error) { return page[:6], nil })
	s.HandleUnary("page/unary", func(context.Context, *planes.Request, []byte) ([]byte, error) { return page[:6], nil })
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 200 {
				route, want := []string{"page/inline", "echo", "page/unary", "slow-echo"}[i%4], "a page"
				if i%2 == 1 {
					want = "an answer that is longer than the page's first part"
				}
				got, err := c.Call(context.Background(), &planes.Request{Route: route, Payload: []byte(want)}, nil)
				if err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", route, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if string(page) != text {
		t.Errorf("the handler's page became %q", page)
	}
}

// A server with a group of its own accepts so many connections and no more.
func TestMaxConns(t *testing.T) {
	s, err := tcpplane.NewServer(tcpplane.ServerConfig{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	routes(s)
	ln := testenv.Listen(t)
	go func() { _ = s.Serve(context.Background(), ln) }()
	for i := range 3 {
		c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: ln.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Call(context.Background(), &planes.Request{Route: "echo", Timeout: 5 * time.Second}, nil)
		if i < 2 && err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		if i == 2 && !planes.SafeToRetry(err) {
			t.Errorf("the third connection: %v", err)
		}
	}
}
