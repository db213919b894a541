//go:build linux

package rawfloor_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// The loops hold a P each, and both run in this process.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	m.Run()
}

// serve starts a server of shape s and returns its address.
func serve(t *testing.T, s rawfloor.Shape) string {
	t.Helper()
	srv, err := rawfloor.NewServer(s)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// counter is an Observer that stops after enough answers.
type counter struct {
	want, got, batches int
	latency            time.Duration
}

func (c *counter) Running() bool { return c.got < c.want }

func (c *counter) Done(n int, latency time.Duration) {
	c.got += n
	c.batches++
	c.latency = max(c.latency, latency)
}

func TestServerEchoesWholeFramesInOrder(t *testing.T) {
	for _, payload := range []int{0, 1, 64, 4096, 300 << 10} {
		s := rawfloor.Shape{Payload: payload}
		c := dial(t, serve(t, s))
		var want []byte
		for i := range 8 {
			want = rawfloor.AppendRequest(want, s, uint32(i*7))
		}
		got := make([]byte, len(want))
		sent := make(chan error, 1)
		go func() { _, err := c.Write(want); sent <- err }()
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("payload %d: %v", payload, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("payload %d: the echo differs from what was sent", payload)
		}
	}
}

func TestServerAnswersOnlyWholeFrames(t *testing.T) {
	s := rawfloor.Shape{Payload: 64}
	c := dial(t, serve(t, s))
	frame := rawfloor.AppendRequest(nil, s, 9)
	two := append(bytes.Clone(frame), frame...)
	cut := len(frame) + 13
	if _, err := c.Write(two[:cut]); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4*len(frame))
	n, err := io.ReadAtLeast(c, got, len(frame))
	if err != nil {
		t.Fatal(err)
	}
	if n != len(frame) {
		t.Fatalf("%d bytes came back for one whole frame of %d and a piece", n, len(frame))
	}
	if _, err := c.Write(two[cut:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got[n:2*n]); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:2*n], two) {
		t.Error("the echo differs from what was sent")
	}
}

func TestServerAnswersEachStreamRequestWithTheBlob(t *testing.T) {
	s := rawfloor.Shape{Payload: 64, StreamItems: 256}
	c := dial(t, serve(t, s))
	const streams = 200 // 4.3 MB owed at once: more than the kernel takes
	var ask, blob []byte
	for range streams {
		ask = rawfloor.AppendRequest(ask, s, 0)
	}
	if _, err := c.Write(ask); err != nil {
		t.Fatal(err)
	}
	blob = rawfloor.AppendAnswer(nil, s, 0)
	if len(blob) != 256*84 || len(blob) != s.AnswerBytes() {
		t.Fatalf("a blob has %d bytes", len(blob))
	}
	got := make([]byte, len(blob))
	for i := range streams {
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		if !bytes.Equal(got, blob) {
			t.Fatalf("stream %d differs from the blob", i)
		}
	}
	n, used, err := rawfloor.Walk(got)
	if n != 256 || used != len(got) || err != nil {
		t.Errorf("Walk(blob) = %d, %d, %v", n, used, err)
	}
}

func TestServerClosesOnAnOversizeHeader(t *testing.T) {
	c := dial(t, serve(t, rawfloor.Shape{Payload: 64}))
	if _, err := c.Write(bytes.Repeat([]byte{0xff}, rawfloor.HeaderBytes)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("Read = %d, %v; want the connection closed", n, err)
	}
}

func TestClientCountsEveryAnswerOnce(t *testing.T) {
	for name, test := range map[string]struct {
		shape           rawfloor.Shape
		inflight, conns int
	}{
		"one in flight":       {rawfloor.Shape{Payload: 64}, 1, 1},
		"many in flight":      {rawfloor.Shape{Payload: 64}, 256, 1},
		"several connections": {rawfloor.Shape{Payload: 64}, 10, 3},
		"large frames":        {rawfloor.Shape{Payload: 200 << 10}, 64, 1},
		"one stream":          {rawfloor.Shape{Payload: 64, StreamItems: 256}, 1, 1},
		"streams":             {rawfloor.Shape{Payload: 64, StreamItems: 256}, 64, 2},
		"stream of one item":  {rawfloor.Shape{Payload: 64, StreamItems: 1}, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, test.shape)
			var conns []net.Conn
			for range test.conns {
				conns = append(conns, dial(t, addr))
			}
			c, err := rawfloor.NewClient(test.shape, test.inflight, conns...)
			if err != nil {
				t.Fatal(err)
			}
			obs := &counter{want: 500}
			if err := c.Run(obs); err != nil {
				t.Fatal(err)
			}
			if obs.got < obs.want || obs.got > obs.want+test.inflight {
				t.Errorf("%d answers counted, %d wanted, %d in flight", obs.got, obs.want, test.inflight)
			}
			if obs.latency <= 0 || obs.latency > 20*time.Second {
				t.Errorf("latency %v", obs.latency)
			}
			if n := c.Syscalls(); n < 3 {
				t.Errorf("%d system calls", n)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClientReportsAServerThatGoesAway(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_, _ = io.CopyN(io.Discard, c, 10)
			_ = c.Close()
		}
	}()
	c, err := rawfloor.NewClient(rawfloor.Shape{Payload: 64}, 4, dial(t, ln.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(&counter{want: 1}); err == nil {
		t.Error("Run = nil after the server closed the connection")
	}
	_ = c.Close()
	_ = ln.Close()
}

func TestCloseBeforeServe(t *testing.T) {
	srv, err := rawfloor.NewServer(rawfloor.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(ln); err != nil {
		t.Errorf("Serve after Close = %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestBadShapesAreRefused(t *testing.T) {
	for name, s := range map[string]rawfloor.Shape{
		"negative payload": {Payload: -1},
		"huge payload":     {Payload: rawfloor.MaxFrameBytes},
		"negative items":   {StreamItems: -1},
		"too many items":   {StreamItems: 1<<16 + 1},
	} {
		if _, err := rawfloor.NewServer(s); err == nil {
			t.Errorf("%s: NewServer accepts it", name)
		}
		if _, err := rawfloor.NewClient(s, 1); err == nil {
			t.Errorf("%s: NewClient accepts it", name)
		}
	}
	if _, err := rawfloor.NewClient(rawfloor.Shape{}, 0); err == nil {
		t.Error("NewClient accepts no connection")
	}
}
