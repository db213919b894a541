package tcpplane_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// reversed connects a server, which dials, with a client, which accepts.
func reversed(t *testing.T, d netpoll.Driver) (*tcpplane.Server, *tcpplane.Client, <-chan struct{}) {
	t.Helper()
	g, err := netpoll.New(netpoll.Config{Driver: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	s, err := tcpplane.NewServer(tcpplane.ServerConfig{Group: g, Instance: 7, Epoch: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	routes(s)
	s.HandleFunc("two", func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
		_ = w.Send(req.Payload)
		return w.Send(req.Payload)
	})
	ln := testenv.Listen(t)
	type dialled struct {
		gone <-chan struct{}
		err  error
	}
	out := make(chan dialled, 1)
	go func() {
		gone, err := s.Dial(context.Background(), ln.Addr().String())
		out <- dialled{gone, err}
	}()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err := tcpplane.AcceptClient(testenv.Context(t, 5*time.Second), nc, tcpplane.ClientConfig{Group: g})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := <-out
	if r.err != nil {
		t.Fatal(r.err)
	}
	return s, c, r.gone
}

func TestWhoAcceptsMayCallWhoDialled(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c, gone := reversed(t, d)
		if i, e := c.Peer(); i != 7 || e != 8 {
			t.Errorf("the peer is instance %d, epoch %d", i, e)
		}
		want := bytes.Repeat([]byte("x"), 300<<10)
		if out, err := c.Call(t.Context(), &planes.Request{Route: "echo", Payload: want}, nil); err != nil || !bytes.Equal(out, want) {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		st, err := c.Stream(t.Context(), &planes.Request{Route: "two", Payload: []byte("y")})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if b, err := st.Recv(t.Context()); err != nil || string(b) != "y" {
				t.Errorf("%q, %v", b, err)
			}
		}
		if _, err := st.Recv(t.Context()); err != io.EOF { //nolint:errorlint // bare
			t.Error(err)
		}
		_ = s.Close()
		<-gone
		<-c.Done()
		if _, err := c.Call(t.Context(), &planes.Request{Route: "echo"}, nil); planes.CodeOf(err) != planes.CodeTransport || !planes.SafeToRetry(err) {
			t.Errorf("after the loss: %v", err)
		}
	})
}

func TestAHandshakeThatNeverComesEndsBothWays(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		g, err := netpoll.New(netpoll.Config{Driver: d})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close() })
		mute, nc := testenv.Pair(t)
		if _, err := tcpplane.AcceptClient(testenv.Context(t, 20*time.Millisecond), nc, tcpplane.ClientConfig{Group: g}); err == nil {
			t.Error("a client over a peer that says nothing")
		}
		if _, err := io.Copy(io.Discard, mute); err != nil && !wasReset(err) {
			t.Errorf("its connection stays open: %v", err)
		}
		s, err := tcpplane.NewServer(tcpplane.ServerConfig{Group: g})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		ln := testenv.Listen(t)
		if _, err := s.Dial(testenv.Context(t, 20*time.Millisecond), ln.Addr().String()); planes.CodeOf(err) != planes.CodeDeadline {
			t.Error(err)
		}
		_ = ln.Close()
		if _, err := s.Dial(t.Context(), ln.Addr().String()); planes.CodeOf(err) != planes.CodeTransport {
			t.Error(err)
		}
	})
}

func wasReset(err error) bool {
	_, ok := err.(*net.OpError) //nolint:errorlint // as net returns it
	return ok
}
