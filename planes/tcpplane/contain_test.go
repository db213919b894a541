package tcpplane_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// badError panics when it is asked for its text.
type badError struct{}

func (*badError) Error() string { panic("no text") }

// An error that cannot even be printed, such as a nil pointer that was returned as
// an error, fails its own call and nothing else.
func TestErrorsThatPanicAreContained(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		for name, bad := range map[string]error{"nil": (*planes.Error)(nil), "text": &badError{}} {
			s.HandleInline("inline-"+name, func(*planes.Request, []byte) ([]byte, error) { return nil, bad })
			s.HandleUnary("unary-"+name, func(context.Context, *planes.Request, []byte) ([]byte, error) { return nil, bad })
		}
		for _, route := range []string{"inline-nil", "inline-text", "unary-nil", "unary-text"} {
			_, err := c.Call(context.Background(), &planes.Request{Route: route, Timeout: 5 * time.Second}, nil)
			wantCode(t, err, planes.CodeInternal, planes.PhaseStarted)
		}
		if got, err := c.Call(context.Background(), &planes.Request{Route: "echo", Payload: []byte("x"), Timeout: 5 * time.Second}, nil); err != nil || string(got) != "x" {
			t.Errorf("the connection afterwards: %q, %v", got, err)
		}
	})
}

// What a handler learns when its connection is lost never says that it did not run.
func TestHandlerOfALostConnectionHasStarted(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	got := make(chan error, 1)
	s.HandleFunc("endless", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		for {
			if err := w.Send(make([]byte, 4096)); err != nil {
				got <- err
				return err
			}
		}
	})
	st, err := c.Stream(context.Background(), &planes.Request{Route: "endless"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Recv(context.Background()); err != nil {
		t.Fatal(err)
	}
	tcpplane.CutClient(c)
	err = <-got
	var e *planes.Error
	if !errors.As(err, &e) || e.Phase != planes.PhaseStarted || planes.SafeToRetry(err) {
		t.Errorf("Send returns %v", err)
	}
}

// Calls that wait for a handler when their connection is lost give their place in
// the queue to others.
func TestQueueForgetsLostConnections(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{MaxHandlers: 1, MaxQueued: 2}, tcpplane.ClientConfig{})
	release, running := make(chan struct{}), make(chan struct{}, 8)
	s.HandleUnary("hold", func(_ context.Context, _ *planes.Request, dst []byte) ([]byte, error) {
		running <- struct{}{}
		<-release
		return dst, nil
	})
	first, err := c.Stream(context.Background(), &planes.Request{Route: "hold"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	<-running
	other, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: tcpplane.AddrOf(c)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for range 2 {
		st, err := other.Stream(context.Background(), &planes.Request{Route: "hold"})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
	}
	testenv.Eventually(t, 5*time.Second, "both are queued", func() bool { return s.Stats().Streams == 3 })
	tcpplane.CutClient(other)
	testenv.Eventually(t, 5*time.Second, "the connection is lost", func() bool { return s.Stats().Connections == 1 })
	done := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), &planes.Request{Route: "hold"}, nil)
		done <- err
	}()
	testenv.Eventually(t, 5*time.Second, "a call is queued or refused", func() bool { return s.Stats().Streams == 2 || len(done) == 1 })
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// badLog panics at every line about a handler.
type badLog struct{ slog.Handler }

func (badLog) Enabled(context.Context, slog.Level) bool { return true }

func (badLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "handler failed" {
		panic("no log")
	}
	return nil
}

// A log handler that panics costs the connection, not its loop.
func TestLogThatPanics(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{Logger: slog.New(badLog{slog.DiscardHandler})}, tcpplane.ClientConfig{})
	_, err := c.Call(context.Background(), &planes.Request{Route: "panic", Timeout: 5 * time.Second}, nil)
	if err == nil {
		t.Error("no error")
	}
	testenv.Eventually(t, 5*time.Second, "the server lets the connection go", func() bool { return s.Stats().Connections == 0 })
	if got, err := c.Call(context.Background(), &planes.Request{Route: "echo", Payload: []byte("x"), Timeout: 5 * time.Second}, nil); err != nil || string(got) != "x" {
		t.Errorf("the loop afterwards: %q, %v", got, err)
	}
}
