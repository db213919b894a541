package tcpplane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// F-B6, M1, M2: 300 of 364 streams are never read. The 64 others get every item,
// and the heap stays within 96 MiB.
func TestStalledStreamsCostNobodyElse(t *testing.T) {
	const all, stalled, items = 364, 300, 400
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		item := make([]byte, 4096)
		s.HandleFunc("flood", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			for range items {
				if err := w.Send(item); err != nil {
					return err
				}
			}
			return nil
		})
		bg := context.Background()
		streams := make([]*tcpplane.Stream, all)
		for i := range streams {
			st, err := c.Stream(bg, &planes.Request{Route: "flood"})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			streams[i] = st
		}
		var wg sync.WaitGroup
		var got atomic.Int64
		for _, st := range streams[stalled:] {
			wg.Go(func() {
				for {
					_, err := st.Recv(bg)
					if errors.Is(err, io.EOF) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if got.Load() != (all-stalled)*items {
			t.Errorf("siblings got %d items of %d", got.Load(), (all-stalled)*items)
		}
		testenv.Figure(t, "heap with 300 of 364 streams stalled, driver "+d.String(), float64(testenv.CheckHeap(t, 96<<20))/(1<<20), 96, "MiB")
	})
}

// A peer that grants all credit there is and never reads: 40,000 items of 64 KiB
// wait in the handler, not in memory, and the connection is given up.
func TestPeerThatNeverReads(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		g, err := netpoll.New(netpoll.Config{Driver: d, WriteTimeout: 700 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		s, err := tcpplane.NewServer(tcpplane.ServerConfig{Group: g, Limits: sums})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		item := make([]byte, 64<<10)
		sent, ended := new(atomic.Int64), make(chan error, 1)
		s.HandleFunc("flood", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			var err error
			for i := 0; i < 40_000 && err == nil; i++ {
				if err = w.Send(item); err == nil {
					sent.Add(1)
				}
			}
			ended <- err
			return err
		})
		ln := testenv.Listen(t)
		go func() { _ = s.Serve(context.Background(), ln) }()
		before := testenv.LiveHeap()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		f := muxwire.Frame{Type: muxwire.FrameTypeCredit, Stream: 1, Arg: 1 << 30}
		f.Body.Credit.Bytes = 1 << 40
		if _, err := conn.Write(append(append(hello(t), openFrame(t, 1, "flood", "")...), frame(t, f)...)); err != nil {
			t.Fatal(err)
		}
		err = <-ended
		var e *planes.Error
		if !errors.As(err, &e) || e.Code != planes.CodePeerLost {
			t.Errorf("the handler got %v", err)
		}
		if n := sent.Load(); n >= 40_000 || n == 0 {
			t.Errorf("%d of 40000 items were taken", n)
		}
		if grew := int64(testenv.LiveHeap()) - int64(before); grew > 4<<20 {
			t.Errorf("heap grew by %d bytes", grew)
		}
		t.Logf("%d items went into kernel buffers and the bounded queue", sent.Load())
	})
}

// The same from a peer that opens unary calls whose answers it never reads.
func TestAnswersThatNobodyReads(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		g, err := netpoll.New(netpoll.Config{Driver: d, WriteTimeout: 700 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		s, err := tcpplane.NewServer(tcpplane.ServerConfig{Group: g, Limits: tcpplane.Limits{BudgetBytes: 8 << 20, Checksums: tcpplane.ChecksumOn}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		answer := make([]byte, 1<<20)
		s.HandleInline("big", func(_ *planes.Request, dst []byte) ([]byte, error) { return append(dst, answer...), nil })
		ln := testenv.Listen(t)
		go func() { _ = s.Serve(context.Background(), ln) }()
		before := testenv.LiveHeap()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var out []byte
		out = append(out, hello(t)...)
		for id := uint32(1); id < 4000; id += 2 {
			out = append(out, openFrame(t, id, "big", "")...)
		}
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = conn.Write(out) // the server may give up before it has read all of it
		peak := int64(0)
		testenv.Eventually(t, 10*time.Second, "the peer is given up", func() bool {
			peak = max(peak, int64(testenv.LiveHeap())-int64(before))
			return s.Stats().Connections == 0
		})
		if peak > 24<<20 {
			t.Errorf("heap grew by %d bytes with a budget of 8 MiB", peak)
		}
	})
}

// The gates of the plane: what an idle stream and an idle connection hold, both ends.
func TestMemoryBudget(t *testing.T) {
	t.Run("stream", func(t *testing.T) {
		s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		k := &parked{release: make(chan struct{})}
		s.Handle("park", k)
		defer close(k.release) // before the server closes: these handlers ignore their context
		const n = 2000
		if _, err := c.Call(context.Background(), &planes.Request{Route: "echo"}, nil); err != nil {
			t.Fatal(err)
		}
		var streams []*tcpplane.Stream
		got := testenv.CheckRetained(t, n, 2048, func() any {
			for range n {
				st, err := c.Stream(context.Background(), &planes.Request{Route: "park"})
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, st)
			}
			testenv.Eventually(t, 10*time.Second, "all handlers run", func() bool { return k.n.Load() == n })
			return streams
		})
		testenv.Figure(t, "idle stream, both ends, without the user's goroutines", got, 2048, "bytes")
		for _, st := range streams {
			_ = st.Close()
		}
	})
	t.Run("connection", func(t *testing.T) {
		s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		const n = 1000
		many, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: tcpplane.AddrOf(c), Conns: n})
		if err != nil {
			t.Fatal(err)
		}
		defer many.Close()
		got := testenv.CheckRetained(t, 2*n, 2048, func() any {
			for range 2 * n {
				if _, err := many.Call(context.Background(), &planes.Request{Route: "echo", Payload: []byte("x")}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if st := s.Stats(); st.Connections != n {
				t.Fatalf("%d connections", st.Connections)
			}
			return many
		})
		testenv.Figure(t, "idle connection, one end, after a call", got, 2048, "bytes")
	})
}

// parked is a handler that waits until it is released.
type parked struct {
	n       atomic.Int64
	release chan struct{}
}

func (k *parked) ServeCall(context.Context, *planes.Request, planes.ResponseWriter) error {
	k.n.Add(1)
	<-k.release
	return nil
}

// An inline request allocates nothing on the server, and next to nothing on the
// client from 16 calls in flight on.
func TestAllocsPerCall(t *testing.T) {
	_, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	payload := make([]byte, 64)
	const inflight, each = 16, 200
	var bufs [inflight][]byte
	round := func() {
		var wg sync.WaitGroup
		for i := range inflight {
			wg.Go(func() {
				req := planes.Request{Route: "echo", Payload: payload, Timeout: time.Minute}
				for range each {
					out, err := c.Call(context.Background(), &req, bufs[i][:0])
					if err != nil {
						t.Error(err)
						return
					}
					bufs[i] = out
				}
			})
		}
		wg.Wait()
	}
	round()
	// The goroutines of the round itself cost 3 allocations each at most.
	testenv.Allocs(t, 0.2*inflight*each+3*inflight, round)
	t.Logf("per round of %d calls, both ends in this process", inflight*each)
}
