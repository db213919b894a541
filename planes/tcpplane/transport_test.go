package tcpplane_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// desk is a dispatcher whose decisions depend on the route.
type desk struct{ took chan planes.Envelope }

func (d *desk) Routes() []string { return []string{"a/b", "begun"} }

func (d *desk) decide(route string) error {
	fault := func(code planes.Code) error {
		return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Reason: "desk says " + route, RetryAfter: 70 * time.Millisecond}
	}
	switch route {
	case "a/b", "begun", "hang", "late":
		return nil
	case "busy":
		return fault(planes.CodeOverloaded)
	case "plain":
		return errors.New("plain text")
	}
	return fault(planes.CodeNotFound)
}

func (d *desk) Accept(_ context.Context, env *planes.Envelope) error {
	if err := d.decide(env.Request.Route); err != nil {
		return err
	}
	kept, req := *env, *env.Request
	req.Payload, req.Headers = bytes.Clone(req.Payload), slices.Clone(req.Headers)
	kept.Request = &req
	d.took <- kept
	return nil
}

func (d *desk) ServeCall(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
	if err := d.decide(req.Route); err != nil {
		return err
	}
	switch req.Route {
	case "begun":
		_ = w.(tcpplane.Beginner).Begin()
		return &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted}
	case "late":
		_ = w.Send([]byte("item"))
		return &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted}
	case "hang":
		_ = w.(tcpplane.Beginner).Begin()
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.Join(w.Send([]byte(req.Route)), w.Send(req.Payload))
}

func transport(t *testing.T, d netpoll.Driver, cc tcpplane.RequestClientConfig) (*tcpplane.RequestClient, *tcpplane.RequestServer, *desk) {
	t.Helper()
	g, err := netpoll.New(netpoll.Config{Driver: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	cc.Group = g
	dk := &desk{took: make(chan planes.Envelope, 16)}
	s, err := tcpplane.NewRequestServer(tcpplane.RequestServerConfig{Addr: "127.0.0.1:0", Server: tcpplane.ServerConfig{Group: g}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- s.Serve(ctx, dk) }()
	c, err := tcpplane.NewRequestClient(cc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		bye, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		if err := s.Shutdown(bye); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return c, s, dk
}

func envelopeOf(size int) *planes.Envelope {
	return &planes.Envelope{
		ID: "id-1", Reply: planes.ConnectionInfo{Transport: "tcp_server", Info: `{"address":"x"}`},
		Request: &planes.Request{
			Route: "a/b", Payload: bytes.Repeat([]byte("p"), size), Headers: []planes.Header{{Name: "k", Value: "v"}},
			Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}, TraceState: "s=1", CallID: [16]byte{9},
		},
	}
}

// mux-envelope-1: an envelope arrives whole and its clean end says that it was taken.
func TestEnvelopesArriveAsTheyWereSent(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		c, s, dk := transport(t, d, tcpplane.RequestClientConfig{})
		ctx := testenv.Context(t, 20*time.Second)
		for _, size := range []int{0, 1, 5000, 1 << 20} {
			env := envelopeOf(size)
			if err := c.Send(ctx, s.Address("a/b", 42), env); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			got := <-dk.took
			if got.ID != env.ID || got.Reply != env.Reply || !bytes.Equal(got.Request.Payload, env.Request.Payload) {
				t.Errorf("%d bytes came as %d, %q, %v", size, len(got.Request.Payload), got.ID, got.Reply)
			}
			if r := got.Request; r.Route != "a/b" || r.Trace != env.Request.Trace || r.TraceState != "s=1" ||
				!slices.Equal(r.Headers, env.Request.Headers) || r.CallID != env.Request.CallID {
				t.Errorf("came as %+v", r)
			}
		}
	})
}

// mux-envelope-2: what was not taken is refused, and is safe to send elsewhere.
func TestRefusalsOfTheDispatcherAreSafeToRetry(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		c, s, _ := transport(t, d, tcpplane.RequestClientConfig{})
		ctx := testenv.Context(t, 20*time.Second)
		check := func(what string, err error, code planes.Code, phase planes.Phase) {
			t.Helper()
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != code || e.Phase != phase {
				t.Errorf("%s: %v; want %v, %v", what, err, code, phase)
			}
		}
		recv := func(route string) error {
			r, err := c.Exchange(ctx, s.Address(route, 1), &planes.Request{Route: "ignored"})
			if err == nil {
				_, err = planes.Collect(ctx, r, 1<<20)
			}
			return err
		}
		for range 50 {
			check("unknown", recv("nowhere"), planes.CodeNotFound, planes.PhaseNotStarted)
			check("busy", recv("busy"), planes.CodeOverloaded, planes.PhaseNotStarted)
		}
		check("begun", recv("begun"), planes.CodeOverloaded, planes.PhaseStarted)
		check("late", recv("late"), planes.CodeOverloaded, planes.PhaseStarted)
		for route, code := range map[string]planes.Code{"nowhere": planes.CodeNotFound, "busy": planes.CodeOverloaded, "plain": planes.CodeRefused} {
			check("envelope to "+route, c.Send(ctx, s.Address(route, 1), envelopeOf(1)), code, planes.PhaseNotStarted)
		}
		if n := c.Targets(); n != 1 {
			t.Errorf("%d connections for one worker", n)
		}
	})
}

