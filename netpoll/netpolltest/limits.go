package netpolltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

func testLimits(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"the queue has a hard bound and loses nothing", testQueueBound},
		{"WriteWait blocks above high water and goes on below low water", testWriteWait},
		{"WriteWait ends with its context and with the connection", testWriteWaitEnds},
		{"OnWritable follows a full queue", testOnWritable},
		{"40,000 writes of 64 KiB to a peer that never reads", testNeverReads},
	})
}

// small marks make the limits reachable with little data.
var small = netpoll.Config{HighWaterBytes: 64 << 10, LowWaterBytes: 16 << 10, MaxQueueBytes: 256 << 10}

// fill writes until the queue refuses or the connection closes, and returns what was accepted.
func fill(t *testing.T, c *netpoll.Conn) int {
	t.Helper()
	piece := pattern(8 << 10)
	total := 0
	for {
		err := c.Write(piece)
		if errors.Is(err, netpoll.ErrQueueFull) || errors.Is(err, net.ErrClosed) {
			return total
		}
		if err != nil {
			t.Fatal(err)
		}
		if total += len(piece); total > 64<<20 {
			t.Fatal("64 MiB accepted for a peer that does not read")
		}
	}
}

// fillUp is fill, repeated until the kernel takes no more either.
func fillUp(t *testing.T, c *netpoll.Conn) {
	t.Helper()
	same, last := 0, -1
	eventually(t, "the kernel takes no more", func() bool {
		if n := fill(t, c); n > 0 || c.Queued() != last {
			same, last = 0, c.Queued()
		}
		same++
		return same > 30
	})
}

func testQueueBound(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	peer, c := attach(t, newGroup(t, small), r)
	total := fill(t, c)
	if q := c.Queued(); q > small.MaxQueueBytes {
		t.Errorf("%d bytes queued, bound %d", q, small.MaxQueueBytes)
	}
	c.CloseAfterFlush(nil)
	if err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseAfterFlush: %v", err)
	}
	got, err := io.ReadAll(peer)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.Repeat(pattern(8<<10), total/(8<<10))) {
		t.Fatalf("got %d bytes, want the %d that were accepted", len(got), total)
	}
	r.wantCause(net.ErrClosed)
}

func testWriteWait(t *testing.T, newGroup NewGroup) {
	peer, c := attach(t, newGroup(t, small), newRecorder(t))
	const pieces = 2000
	done := make(chan error, 1)
	go func() {
		for range pieces {
			if err := c.WriteWait(t.Context(), pattern(8<<10)); err != nil {
				done <- err
				return
			}
			if q := c.Queued(); q > small.HighWaterBytes+8<<10 {
				t.Errorf("%d bytes queued by WriteWait, mark %d", q, small.HighWaterBytes)
			}
		}
		done <- nil
	}()
	// When the kernel takes no more, the queue may stand anywhere from the low mark up.
	same, last := 0, -1
	eventually(t, "the queue stands", func() bool {
		if q := c.Queued(); q != last || q < small.LowWaterBytes {
			same, last = 0, q
		}
		same++
		return same > 30
	})
	select {
	case err := <-done:
		t.Fatalf("16 MiB were written to a peer that does not read: %v", err)
	default:
	}
	got := make([]byte, pieces*8<<10)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if err := await(t, done, "WriteWait"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.Repeat(pattern(8<<10), pieces)) {
		t.Fatal("bytes differ")
	}
	if err := c.WriteWait(t.Context(), make([]byte, small.MaxQueueBytes)); !errors.Is(err, netpoll.ErrQueueFull) {
		t.Errorf("what never fits: %v", err)
	}
}

func testWriteWaitEnds(t *testing.T, newGroup NewGroup) {
	_, c := attach(t, newGroup(t, small), newRecorder(t))
	fillUp(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := c.WriteWait(ctx, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with its context: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- c.WriteWait(t.Context(), []byte("x")) }()
	c.Close()
	if err := await(t, done, "WriteWait"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("with the connection: %v", err)
	}
}

func testOnWritable(t *testing.T, newGroup NewGroup) {
	w := &waiter{recorder: newRecorder(t), room: make(chan struct{}, 100)}
	peer, c := attach(t, newGroup(t, small), w)
	go io.Copy(io.Discard, peer)
	for range 5 {
		piece := pattern(small.MaxQueueBytes)
		for c.Write(piece) == nil {
		}
		await(t, w.room, "OnWritable")
		eventually(t, "queue empty", func() bool { return c.Queued() == 0 })
	}
}

func testNeverReads(t *testing.T, newGroup NewGroup) {
	const writes, size = 40_000, 64 << 10
	const heapBound = 6 << 20 // the queue's 4 MiB and what a running program needs besides
	r := newRecorder(t)
	_, c := attach(t, newGroup(t, netpoll.Config{WriteTimeout: 250 * time.Millisecond}), r)
	piece := pattern(size)
	before := heap()
	accepted, refused := 0, 0
	for range writes {
		switch err := c.Write(piece); {
		case err == nil:
			accepted++
		case errors.Is(err, netpoll.ErrQueueFull), errors.Is(err, net.ErrClosed):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > heapBound {
		t.Errorf("heap grew by %d KiB, bound %d KiB", grown>>10, heapBound>>10)
	}
	if refused == 0 || accepted == 0 {
		t.Errorf("%d writes accepted, %d refused", accepted, refused)
	}
	fillUp(t, c) // the last of the queue may just fit into the kernel's buffer
	r.wantCause(netpoll.ErrWriteStalled)
	t.Logf("%d writes of 64 KiB: %d accepted (mostly by the kernel), %d refused", writes, accepted, refused)
}

// heap returns the live heap bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
