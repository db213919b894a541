package dynplane_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/dynplane"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// desk takes requests for "generate" and is busy for "busy".
type desk struct {
	mu  sync.Mutex
	got []planes.Envelope
}

func (d *desk) Routes() []string { return []string{"busy", "generate", "ns/gen"} }

func (d *desk) ServeCall(context.Context, *planes.Request, planes.ResponseWriter) error {
	return errors.New("never called")
}

func (d *desk) Accept(_ context.Context, env *planes.Envelope) error {
	if env.Request.Route == "busy" {
		return &planes.Error{Code: planes.CodeOverloaded}
	}
	kept, req := *env, *env.Request
	req.Payload = bytes.Clone(req.Payload)
	kept.Request = &req
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, kept)
	return nil
}

func (d *desk) all() []planes.Envelope {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]planes.Envelope(nil), d.got...)
}

func start(t *testing.T, sc dynplane.ServerConfig) (*dynplane.Server, *desk) {
	t.Helper()
	sc.Addr = "127.0.0.1:0"
	s, err := dynplane.NewServer(sc)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), d) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return s, d
}

func client(t *testing.T, cc dynplane.ClientConfig) *dynplane.Client {
	t.Helper()
	c, err := dynplane.NewClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func envelopeOf(id string, size int) *planes.Envelope {
	return &planes.Envelope{
		ID: id, Reply: planes.ConnectionInfo{Transport: "tcp_server", Info: "{}"},
		Request: &planes.Request{
			Route: "generate", Payload: bytes.Repeat([]byte("p"), size), TraceState: "s=1",
			Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1},
		},
	}
}

func TestRequestsArriveInBothRevisions(t *testing.T) {
	for revision := uint8(1); revision <= 2; revision++ {
		s, d := start(t, dynplane.ServerConfig{Revision: revision})
		c := client(t, dynplane.ClientConfig{Revision: revision})
		ctx := testenv.Context(t, 20*time.Second)
		for i, size := range []int{0, 1, 70_000, 1 << 20} {
			env := envelopeOf("id", size)
			if err := c.Send(ctx, s.Address("generate", 42), env); err != nil {
				t.Fatal(err)
			}
			got := d.all()[i]
			if got.ID != "id" || got.Reply != env.Reply || got.Request.Route != "generate" || !bytes.Equal(got.Request.Payload, env.Request.Payload) {
				t.Errorf("revision %d: %d bytes came as %+v", revision, size, got.ID)
			}
			if revision == 2 && (got.Request.Trace != env.Request.Trace || got.Request.TraceState != "s=1") {
				t.Errorf("trace came as %+v, %q", got.Request.Trace, got.Request.TraceState)
			}
		}
	}
}

func TestRejectionsAreSafeToRetry(t *testing.T) {
	s, _ := start(t, dynplane.ServerConfig{})
	c := client(t, dynplane.ClientConfig{})
	ctx := testenv.Context(t, 20*time.Second)
	for route, code := range map[string]planes.Code{"busy": planes.CodeOverloaded, "nowhere": planes.CodeNotFound} {
		err := c.Send(ctx, s.Address(route, 1), envelopeOf("id", 1))
		if planes.CodeOf(err) != code || !planes.SafeToRetry(err) {
			t.Errorf("%s: %v", route, err)
		}
	}
	large := envelopeOf("id", 33<<20)
	if err := c.Send(ctx, planes.Address{Kind: planes.AddressTCP, Host: "192.0.2.1", Port: 1}, large); planes.CodeOf(err) != planes.CodeTooLarge {
		t.Errorf("too large for any worker: %v", err)
	}
}

