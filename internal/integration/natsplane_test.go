package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/natsplane"
)

// acceptor is a Dispatcher that keeps what it accepts.
type acceptor struct {
	mu     sync.Mutex
	got    []*planes.Envelope
	accept func(*planes.Envelope) error // nil takes everything
}

func (a *acceptor) ServeCall(context.Context, *planes.Request, planes.ResponseWriter) error {
	return planes.Errorf(planes.CodeUnsupported, "not by this transport")
}
func (a *acceptor) Routes() []string { return nil }
func (a *acceptor) Accept(_ context.Context, env *planes.Envelope) error {
	if a.accept != nil {
		if err := a.accept(env); err != nil {
			return err
		}
	}
	e, r := *env, *env.Request
	r.Payload = append([]byte(nil), r.Payload...)
	e.Request = &r
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, &e)
	return nil
}
func (a *acceptor) taken() []*planes.Envelope {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.got
}

const route, instance = "dynamo/backend/generate", uint64(0x694d9b96e24ab707)

func dial(t *testing.T, url string) *natsplane.Conn {
	t.Helper()
	conn, err := natsplane.Dial(natsplane.ConnConfig{URL: url, ReconnectWait: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

type pair struct {
	*natstest.Server
	client       *natsplane.Client
	server       *natsplane.Server
	router, work *natsplane.Conn
	to           planes.Address
}

// start returns a router and a worker with a connection each.
func start(t *testing.T, a *acceptor, maxPayload int32, cfg natsplane.ServerConfig) *pair {
	t.Helper()
	testenv.NoLeak(t)
	p := &pair{Server: natstest.Start(t, maxPayload)}
	p.router, p.work = dial(t, p.URL()), dial(t, p.URL())
	p.client = natsplane.NewClient(p.router, natsplane.ClientConfig{RequestTimeout: 2 * time.Second})
	p.server = natsplane.NewServer(p.work, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(ctx, a) }()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if err := p.server.Shutdown(ctx); err != nil && !t.Failed() {
			t.Errorf("shutdown: %v", err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	if err := p.server.Bind(ctx, route, instance); err != nil {
		t.Fatal(err)
	}
	p.to = p.server.Address(route, instance)
	testenv.Eventually(t, time.Second, "the worker serves", func() bool { return p.send(t, "first") == nil })
	return p
}

func envelopeOf(id string, payload []byte) *planes.Envelope {
	return &planes.Envelope{ID: id, Reply: planes.ConnectionInfo{Transport: "tcp_server", Info: "{}"},
		Request: &planes.Request{Route: route, Payload: payload}}
}

func (p *pair) send(t *testing.T, id string) error {
	return p.client.Send(testenv.Context(t, 3*time.Second), p.to, envelopeOf(id, []byte("hello")))
}

func want(t *testing.T, err error, code planes.Code, phase planes.Phase, text string) {
	t.Helper()
	var e *planes.Error
	if !errors.As(err, &e) || e.Code != code || e.Phase != phase || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v; want %v, %v, with %q", err, code, phase, text)
	}
}

func TestARequestArrivesAsItWasSent(t *testing.T) {
	a := &acceptor{}
	p := start(t, a, 0, natsplane.ServerConfig{})
	if p.to.Subject != "dynamo_backend.generate-694d9b96e24ab707" {
		t.Errorf("subject %s", p.to.Subject)
	}
	env := envelopeOf("id-1", []byte{0, 1, 255})
	env.Request.Headers = []planes.Header{{Name: "a", Value: "b"}}
	env.Request.Trace = planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}
	env.Request.TraceState = "x=y"
	if err := p.client.Send(testenv.Context(t, time.Second), p.to, env); err != nil {
		t.Fatal(err)
	}
	all := a.taken()
	got := all[len(all)-1]
	if got.ID != "id-1" || got.Reply != env.Reply || got.Request.Route != route || string(got.Request.Payload) != "\x00\x01\xff" ||
		got.Request.Header("a") != "b" || got.Request.Trace != env.Request.Trace || got.Request.TraceState != "x=y" ||
		got.Request.Timeout <= 0 || got.Request.Timeout > time.Second {
		t.Errorf("got %+v %+v", got, got.Request)
	}
}

func TestNobodyOnTheSubjectIsKnownAtOnceAndSafeToRetry(t *testing.T) {
	p := start(t, &acceptor{}, 0, natsplane.ServerConfig{})
	to, _ := planes.NATSAddress("nobody.there-1")
	began := time.Now()
	err := p.client.Send(testenv.Context(t, time.Second), to, envelopeOf("x", nil))
	want(t, err, planes.CodePeerLost, planes.PhaseNotStarted, "no worker listens")
	if took := time.Since(began); took > 100*time.Millisecond || !planes.SafeToRetry(err) {
		t.Errorf("took %v, safe %v", took, planes.SafeToRetry(err))
	}
}

// The largest request that passes is found by growth; one byte more is not sent.
func TestTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	p := start(t, &acceptor{}, 4096, natsplane.ServerConfig{})
	send := func(n int) error {
		return p.client.Send(testenv.Context(t, time.Second), p.to, envelopeOf("x", make([]byte, n)))
	}
	n := 3000
	for ; send(n) == nil; n++ {
		if n > 4096 {
			t.Fatal("no bound")
		}
	}
	before := p.InMsgs()
	err := send(n)
	want(t, err, planes.CodeTooLarge, planes.PhaseNotStarted, "4097 bytes")
	want(t, err, planes.CodeTooLarge, planes.PhaseNotStarted, "at most 4096")
	if after := p.InMsgs(); after != before || !p.router.Connected() {
		t.Errorf("%d messages were sent", after-before)
	}
	if c := p.client.Capabilities(); c.MaxMessageBytes != 4096 {
		t.Errorf("%+v", c)
	}
}

// The server says nothing when its limit is lowered and closes the connection of whoever
// does not know; the client must know why, and come back.
func TestALoweredMaxPayloadIsTooLargeAndTheConnectionComesBack(t *testing.T) {
	a := &acceptor{}
	p := start(t, a, 64<<10, natsplane.ServerConfig{})
	p.SetMaxPayload(2048)
	big := envelopeOf("big", make([]byte, 8000))
	for range 2 {
		err := p.client.Send(testenv.Context(t, 3*time.Second), p.to, big)
		want(t, err, planes.CodeTooLarge, planes.PhaseNotStarted, "at most 2048")
	}
	if st := p.router.Stat(); st.Redials != 1 {
		t.Errorf("%+v; want one redial: the second is known beforehand", st)
	}
	if err := p.send(t, "small"); err != nil {
		t.Error(err)
	}
	for _, env := range a.taken() {
		if env.ID == "big" {
			t.Error("it arrived")
		}
	}
}

func TestAServerThatGoesAndComesBackIsNotHungOn(t *testing.T) {
	a := &acceptor{}
	p := start(t, a, 0, natsplane.ServerConfig{})
	p.Stop()
	testenv.Eventually(t, 5*time.Second, "the loss is seen", func() bool { return !p.router.Connected() && !p.work.Connected() })
	began := time.Now()
	err := p.send(t, "away")
	want(t, err, planes.CodeTransport, planes.PhaseNotStarted, "not connected")
	if took := time.Since(began); took > 100*time.Millisecond || !planes.SafeToRetry(err) {
		t.Errorf("took %v", took)
	}
	if err := p.server.Bind(testenv.Context(t, time.Second), "a/b/c", 1); err == nil || p.server.Stat().Bound != 1 {
		t.Errorf("bind without connection: %v, %+v", err, p.server.Stat())
	}
	p.Restart()
	testenv.Eventually(t, 10*time.Second, "requests arrive again", func() bool { return p.send(t, "back") == nil })
	for _, env := range a.taken() {
		if env.ID == "away" {
			t.Error("a request that failed was kept and sent later")
		}
	}
}

func TestARequestUnderWayWhenTheServerGoesMayHaveStarted(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	a := &acceptor{accept: func(env *planes.Envelope) error {
		if env.ID == "slow" {
			close(entered)
			<-release
		}
		return nil
	}}
	p := start(t, a, 0, natsplane.ServerConfig{})
	got := make(chan error, 1)
	go func() { got <- p.send(t, "slow") }()
	<-entered
	p.Stop()
	want(t, <-got, planes.CodeTransport, planes.PhaseMaybe, "lost")
	close(release)
	p.Restart()
}

func TestNoReplyInTimeMayHaveStarted(t *testing.T) {
	release := make(chan struct{})
	a := &acceptor{accept: func(env *planes.Envelope) error {
		if env.ID == "slow" {
			<-release
		}
		return nil
	}}
	p := start(t, a, 0, natsplane.ServerConfig{})
	defer close(release)
	err := p.client.Send(testenv.Context(t, 50*time.Millisecond), p.to, envelopeOf("slow", nil))
	want(t, err, planes.CodeDeadline, planes.PhaseMaybe, "")
}

// The worker takes one after another; what waits is bounded, and the rest is told so.
func TestBeyondTheBoundRequestsAreTurnedAwayAsOverloaded(t *testing.T) {
	entered, release := make(chan struct{}, 100), make(chan struct{})
	a := &acceptor{accept: func(env *planes.Envelope) error {
		if env.ID != "first" {
			entered <- struct{}{}
			<-release
		}
		return nil
	}}
	p := start(t, a, 0, natsplane.ServerConfig{MaxPending: 2})
	results := make(chan error, 10)
	go func() { results <- p.send(t, "running") }()
	<-entered
	for i := range 5 {
		go func() { results <- p.send(t, fmt.Sprint("waiting ", i)) }()
	}
	for range 3 {
		err := <-results
		want(t, err, planes.CodeOverloaded, planes.PhaseNotStarted, "2 requests wait already")
	}
	close(release)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if st := p.server.Stat(); st.Overloaded != 3 || st.Taken != 4 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

func TestTheDispatchersReasonReachesTheCaller(t *testing.T) {
	var why *planes.Error
	a := &acceptor{accept: func(env *planes.Envelope) error {
		if env.ID != "first" {
			return why
		}
		return nil
	}}
	p := start(t, a, 0, natsplane.ServerConfig{})
	for _, code := range []planes.Code{planes.CodeOverloaded, planes.CodeNotFound, planes.CodeDraining, planes.CodeDenied} {
		why = planes.Errorf(code, "because %v", code)
		want(t, p.send(t, "x"), code, planes.PhaseNotStarted, fmt.Sprintf("because %v", code))
	}
	other := envelopeOf("x", nil)
	other.Request.Route = "dynamo/backend_generate/x"
	want(t, p.client.Send(testenv.Context(t, time.Second), p.to, other), planes.CodeNotFound, planes.PhaseNotStarted, "unknown endpoint")
}

func TestAMalformedEnvelopeIsTurnedAway(t *testing.T) {
	a := &acceptor{}
	p := start(t, a, 0, natsplane.ServerConfig{})
	nc, err := nats.Connect(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, data := range []string{"", "nonsense", strings.Repeat("\xff", 100)} {
		reply, err := nc.Request(p.to.Subject, []byte(data), time.Second)
		if err != nil || !strings.HasPrefix(string(reply.Data), "Server unavailable: ") {
			t.Errorf("%q: %v, %v", data, reply, err)
		}
	}
	if st := p.server.Stat(); st.Malformed != 3 || len(a.taken()) != 1 {
		t.Errorf("%+v", st)
	}
}

// What has come is handed over; what comes later finds nobody.
func TestUnbindDrains(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	a := &acceptor{accept: func(env *planes.Envelope) error {
		if env.ID != "first" {
			entered <- struct{}{}
			<-release
		}
		return nil
	}}
	p := start(t, a, 0, natsplane.ServerConfig{})
	results := make(chan error, 3)
	for range 3 {
		go func() { results <- p.send(t, "x") }()
	}
	<-entered
	testenv.Eventually(t, time.Second, "two wait", func() bool { return p.server.Stat().Pending == 2 })
	unbound := make(chan error, 1)
	go func() { unbound <- p.server.Unbind(testenv.Context(t, 5*time.Second), route, instance) }()
	testenv.Eventually(t, time.Second, "nobody listens", func() bool {
		err := p.client.Send(testenv.Context(t, 50*time.Millisecond), p.to, envelopeOf("late", nil))
		return planes.CodeOf(err) == planes.CodePeerLost
	})
	select {
	case err := <-unbound:
		t.Fatalf("unbound before the queue was empty: %v", err)
	default:
	}
	close(release)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-unbound; err != nil || p.server.Stat().Bound != 0 {
		t.Errorf("%v, %+v", err, p.server.Stat())
	}
}

func TestTwoRoutesCannotHaveOneSubject(t *testing.T) {
	p := start(t, &acceptor{}, 0, natsplane.ServerConfig{})
	for _, r := range []string{route, "dynamo_backend/generate"} {
		if err := p.server.Bind(testenv.Context(t, time.Second), r, instance); err == nil {
			t.Errorf("%s was bound twice", r)
		}
	}
}
