package netpolltest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

func testServing(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"connections above the cap are closed at once and counted", testMaxConns},
		{"a refusing or panicking accept function costs that connection only", testAcceptRefuses},
		{"failing accepts are retried with back-off", testAcceptRetries},
		{"Serve ends with a listener that is broken", testListenerBroken},
		{"Dial ends with its context and with errors", testDialFails},
		{"the accept function knows the peer and may write", testAcceptKnowsPeer},
	})
}

func testMaxConns(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{MaxConns: 2})
	addr := serve(t, g, func(*netpoll.Conn) (netpoll.Handler, error) {
		r := newRecorder(t)
		echo(r)
		return r, nil
	})
	ping := func(peer net.Conn) error {
		if _, err := peer.Write([]byte("p")); err != nil {
			return err
		}
		_, err := io.ReadFull(peer, make([]byte, 1))
		return err
	}
	first, second := dial(t, addr), dial(t, addr)
	if err := errors.Join(ping(first), ping(second)); err != nil {
		t.Fatal(err)
	}
	if err := ping(dial(t, addr)); err == nil {
		t.Fatal("a third connection was served")
	}
	if err := errors.Join(ping(first), ping(second)); err != nil {
		t.Fatalf("others suffered: %v", err)
	}
	first.Close()
	eventually(t, "a place is free", func() bool { return g.Stat().Open == 1 })
	if err := ping(dial(t, addr)); err != nil {
		t.Errorf("after one left: %v", err)
	}
	if s := g.Stat(); s.Refused != 1 || s.Accepted != 3 {
		t.Errorf("stat %+v", s)
	}
}

func testAcceptRefuses(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	var calls atomic.Int32
	addr := serve(t, g, func(*netpoll.Conn) (netpoll.Handler, error) {
		switch calls.Add(1) {
		case 1:
			return nil, errHandler
		case 2:
			panic("accept")
		case 3:
			return nil, nil
		}
		r := newRecorder(t)
		echo(r)
		return r, nil
	})
	for range 3 {
		if _, err := io.ReadFull(dial(t, addr), make([]byte, 1)); err == nil {
			t.Fatal("served")
		}
	}
	peer := dial(t, addr)
	send(t, peer, []byte("x"))
	if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if s := g.Stat(); s.Rejected != 3 || s.Accepted != 1 {
		t.Errorf("stat %+v", s)
	}
}

// failingListener fails with errs first, then accepts.
type failingListener struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return l.Listener.Accept()
}

func testAcceptRetries(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	ln := &failingListener{Listener: listen(t), errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ECONNABORTED}}
	served := make(chan error, 1)
	accepted := make(chan struct{}, 1)
	start := time.Now()
	go func() {
		served <- g.Serve(t.Context(), ln, func(*netpoll.Conn) (netpoll.Handler, error) {
			accepted <- struct{}{}
			return newRecorder(t), nil
		})
	}()
	dial(t, ln.Addr().String())
	await(t, accepted, "accept")
	if d := time.Since(start); d < (5+10+20+40)*time.Millisecond {
		t.Errorf("four retries took only %v", d)
	}
	if s := g.Stat(); s.AcceptErrors != 4 {
		t.Errorf("stat %+v", s)
	}
	g.Close()
	if err := await(t, served, "Serve"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func testListenerBroken(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	ln := &failingListener{Listener: listen(t), errs: []error{syscall.EINVAL}}
	err := g.Serve(t.Context(), ln, func(*netpoll.Conn) (netpoll.Handler, error) { return nil, nil })
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func testDialFails(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Dial(ctx, "tcp", listen(t).Addr().String(), newRecorder(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	ln := listen(t)
	ln.Close()
	if _, err := g.Dial(t.Context(), "tcp", ln.Addr().String(), newRecorder(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := g.Dial(t.Context(), "tcp", listen(t).Addr().String(), nil); err == nil {
		t.Error("nil handler accepted")
	}
	if s := g.Stat(); s.Dialled != 0 || s.Open != 0 {
		t.Errorf("stat %+v", s)
	}
}

func testAcceptKnowsPeer(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	peers := make(chan string, 1)
	addr := serve(t, g, func(c *netpoll.Conn) (netpoll.Handler, error) {
		peers <- c.RemoteAddr().String()
		return newRecorder(t), c.Write([]byte("early"))
	})
	peer := dial(t, addr)
	if got := await(t, peers, "accept"); got != peer.LocalAddr().String() {
		t.Errorf("peer %s, want %s", got, peer.LocalAddr())
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "early" {
		t.Errorf("got %q, %v", got, err)
	}
}

func testShutdown(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"queued output is delivered first", testShutdownFlushes},
		{"a peer that reads nothing cannot hold it up", testShutdownForced},
		{"nothing is taken after it", testAfterShutdown},
		{"it may be called by many at once", testShutdownTwice},
	})
}

func testShutdownFlushes(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	const conns = 8
	var recs []*recorder
	var peers []*net.TCPConn
	for range conns {
		r := newRecorder(t)
		peer, c := attach(t, g, r)
		if err := c.Write(pattern(3 << 20)); err != nil {
			t.Fatal(err)
		}
		recs, peers = append(recs, r), append(peers, peer)
	}
	done := make(chan error, 1)
	go func() { done <- g.Shutdown(t.Context()) }()
	for i, peer := range peers {
		if got, err := io.ReadAll(peer); err != nil || len(got) != 3<<20 {
			t.Errorf("connection %d: %d bytes, %v", i, len(got), err)
		}
	}
	if err := await(t, done, "Shutdown"); err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if r.closes.Load() != 1 {
			t.Error("Shutdown returned before OnClose")
		}
		r.wantCause(net.ErrClosed)
	}
}

func testShutdownForced(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	r := newRecorder(t)
	_, c := attach(t, g, r)
	fillUp(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if r.closes.Load() != 1 {
		t.Error("Shutdown returned before OnClose")
	}
}

func testAfterShutdown(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	if _, err := g.Dial(t.Context(), "tcp", ln.Addr().String(), newRecorder(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
	err := g.Serve(t.Context(), ln, func(*netpoll.Conn) (netpoll.Handler, error) { return nil, nil })
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func testShutdownTwice(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	for range 4 {
		attach(t, g, newRecorder(t))
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if i%2 == 0 {
				g.Close()
			} else if err := g.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
	wg.Wait()
}
