package dynplane_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/dynplane"
)

// A frame has FrameTimeout as a whole: a byte now and then does not hold it.
func TestAFrameThatCreepsIsEnded(t *testing.T) {
	s, _ := start(t, dynplane.ServerConfig{FrameTimeout: 300 * time.Millisecond})
	nc, err := net.Dial("tcp", s.Address("generate", 1).HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, nc)
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	give := time.After(3 * time.Second)
	_, _ = nc.Write([]byte{0, 200})
	for {
		select {
		case <-closed:
			return
		case <-give:
			t.Fatal("the frame is still waited for")
		case <-tick.C:
			_, _ = nc.Write([]byte("x"))
		}
	}
}

// A worker that acks nothing is found even if every caller gives up before the ack is
// due: its connection does not stay full for ever.
func TestAConnectionWhoseCallersGaveUpIsEnded(t *testing.T) {
	ln := testenv.Listen(t)
	ended := make(chan struct{})
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		_, _ = io.Copy(io.Discard, nc)
		close(ended)
	}()
	c := client(t, dynplane.ClientConfig{AckTimeout: 300 * time.Millisecond, MaxConns: 1, Inflight: 2})
	addr := ln.Addr().(*net.TCPAddr) //nolint:errcheck,forcetypeassert // it listens on TCP
	to := planes.Address{Kind: planes.AddressTCP, Host: "127.0.0.1", Port: uint16(addr.Port), Path: "generate"}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := c.Send(ctx, to, envelopeOf("a", 1)); planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%v", err)
		}
		cancel()
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the connection stays")
	}
}
