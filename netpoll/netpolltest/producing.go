package netpolltest

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireplane/wireplane/netpoll"
)

func testProducer(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"output is taken only when the kernel took what was before", testTakeIsExact},
		{"no wake-up of many goroutines is lost", testNoLostWake},
		{"output due inside OnData follows without another wake-up", testWakeInData},
		{"Flush from outside sends", testFlush},
		{"queued writes go before the next slice", testWriteBeforeTake},
		{"what is produced before a drain is sent", testDrainProducer},
	})
}

// testTakeIsExact reuses one slice for all output: were it taken or overwritten too early, bytes would differ.
func testTakeIsExact(t *testing.T, newGroup NewGroup) {
	const size, slices = 96 << 10, 200
	buf := make([]byte, size)
	sent := 0
	p := &producer{recorder: newRecorder(t)}
	p.next = func() []byte {
		if sent == slices {
			return nil
		}
		for i := range buf {
			buf[i] = byte(sent + i)
		}
		sent++
		return buf
	}
	peer, c := attach(t, newGroup(t, netpoll.Config{}), p)
	c.Wake()
	eventually(t, "first slices taken", func() bool { return p.takes.Load() > 1 })
	got := make([]byte, size)
	want := make([]byte, size)
	for s := range slices {
		if _, err := io.ReadFull(peer, got); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] = byte(s + i)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("slice %d differs", s)
		}
	}
}

// testNoLostWake has goroutines count up under a lock and wake; the peer must see every count.
func testNoLostWake(t *testing.T, newGroup NewGroup) {
	const workers, each = 8, 3000
	var mu sync.Mutex
	var pending, lent []byte
	p := &producer{recorder: newRecorder(t)}
	p.next = func() []byte {
		mu.Lock()
		defer mu.Unlock()
		pending, lent = lent[:0], pending
		return lent
	}
	p.onData = func(_ *netpoll.Conn, b []byte) (int, error) { return len(b), nil }
	peer, c := attach(t, newGroup(t, netpoll.Config{}), p)
	stop := make(chan struct{})
	var feeder sync.WaitGroup
	feeder.Go(func() { // input keeps the loop entering and leaving OnData meanwhile
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := peer.Write([]byte("noise")); err != nil {
					t.Errorf("peer's write: %v", err)
					return
				}
			}
		}
	})
	var workersDone sync.WaitGroup
	for w := range workers {
		workersDone.Go(func() {
			for i := range each {
				mu.Lock()
				pending = binary.BigEndian.AppendUint32(pending, 1)
				mu.Unlock()
				if (i+w)%5 == 0 {
					c.Flush()
				} else {
					c.Wake()
				}
			}
		})
	}
	got := make([]byte, 4*workers*each)
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	workersDone.Wait()
	close(stop)
	feeder.Wait()
}

func testWakeInData(t *testing.T, newGroup NewGroup) {
	p := &producer{recorder: newRecorder(t)}
	var answer []byte
	var mu sync.Mutex
	p.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		mu.Lock()
		answer = append(answer, b...)
		mu.Unlock()
		before := p.takes.Load()
		c.Wake()
		c.Flush()
		if c.Driver() == netpoll.DriverLoop && p.takes.Load() != before {
			t.Error("output taken inside OnData")
		}
		return len(b), nil
	}
	p.next = func() []byte {
		mu.Lock()
		defer mu.Unlock()
		out := answer
		answer = nil
		return out
	}
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), p)
	for i := range 100 {
		msg := pattern(i + 1)
		send(t, peer, msg)
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

func testFlush(t *testing.T, newGroup NewGroup) {
	var out atomic.Pointer[[]byte]
	p := &producer{recorder: newRecorder(t)}
	p.next = func() []byte {
		if b := out.Swap(nil); b != nil {
			return *b
		}
		return nil
	}
	peer, c := attach(t, newGroup(t, netpoll.Config{}), p)
	for i := range 200 {
		msg := pattern(i + 1)
		out.Store(&msg)
		c.Flush()
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, msg) {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

func testWriteBeforeTake(t *testing.T, newGroup NewGroup) {
	var asked atomic.Bool
	p := &producer{recorder: newRecorder(t)}
	p.next = func() []byte {
		if asked.Swap(false) {
			return []byte("second")
		}
		return nil
	}
	p.onData = func(c *netpoll.Conn, b []byte) (int, error) {
		err := c.Write([]byte("first "))
		asked.Store(true)
		c.Wake()
		return len(b), err
	}
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), p)
	send(t, peer, []byte("?"))
	got := make([]byte, len("first second"))
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "first second" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func testDrainProducer(t *testing.T, newGroup NewGroup) {
	left := 50
	p := &producer{recorder: newRecorder(t)}
	p.next = func() []byte {
		if left == 0 {
			return nil
		}
		left--
		return pattern(32 << 10)
	}
	peer, c := attach(t, newGroup(t, netpoll.Config{}), p)
	c.CloseAfterFlush(errHandler)
	got, err := io.ReadAll(peer)
	if err != nil || len(got) != 50*32<<10 {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	p.wantCause(errHandler)
}