func TestPipelinedRequestsKeepTheirOrder(t *testing.T) {
	s, d := start(t, dynplane.ServerConfig{})
	c := client(t, dynplane.ClientConfig{MaxConns: 1})
	ctx := testenv.Context(t, 20*time.Second)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			route, want := "generate", planes.CodeOK
			if i%3 == 0 {
				route, want = "busy", planes.CodeOverloaded
			}
			if err := c.Send(ctx, s.Address(route, 1), envelopeOf(fmt.Sprint(i), 10)); planes.CodeOf(err) != want {
				t.Errorf("request %d got another's ack: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := len(d.all()); n != 666 {
		t.Errorf("%d requests came", n)
	}
}

// A worker that dies, says nothing, or says something else.
func TestPeersThatFail(t *testing.T) {
	cases := []struct {
		name  string
		peer  func(nc net.Conn)
		code  planes.Code
		phase planes.Phase
	}{
		{"killed before the ack", func(nc net.Conn) { _, _ = io.ReadFull(nc, make([]byte, 100)) }, planes.CodeTransport, planes.PhaseMaybe},
		{"killed inside the ack", func(nc net.Conn) {
			_, _ = io.ReadFull(nc, make([]byte, 100))
			_, _ = nc.Write([]byte{0, 0, 0})
		}, planes.CodeTransport, planes.PhaseMaybe},
		{"silent", func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }, planes.CodePeerLost, planes.PhaseMaybe},
		{"an http server", func(nc net.Conn) {
			_, _ = io.ReadFull(nc, make([]byte, 100))
			_, _ = nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}, planes.CodeTransport, planes.PhaseMaybe},
		{"old text", func(nc net.Conn) {
			_, _ = io.ReadFull(nc, make([]byte, 100))
			ack, _ := (&dynwire.Ack{Reason: []byte("Unknown endpoint: x")}).Append(nil)
			_, _ = nc.Write(ack)
			_, _ = io.Copy(io.Discard, nc)
		}, planes.CodeRefused, planes.PhaseNotStarted},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if nc, err := ln.Accept(); err == nil {
					tc.peer(nc)
					_ = nc.Close()
				}
			}()
			patience := 10 * time.Second // on a busy machine the peer takes its time
			if tc.code == planes.CodePeerLost {
				patience = 300 * time.Millisecond // what is waited for
			}
			c := client(t, dynplane.ClientConfig{AckTimeout: patience})
			to, _ := planes.TCPAddress(ln.Addr().String() + "/x")
			err = c.Send(testenv.Context(t, 20*time.Second), to, envelopeOf("id", 10))
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != tc.code || e.Phase != tc.phase {
				t.Errorf("%v; want %v, %v", err, tc.code, tc.phase)
			}
			_ = errors.Join(c.Close(), ln.Close())
			<-done
		})
	}
}

func TestNobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to, _ := planes.TCPAddress(ln.Addr().String())
	_ = ln.Close()
	c := client(t, dynplane.ClientConfig{})
	if err := c.Send(testenv.Context(t, 20*time.Second), to, envelopeOf("id", 1)); planes.CodeOf(err) != planes.CodeTransport || !planes.SafeToRetry(err) {
		t.Error(err)
	}
}

// toy is the frame of the released runtime's worked example; its path is a/b.
const toy = "0003612f6200197b22782d656e64706f696e742d70617468223a22612f62227d000000075041594c4f4144"

// talk writes pieces to a new server and returns all that it answers.
func talk(t *testing.T, s *dynplane.Server, pieces ...[]byte) string {
	t.Helper()
	nc, err := net.Dial("tcp", s.Address("x", 1).HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, p := range pieces {
		_, _ = nc.Write(p)
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, _ := io.ReadAll(nc)
	return string(got)
}

func TestBytesOfTheReleasedRuntime(t *testing.T) {
	s, _ := start(t, dynplane.ServerConfig{})
	frame, _ := hex.DecodeString(toy)
	const unknown = "\x00\x00\x00\x28Server unavailable: unknown endpoint a/b"
	whole := talk(t, s, frame, frame)
	if whole != unknown+unknown {
		t.Errorf("two unknown endpoints: %q", whole)
	}
	for cut := range frame {
		if got := talk(t, s, frame, frame[:cut]); got != unknown {
			t.Errorf("cut after %d bytes of the second: %q", cut, got)
		}
	}
	for _, wrong := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01", "\xf7W1\x01\x01\x00\x00\x00"} {
		if got := talk(t, s, []byte(wrong)); !strings.Contains(got, "malformed") {
			t.Errorf("%q is answered %q", wrong, got)
		}
	}
}

func FuzzAnyPiecesGiveTheSameAcks(f *testing.F) {
	frame, _ := hex.DecodeString(toy)
	f.Add(append(bytes.Clone(frame), frame...), uint8(5))
	f.Add([]byte("GET / HTTP/1.1"), uint8(1))
	s, err := dynplane.NewServer(dynplane.ServerConfig{})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Serve(ctx, &desk{})
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(int(step)+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		one, ended := dynplane.Acks(s, [][]byte{in})
		if other, alike := dynplane.Acks(s, pieces); one != other || ended != alike {
			t.Errorf("%q, %v in one piece; %q, %v in pieces of %d", one, ended, other, alike, int(step)+1)
		}
	})
}