func TestExchangesAnswerInTheirOwnStream(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		c, s, _ := transport(t, d, tcpplane.RequestClientConfig{})
		ctx := testenv.Context(t, 20*time.Second)
		bare := s.Address("a/b", 7)
		bare.Path = ""
		for _, to := range []planes.Address{s.Address("a/b", 7), bare} {
			r, err := c.Exchange(ctx, to, &planes.Request{Route: "a/b", Payload: []byte("hello")})
			if err != nil {
				t.Fatal(err)
			}
			items, err := planes.Collect(ctx, r, 1<<20)
			if err != nil || fmt.Sprintf("%s", items) != "[a/b hello]" {
				t.Errorf("%s: %s, %v", to, items, err)
			}
		}
	})
}

// mux-envelope-2: an item is no answer to an envelope.
func TestAPeerThatKnowsNoEnvelopesIsFound(t *testing.T) {
	c, s, _ := transport(t, netpoll.DriverNet, tcpplane.RequestClientConfig{})
	s.Server().HandleInline("old", func(_ *planes.Request, dst []byte) ([]byte, error) { return append(dst, 'x'), nil })
	to := s.Address("old", 1)
	to.Path = "old"
	if err := c.Send(testenv.Context(t, 20*time.Second), to, envelopeOf(1)); planes.CodeOf(err) != planes.CodeProtocol || planes.SafeToRetry(err) {
		t.Error(err)
	}
}

func TestWorkersBeyondTheBoundReplaceIdleOnes(t *testing.T) {
	c, s, dk := transport(t, netpoll.DriverNet, tcpplane.RequestClientConfig{MaxTargets: 1})
	ctx := testenv.Context(t, 20*time.Second)
	to := s.Address("a/b", 1)
	other := to
	other.Host = "localhost"
	if err := errors.Join(c.Send(ctx, to, envelopeOf(1)), c.Send(ctx, other, envelopeOf(1))); err != nil || c.Targets() != 1 {
		t.Fatalf("%d targets, %v", c.Targets(), err)
	}
	<-dk.took
	<-dk.took
	hang, err := c.Exchange(ctx, s.Address("hang", 1), &planes.Request{Route: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(ctx, other, envelopeOf(1)); planes.CodeOf(err) != planes.CodeOverloaded || !planes.SafeToRetry(err) {
		t.Errorf("while a call runs: %v", err)
	}
	_ = hang.Close()
}

func TestIdleWorkersAreLetGo(t *testing.T) {
	c, s, _ := transport(t, netpoll.DriverNet, tcpplane.RequestClientConfig{IdleTargetTTL: 50 * time.Millisecond})
	ctx := testenv.Context(t, 20*time.Second)
	if err := c.Send(ctx, s.Address("a/b", 1), envelopeOf(1)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "the idle worker is let go", func() bool { return c.Targets() == 0 })
	if err := c.Send(ctx, s.Address("a/b", 1), envelopeOf(1)); err != nil {
		t.Errorf("after it was let go: %v", err)
	}
	if err := c.Send(ctx, planes.Address{Kind: planes.AddressNATS, Subject: "s"}, envelopeOf(1)); planes.CodeOf(err) != planes.CodeUnsupported {
		t.Errorf("to a subject: %v", err)
	}
}
