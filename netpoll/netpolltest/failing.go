package netpolltest

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

func testPanics(t *testing.T, newGroup NewGroup) {
	g := newGroup(t, netpoll.Config{})
	survivor := newRecorder(t)
	echo(survivor)
	other, _ := attach(t, g, survivor)

	inOpen := newRecorder(t)
	inOpen.onOpen = func(*netpoll.Conn) { panic("open") }
	inData := newRecorder(t)
	inData.onData = func(*netpoll.Conn, []byte) (int, error) { panic(errHandler) }
	inTake := &producer{recorder: newRecorder(t), next: func() []byte { panic("take") }}
	inTake.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		c.Wake()
		return len(b), nil
	}
	for _, h := range []struct {
		name string
		h    netpoll.Handler
		r    *recorder
	}{{"OnOpen", inOpen, inOpen}, {"OnData", inData, inData}, {"TakeOutput", inTake, inTake.recorder}} {
		t.Run("in "+h.name, func(t *testing.T) {
			peer, _ := attach(t, g, h.h)
			peer.Write([]byte("x")) // the connection may be gone by now
			var p *netpoll.PanicError
			err := await(t, h.r.ended, "OnClose")
			if !errors.As(err, &p) || len(p.Stack) == 0 {
				t.Errorf("OnClose got %v", err)
			}
			if h.r == inData && !errors.Is(err, errHandler) {
				t.Error("a panic with an error does not unwrap to it")
			}
		})
	}
	t.Run("others live on", func(t *testing.T) {
		send(t, other, []byte("still there"))
		got := make([]byte, len("still there"))
		if _, err := io.ReadFull(other, got); err != nil {
			t.Fatal(err)
		}
		if n := g.Stat().Panics; n != 3 {
			t.Errorf("%d panics counted", n)
		}
	})
}

func testTimeouts(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"a peer that takes nothing: ErrWriteStalled", testStall},
		{"a slow reader is no stall", testSlowReader},
		{"output of a producer stalls as well", testProducerStall},
		{"no byte either way: ErrIdle", testIdle},
		{"CloseAfterFlush gives up on a peer that takes nothing", testDrainBound},
	})
}

const shortTimeout = 80 * time.Millisecond

func testStall(t *testing.T, newGroup NewGroup) {
	t.Parallel() // it mostly waits
	r := newRecorder(t)
	_, c := attach(t, newGroup(t, netpoll.Config{WriteTimeout: shortTimeout}), r)
	start := time.Now()
	fillUp(t, c)
	r.wantCause(netpoll.ErrWriteStalled)
	if d := time.Since(start); d < shortTimeout {
		t.Errorf("stalled after %v, limit %v", d, shortTimeout)
	}
}

// testSlowReader reads for longer than the timeout, with rests that are far shorter.
func testSlowReader(t *testing.T, newGroup NewGroup) {
	t.Parallel() // it mostly waits
	r := newRecorder(t)
	peer, c := attach(t, newGroup(t, netpoll.Config{WriteTimeout: 8 * shortTimeout}), r)
	rest := time.NewTicker(shortTimeout / 4)
	defer rest.Stop()
	piece := make([]byte, 128<<10)
	for start := time.Now(); time.Since(start) < 14*shortTimeout; <-rest.C {
		fill(t, c)
		if _, err := io.ReadFull(peer, piece); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	r.wantCause(net.ErrClosed)
}

func testProducerStall(t *testing.T, newGroup NewGroup) {
	t.Parallel() // it mostly waits
	slice := pattern(64 << 10)
	p := &producer{recorder: newRecorder(t), next: func() []byte { return slice }}
	_, c := attach(t, newGroup(t, netpoll.Config{WriteTimeout: shortTimeout}), p)
	c.Wake()
	p.wantCause(netpoll.ErrWriteStalled)
}

func testIdle(t *testing.T, newGroup NewGroup) {
	t.Parallel() // it mostly waits
	r := newRecorder(t)
	start := time.Now()
	peer, _ := attach(t, newGroup(t, netpoll.Config{IdleTimeout: shortTimeout}), r)
	send(t, peer, []byte("x"))
	await(t, r.fed, "OnData")
	r.wantCause(netpoll.ErrIdle)
	if d := time.Since(start); d < shortTimeout {
		t.Errorf("idle after %v, limit %v", d, shortTimeout)
	}
}

func testDrainBound(t *testing.T, newGroup NewGroup) {
	t.Parallel() // it mostly waits
	r := newRecorder(t)
	_, c := attach(t, newGroup(t, netpoll.Config{WriteTimeout: 4 * shortTimeout}), r)
	fill(t, c)
	c.CloseAfterFlush(errHandler)
	r.wantCause(errHandler)
}
