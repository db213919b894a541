package netpolltest

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

var errHandler = errors.New("netpolltest: the handler's error")

func testClosing(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"the peer closes: io.EOF", testPeerCloses},
		{"the peer resets: the system call's error", testPeerResets},
		{"Close: net.ErrClosed", testLocalClose},
		{"Close inside every callback", testCloseInside},
		{"the handler's error comes after its last words", testHandlerError},
		{"unread input does not cost the peer the last words", testLastWords},
		{"CloseAfterFlush reports its error", testCloseAfterFlush},
		{"CloseAfterFlush loses nothing, whatever flush it meets", testDrainRaces},
		{"an answer to a half-closing peer is sent", testHalfClose},
		{"whatever races, OnClose runs once", testCloseRaces},
		{"methods after the close are harmless", testAfterClose},
	})
}

func testPeerCloses(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	peer, c := attach(t, newGroup(t, netpoll.Config{}), r)
	send(t, peer, []byte("last words"))
	peer.Close()
	r.wantCause(io.EOF)
	if got := string(r.consumed()); got != "last words" {
		t.Errorf("got %q", got)
	}
	if !c.Closing() {
		t.Error("not closing")
	}
}

func testPeerResets(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	if err := peer.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	r.wantCause(syscall.ECONNRESET)
}

func testLocalClose(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	peer, c := attach(t, newGroup(t, netpoll.Config{}), r)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r.wantCause(net.ErrClosed)
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("peer read: %v", err)
	}
}

func testCloseInside(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	r := newRecorder(t)
	r.onOpen = func(c *netpoll.Conn) { c.Close() }
	attach(t, g, r)
	r.wantCause(net.ErrClosed)

	r = newRecorder(t)
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		c.Close()
		return 0, nil
	}
	peer, _ := attach(t, g, r)
	send(t, peer, []byte("x"))
	r.wantCause(net.ErrClosed)

	p := &producer{recorder: newRecorder(t)}
	var c *netpoll.Conn
	var once sync.Once
	ready := make(chan struct{})
	p.onData = func(conn *netpoll.Conn, b []byte) (int, error) {
		c = conn
		close(ready)
		conn.Wake()
		return len(b), nil
	}
	p.next = func() []byte {
		select {
		case <-ready:
			once.Do(func() { c.Close() })
			return []byte("not sent")
		default:
			return nil
		}
	}
	peer, _ = attach(t, g, p)
	send(t, peer, []byte("x"))
	p.wantCause(net.ErrClosed)
}

func testHandlerError(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		return 0, errors.Join(c.Write([]byte("goodbye")), errHandler)
	}
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	send(t, peer, []byte("garbage"))
	got, err := io.ReadAll(peer)
	if err != nil || string(got) != "goodbye" {
		t.Errorf("peer got %q, %v", got, err)
	}
	r.wantCause(errHandler)
}

// testLastWords has garbage wait in the kernel when the connection closes: without care that resets the connection.
func testLastWords(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{ReadBufferBytes: 1024})
	for range 20 {
		r := newRecorder(t)
		r.onData = func(c *netpoll.Conn, b []byte) (int, error) {
			return 0, errors.Join(c.Write([]byte("goodbye")), errHandler)
		}
		ln := listen(t)
		peer := dial(t, ln.Addr().String())
		send(t, peer, pattern(40<<10))
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Attach(nc, r); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != "goodbye" {
			t.Fatalf("peer got %q, %v", got, err)
		}
		r.wantCause(errHandler)
	}
}

func testCloseAfterFlush(t *testing.T, newGroup NewGroup) {
	for _, tt := range []struct{ give, want error }{{nil, net.ErrClosed}, {errHandler, errHandler}} {
		r := newRecorder(t)
		peer, c := attach(t, newGroup(t, netpoll.Config{}), r)
		if err := c.Write(pattern(3 << 20)); err != nil {
			t.Fatal(err)
		}
		c.CloseAfterFlush(tt.give)
		c.CloseAfterFlush(io.ErrUnexpectedEOF) // the first counts
		got, err := io.ReadAll(peer)
		if err != nil || len(got) != 3<<20 {
			t.Errorf("peer got %d bytes, %v", len(got), err)
		}
		r.wantCause(tt.want)
	}
}

// testDrainRaces lets the last writes and CloseAfterFlush come while another goroutine is at the end of a flush.
func testDrainRaces(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	for i := range 40 {
		r := newRecorder(t)
		peer, c := attach(t, g, r)
		total := 0
		for n := range 20 + i%20 {
			if err := c.Write(pattern(1 + n)); err != nil {
				t.Fatal(err)
			}
			total += 1 + n
			if n%3 == 0 {
				go c.Flush()
			}
		}
		c.CloseAfterFlush(nil)
		if got, err := io.ReadAll(peer); err != nil || len(got) != total {
			t.Fatalf("round %d: %d bytes, %v; %d were accepted", i, len(got), err, total)
		}
		r.wantCause(net.ErrClosed)
	}
}

func testHalfClose(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	echo(r)
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	send(t, peer, pattern(1000))
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(peer)
	if err != nil || len(got) != 1000 {
		t.Errorf("peer got %d bytes, %v", len(got), err)
	}
	r.wantCause(io.EOF)
}

func testCloseRaces(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	for i := range 60 {
		r := newRecorder(t)
		echo(r)
		peer, c := attach(t, g, r)
		var wg sync.WaitGroup
		wg.Go(func() { peer.Write(pattern(10_000)) }) // fails when the other side is faster
		wg.Go(func() { c.Write(pattern(100_000)) })   // likewise
		wg.Go(func() { c.Flush() })
		if i%2 == 0 {
			wg.Go(func() { c.Close() })
		} else {
			wg.Go(func() { c.CloseAfterFlush(nil) })
		}
		if i%3 == 0 {
			wg.Go(func() { peer.Close() })
		}
		wg.Go(func() { io.Copy(io.Discard, peer) })
		wg.Wait()
		await(t, r.ended, "OnClose")
	}
	eventually(t, "connections forgotten", func() bool { return g.Stat().Open == 0 })
}

func testAfterClose(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	peer, c := attach(t, newGroup(t, netpoll.Config{}), r)
	local, remote := peer.RemoteAddr().String(), peer.LocalAddr().String()
	c.Close()
	r.wantCause(net.ErrClosed)
	if err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	c.Wake()
	c.Flush()
	c.Close()
	c.CloseAfterFlush(nil)
	if c.Queued() != 0 || c.LocalAddr().String() != local || c.RemoteAddr().String() != remote {
		t.Errorf("queued %d, addresses %v %v", c.Queued(), c.LocalAddr(), c.RemoteAddr())
	}
	select {
	case err := <-r.ended:
		t.Errorf("second OnClose: %v", err)
	case <-time.After(time.Millisecond):
	}
}
