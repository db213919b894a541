package netpoll_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

// note is a handler that reports its end.
type note struct{ ended chan error }

func (*note) OnOpen(*netpoll.Conn) {}

func (*note) OnData(_ *netpoll.Conn, b []byte) (int, error) { return len(b), nil }

func (n *note) OnClose(_ *netpoll.Conn, err error) { n.ended <- err }

// pipe attaches one end of a net.Pipe in a synctest bubble.
func pipe(t *testing.T, config netpoll.Config) (peer net.Conn, c *netpoll.Conn, n *note, g *netpoll.Group) {
	t.Helper()
	g = newGroup(netpoll.DriverNet)(t, config)
	here, peer := net.Pipe()
	n = &note{ended: make(chan error, 1)}
	c, err := g.Attach(here, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer, c, n, g
}

// wantEnd waits for the connection's end and checks its cause and its virtual time.
func wantEnd(t *testing.T, n *note, want error, start time.Time, least, most time.Duration) {
	t.Helper()
	err := <-n.ended
	if !errors.Is(err, want) {
		t.Errorf("ended with %v, want %v", err, want)
	}
	if d := time.Since(start); d < least || d > most {
		t.Errorf("ended after %v, want %v to %v", d, least, most)
	}
}

func TestStallIsNoticedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, n, _ := pipe(t, netpoll.Config{})
		start := time.Now()
		if err := c.Write([]byte("nobody reads")); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, n, netpoll.ErrWriteStalled, start, 10*time.Second, 12500*time.Millisecond)
	})
}

func TestReaderThatIsSlowerThanTheTimeoutIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, c, n, _ := pipe(t, netpoll.Config{})
		if err := c.Write(make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		for range 20 { // a byte each 7 s: 140 s for what was one write
			if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			<-time.After(7 * time.Second) // virtual
		}
		c.Close()
		if err := <-n.ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestNoWatchdogMeansForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, n, _ := pipe(t, netpoll.Config{WriteTimeout: -1})
		if err := c.Write([]byte("nobody reads")); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-n.ended:
			t.Errorf("ended with %v", err)
		case <-time.After(24 * time.Hour):
		}
		c.CloseAfterFlush(nil)
		wantEnd(t, n, net.ErrClosed, time.Now(), 10*time.Second, 13*time.Second)
	})
}

func TestIdleConnectionIsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, _, n, _ := pipe(t, netpoll.Config{IdleTimeout: time.Minute})
		for range 5 {
			if _, err := peer.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			<-time.After(50 * time.Second) // virtual
		}
		wantEnd(t, n, netpoll.ErrIdle, time.Now().Add(-50*time.Second), time.Minute, 75*time.Second)
	})
}

func TestShutdownWaitsForSlowFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, c, n, g := pipe(t, netpoll.Config{})
		if err := c.Write(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- g.Shutdown(t.Context()) }()
		for range 8 {
			<-time.After(time.Second) // virtual
			if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := <-n.ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	})
}

// brokeListener fails every accept until its end.
type brokeListener struct {
	failed chan time.Time
	done   chan struct{}
}

func (l *brokeListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	case l.failed <- time.Now():
		return nil, syscall.EMFILE
	}
}

func (l *brokeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *brokeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		g := newGroup(netpoll.DriverNet)(t, netpoll.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		ln := &brokeListener{failed: make(chan time.Time), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- g.Serve(ctx, ln, nil) }()
		last := <-ln.failed
		want := 5 * time.Millisecond
		for range 12 {
			now := <-ln.failed
			if d := now.Sub(last); d != want {
				t.Errorf("waited %v, want %v", d, want)
			}
			last, want = now, min(2*want, time.Second)
		}
		cancel()
		if err := <-served; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines logged for one episode:\n%s", n, log.String())
		}
		if n := g.Stat().AcceptErrors; n != 13 {
			t.Errorf("%d accept errors counted", n)
		}
	})
}
