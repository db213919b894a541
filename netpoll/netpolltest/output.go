package netpolltest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/wireplane/wireplane/netpoll"
)

func testOutput(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"echo of a megabyte between two connections of a group", testEcho},
		{"writes inside OnData share a flush", testCoalesce},
		{"writes inside OnOpen are sent", testWriteInOpen},
		{"Write copies", testWriteCopies},
		{"writes of many goroutines arrive whole and in order", testManyWriters},
		{"a write of the whole queue arrives", testBigWrite},
		{"Unix sockets", testUnix},
	})
}

// echo answers with what it gets, through WriteWait's non-waiting sibling.
func echo(r *recorder) {
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) { return len(b), c.Write(b) }
}

func testEcho(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	addr := serve(t, g, func(*netpoll.Conn) (netpoll.Handler, error) {
		r := newRecorder(t)
		echo(r)
		return r, nil
	})
	want := pattern(1 << 20)
	done := make(chan []byte, 1)
	r := newRecorder(t)
	r.onData = func(_ *netpoll.Conn, b []byte) (int, error) {
		if len(b) < len(want) {
			return 0, nil
		}
		done <- append([]byte(nil), b...)
		return len(b), nil
	}
	c, err := g.Dial(t.Context(), "tcp", addr, r)
	if err != nil {
		t.Fatal(err)
	}
	for b := want; len(b) > 0; b = b[1<<16:] {
		if err := c.WriteWait(t.Context(), b[:1<<16]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(await(t, done, "echo"), want) {
		t.Fatal("echo differs")
	}
	c.Close()
	r.wantCause(net.ErrClosed)
	s := g.Stat()
	if s.Accepted != 1 || s.Dialled != 1 || s.BytesIn != 2<<20 || s.BytesOut != 2<<20 {
		t.Errorf("stat %+v", s)
	}
}

func testCoalesce(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	r := newRecorder(t)
	var want []byte
	for i := range 500 {
		want = append(want, pattern(1+i%100)...)
	}
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		for i := range 500 {
			if err := c.Write(pattern(1 + i%100)); err != nil {
				t.Error(err)
			}
		}
		return len(b), nil
	}
	peer, _ := attach(t, g, r)
	send(t, peer, []byte("go"))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("bytes differ")
	}
	if s := g.Stat(); s.Writes > 20 {
		t.Errorf("500 writes of 25 kB in all took %d system calls", s.Writes)
	}
}

func testWriteInOpen(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	r.onOpen = func(c *netpoll.Conn) {
		if err := c.Write([]byte("banner")); err != nil {
			t.Error(err)
		}
	}
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	got := make([]byte, 6)
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "banner" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func testWriteCopies(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		p := []byte("good")
		err := c.Write(p)
		copy(p, "evil")
		return len(b), err
	}
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	send(t, peer, []byte("?"))
	got := make([]byte, 4)
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "good" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func testManyWriters(t *testing.T, newGroup NewGroup) {
	const writers, each, size = 16, 400, 48
	peer, c := attach(t, newGroup(t, netpoll.Config{}), newRecorder(t))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rec := make([]byte, size)
			for i := range each {
				binary.BigEndian.PutUint32(rec, uint32(w))
				binary.BigEndian.PutUint32(rec[4:], uint32(i))
				if err := c.WriteWait(t.Context(), rec); err != nil {
					t.Error(err)
					return
				}
				if i%7 == 0 {
					c.Flush()
				}
			}
		})
	}
	var next [writers]uint32
	rec := make([]byte, size)
	for range writers * each {
		if _, err := io.ReadFull(peer, rec); err != nil {
			t.Fatal(err)
		}
		w, i := binary.BigEndian.Uint32(rec), binary.BigEndian.Uint32(rec[4:])
		if w >= writers || next[w] != i {
			t.Fatalf("writer %d: record %d out of order", w, i)
		}
		next[w]++
	}
	wg.Wait()
}

func testBigWrite(t *testing.T, newGroup NewGroup) {
	want := pattern(4 << 20)
	peer, c := attach(t, newGroup(t, netpoll.Config{}), newRecorder(t))
	if err := c.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(append(want, 0)); !errors.Is(err, netpoll.ErrQueueFull) {
		t.Fatalf("over the queue: %v", err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("bytes differ")
	}
	eventually(t, "queue empty", func() bool { return c.Queued() == 0 })
}

func testUnix(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	path := t.TempDir() + "/s"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- g.Serve(ctx, ln, func(*netpoll.Conn) (netpoll.Handler, error) {
			r := newRecorder(t)
			echo(r)
			return r, nil
		})
	}()
	answer := make(chan string, 1)
	r := newRecorder(t)
	r.onData = func(_ *netpoll.Conn, b []byte) (int, error) {
		answer <- string(b)
		return len(b), nil
	}
	c, err := g.Dial(ctx, "unix", path, r)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != path {
		t.Errorf("remote address %q, want %q", got, path)
	}
	if err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := await(t, answer, "echo"); got != "x" {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := await(t, served, "Serve"); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
}
