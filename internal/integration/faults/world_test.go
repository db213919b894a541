package faults_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/natsplane"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/planes/worker"
)

// path is the endpoint of all tests.
const path = "faults/backend/generate"

// The combinations of transports that faults are injected into.
var (
	mux      = way{Pair: worker.Pair{Request: planes.TCP, Response: planes.Exchange}}
	exchange = way{Pair: worker.Pair{Request: planes.HTTP, Response: planes.Exchange}}
	natsHome = way{Pair: worker.Pair{Request: planes.NATS, Response: planes.TCP}}
	muxHome  = way{Pair: worker.Pair{Request: planes.TCP, Response: planes.TCP}}
	muxed    = way{Pair: worker.Pair{Request: planes.TCP, Response: planes.TCP}, home: "mux"}
	released = way{Pair: worker.Pair{Request: planes.DynamoTCP, Response: planes.TCP}}
	attached = way{Pair: worker.Pair{Request: planes.HTTP, Response: planes.HTTP}}
)

// way is a combination, and the mode of its call-homes: "mux", or pooled.
type way struct {
	worker.Pair
	home string
}

func (w way) pairs() []worker.Pair { return []worker.Pair{w.Pair} }

func (w way) name() string {
	if w.home != "" {
		return w.String() + " " + w.home
	}
	return w.String()
}

// all are the combinations of the table tests.
var all = []way{mux, exchange, muxHome, muxed, released, natsHome, attached}

// The deadlines that the tests' transports are given, so that a fault shows soon.
const (
	ackTimeout      = 600 * time.Millisecond // for a worker to take a request
	prologueTimeout = 600 * time.Millisecond // for a worker to begin its answer
	soon            = 2 * time.Second        // within which whatever is lost must be known
)

// ledger counts what an observer is told.
type ledger struct {
	mu        sync.Mutex
	started   map[string]int // by plane and transport
	ended     map[string]int
	failed    []error // of the response plane's ends
	callHomes map[string]int
	fallbacks int // calls that went on to another way, or another instance
}

func newLedger() *ledger {
	return &ledger{started: map[string]int{}, ended: map[string]int{}, callHomes: map[string]int{}}
}

func nameOf(i planes.CallInfo) string { return i.Plane.String() + " over " + string(i.Transport) }

func (l *ledger) observer() planes.Observer {
	return planes.Observer{
		Start: func(i planes.CallInfo) { l.mu.Lock(); l.started[nameOf(i)]++; l.mu.Unlock() },
		End: func(i planes.CallInfo, r planes.CallResult) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ended[nameOf(i)]++
			if r.Err != nil {
				l.failed = append(l.failed, r.Err)
			}
		},
		Fallback: func(planes.CallInfo, planes.CallInfo, error) { l.mu.Lock(); l.fallbacks++; l.mu.Unlock() },
		CallHome: func(why string) { l.mu.Lock(); l.callHomes[why]++; l.mu.Unlock() },
	}
}

// began returns how many calls began on a plane over a transport.
func (l *ledger) began(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started[name]
}

// finished returns how many calls ended on a plane over a transport.
func (l *ledger) finished(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended[name]
}

// moved returns how many calls went on to another way or instance.
func (l *ledger) moved() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fallbacks
}

// open returns the calls that have begun and not ended.
func (l *ledger) open() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for name, n := range l.started {
		if l.ended[name] != n {
			list = append(list, fmt.Sprintf("%s: %d started, %d ended", name, n, l.ended[name]))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func (l *ledger) failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

func (l *ledger) rejected(why string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.callHomes[why]
}

// clean fails t if a goroutine or a file descriptor is left when t and what it has
// built have ended. It comes first in a test.
func clean(t *testing.T) {
	t.Helper()
	ln := testenv.Listen(t) // what the run-time opens once for all, it opens now
	_ = ln.Close()
	before := descriptors(t)
	t.Cleanup(func() {
		if !t.Failed() {
			testenv.Eventually(t, soon, "all file descriptors closed", func() bool { return len(descriptors(t)) <= len(before) })
		}
	})
	testenv.NoLeak(t)
}

func descriptors(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasSuffix(to, "/fd") { // not the one that lists them
			names = append(names, to)
		}
	}
	return names
}

// siteConfig is a router's side.
type siteConfig struct {
	store    discovery.Store // nil means a memory of its own
	nats     string          // URL; "" means without NATS
	limits   tcpplane.Limits
	home     callhome.Config
	http     httpplane.ClientConfig
	router   router.Config
	natsWait time.Duration // between attempts to reconnect

	natsFirst bool // NATS is preferred
}

// site is a router with all transports.
type site struct {
	*router.Router
	store  discovery.Store
	home   *callhome.Listener
	http   *httpplane.Client
	attach *httpplane.Attacher
	tcp    *tcpplane.RequestClient
	nats   *natsplane.Conn
	seen   *ledger
	closes []func() error
}

func openSite(c siteConfig) (s *site, err error) {
	s = &site{store: c.store, seen: newLedger()}
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	if s.store == nil {
		s.store = discovery.NewMemory().Open(discovery.Config{})
		s.closes = append(s.closes, s.store.Close)
	}
	// A breaker that opens would make which error a call gets depend on those before.
	reg, err := planes.NewRegistry(planes.RegistryConfig{Observer: s.seen.observer(), Breaker: planes.BreakerConfig{Open: time.Millisecond}})
	if err != nil {
		return s, err
	}
	if s.tcp, err = tcpplane.NewRequestClient(tcpplane.RequestClientConfig{Limits: c.limits}); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.tcp.Close)
	dyn, err := dynplane.NewClient(dynplane.ClientConfig{AckTimeout: ackTimeout})
	if err != nil {
		return s, err
	}
	s.closes = append(s.closes, dyn.Close)
	c.http.Timeout = cmp.Or(c.http.Timeout, ackTimeout)
	if s.http, err = httpplane.NewClient(c.http); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.http.Close)
	c.http.Timeout = prologueTimeout
	if s.attach, err = httpplane.NewAttacher(c.http); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.attach.Close)
	if c.home.Listener == nil {
		c.home.Addr = "127.0.0.1:0"
	}
	c.home.PrologueTimeout = cmp.Or(c.home.PrologueTimeout, prologueTimeout)
	c.home.Observer = s.seen.observer()
	if s.home, err = callhome.Listen(c.home); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.home.Close)
	able := planes.Capabilities{Streaming: true, PersistentConnections: true}
	errs := []error{
		reg.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: planes.TCP, Capabilities: tcpplane.RequestCapabilities()}, Client: s.tcp}),
		reg.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: planes.HTTP, Capabilities: able}, Client: s.http}),
		reg.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: planes.DynamoTCP, Capabilities: dynplane.Capabilities()}, Client: dyn}),
		reg.RegisterResponse(planes.ResponseTransport{Registration: planes.Registration{ID: planes.TCP, Capabilities: able}, Reply: "tcp_server", Server: s.home}),
		reg.RegisterResponse(planes.ResponseTransport{Registration: planes.Registration{ID: planes.HTTP, Capabilities: able}, Reply: httpplane.ResponseTransport, Server: s.attach}),
	}
	if c.nats != "" {
		if s.nats, err = natsplane.Dial(natsplane.ConnConfig{URL: c.nats, ReconnectWait: cmp.Or(c.natsWait, 20*time.Millisecond)}); err != nil {
			return s, err
		}
		s.closes = append(s.closes, s.nats.Close)
		nc := natsplane.NewClient(s.nats, natsplane.ClientConfig{RequestTimeout: ackTimeout})
		s.closes = append(s.closes, nc.Close)
		priority := 0
		if c.natsFirst {
			priority = -1
		}
		errs = append(errs, reg.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: planes.NATS, Capabilities: able, Priority: priority}, Client: nc}))
	}
	if err = errors.Join(errs...); err != nil {
		return s, err
	}
	c.router.Registry, c.router.Store = reg, s.store
	if s.Router, err = router.New(c.router); err != nil {
		return s, err
	}
	s.closes = append(s.closes, s.Router.Close)
	return s, nil
}

func (s *site) close() error {
	var errs []error
	for _, f := range slices.Backward(s.closes) {
		errs = append(errs, f())
	}
	s.closes = nil
	return errors.Join(errs...)
}

// newSite opens a site for t, at whose end it must hold no call any more.
func newSite(t *testing.T, c siteConfig) *site {
	t.Helper()
	s, err := openSite(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			s.settled(t)
		}
		if err := s.close(); err != nil {
			t.Errorf("close the router's side: %v", err)
		}
	})
	return s
}

// settled waits until the router's side holds no call any more.
func (s *site) settled(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, soon, "the router holds no call", func() bool {
		return s.seen.open() == "" && s.home.Stat().Pending == 0 && s.http.Stat().Live == 0 && s.attach.Stat().Live == 0
	})
}

// shopConfig is a worker's side. It travels to a process of its own as JSON.
type shopConfig struct {
	Pairs    []worker.Pair
	NATS     string
	Instance uint64
	Hang     string // "dispatch", "open" or "": where the worker stops for ever
	Single   bool   // call-homes use no pool
	Home     string // "mux" or "", see way
	EndWait  time.Duration

	store   discovery.Store       // nil registers nowhere
	through func(net.Addr) string // the address that stands in the record for one listened at
	limits  tcpplane.Limits
	http    httpplane.ServerConfig
	handler planes.HandlerFunc // nil means generate
	opened  func()             // runs when a call-home has been made; may be nil
	gate    <-chan struct{}    // call-homes wait until it is closed; nil means that they do not
}

// shop is a worker.
type shop struct {
	*worker.Worker
	dialer *callhome.Dialer
	http   *httpplane.Server
	nats   *natsplane.Conn
	seen   *ledger
	closes []func() error
}

func (c *shopConfig) uses(request bool, id planes.TransportID) bool {
	return slices.ContainsFunc(c.Pairs, func(p worker.Pair) bool { return request && p.Request == id || !request && p.Response == id })
}

// elsewhere is a listener that is reached at another address.
type elsewhere struct {
	net.Listener
	at net.Addr
}

// Addr implements net.Listener.
func (e elsewhere) Addr() net.Addr { return e.at }

func (c *shopConfig) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || c.through == nil {
		return ln, err
	}
	at, err := net.ResolveTCPAddr("tcp", c.through(ln.Addr()))
	return elsewhere{ln, at}, err
}

// openShop starts a worker. say is told what it does.
func openShop(ctx context.Context, c shopConfig, say func(string)) (s *shop, err error) {
	s = &shop{seen: newLedger()}
	mode := callhome.Pooled
	switch {
	case c.Home == "mux":
		mode, c.Instance = callhome.Mux, cmp.Or(c.Instance, 9)
	case c.Single:
		mode = callhome.Single
	}
	defer func() {
		if err != nil {
			_ = s.close(ctx)
		}
	}()
	reg, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		return s, err
	}
	able := planes.Capabilities{Streaming: true, PersistentConnections: true}
	request := func(id planes.TransportID, exchanges bool, srv planes.RequestServer) error {
		if c.Hang == "dispatch" {
			srv = hangingServer(srv, say)
		}
		return reg.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: id, Capabilities: able}, Exchanges: exchanges, Server: srv})
	}
	if c.uses(true, planes.TCP) {
		ln, err := c.listen()
		if err != nil {
			return s, err
		}
		srv, err := tcpplane.NewRequestServer(tcpplane.RequestServerConfig{Listener: ln, Server: tcpplane.ServerConfig{Limits: c.limits}})
		if err != nil {
			return s, err
		}
		if err := request(planes.TCP, true, srv); err != nil {
			return s, err
		}
	}
	if c.uses(true, planes.DynamoTCP) {
		ln, err := c.listen()
		if err != nil {
			return s, err
		}
		srv, err := dynplane.NewServer(dynplane.ServerConfig{Listener: ln})
		if err != nil {
			return s, err
		}
		if err := request(planes.DynamoTCP, false, srv); err != nil {
			return s, err
		}
	}
	if c.uses(true, planes.HTTP) {
		if c.http.Listener, err = c.listen(); err != nil {
			return s, err
		}
		if c.Hang == "dispatch" {
			c.http.StatusDelay = time.Minute // the status is the ack
		}
		if s.http, err = httpplane.NewServer(c.http); err != nil {
			return s, err
		}
		if err := request(planes.HTTP, true, s.http); err != nil {
			return s, err
		}
	}
	if c.uses(true, planes.NATS) {
		if s.nats, err = natsplane.Dial(natsplane.ConnConfig{URL: c.NATS, ReconnectWait: 20 * time.Millisecond}); err != nil {
			return s, err
		}
		s.closes = append(s.closes, s.nats.Close)
		if err := request(planes.NATS, false, natsplane.NewServer(s.nats, natsplane.ServerConfig{})); err != nil {
			return s, err
		}
	}
	if c.uses(false, planes.TCP) {
		if s.dialer, err = callhome.NewDialer(callhome.DialerConfig{Mode: mode, Instance: c.Instance, EndTimeout: c.EndWait, MeetTimeout: c.EndWait}); err != nil {
			return s, err
		}
		s.closes = append(s.closes, s.dialer.Close)
		var client planes.ResponseClient = s.dialer
		if c.Hang == "open" {
			client = hangingOpener{s.dialer, say}
		}
		if c.gate != nil || c.opened != nil {
			client = gatedOpener{s.dialer, say, c.gate, c.opened}
		}
		if err := reg.RegisterResponse(planes.ResponseTransport{Registration: planes.Registration{ID: planes.TCP, Capabilities: able}, Reply: "tcp_server", Client: client}); err != nil {
			return s, err
		}
	}
	if c.uses(false, planes.HTTP) {
		ln, err := c.listen()
		if err != nil {
			return s, err
		}
		answers, err := httpplane.NewResponseListener(httpplane.ListenerConfig{Listener: ln, Grace: 300 * time.Millisecond})
		if err != nil {
			return s, err
		}
		s.closes = append(s.closes, answers.Close)
		var client planes.ResponseClient = answers
		if c.Hang == "open" {
			client = hangingOpener{answers, say}
		}
		if err := reg.RegisterResponse(planes.ResponseTransport{Registration: planes.Registration{ID: planes.HTTP, Capabilities: able}, Reply: httpplane.ResponseTransport, Client: client}); err != nil {
			return s, err
		}
	}
	s.Worker, err = worker.New(worker.Config{Registry: reg, Store: c.store, Instance: c.Instance, Offers: c.Pairs, Observer: s.seen.observer(), OpenTimeout: soon})
	if err != nil {
		return s, err
	}
	if c.handler == nil {
		c.handler = generate(say)
	}
	if err := s.HandleFunc(path, c.handler); err != nil {
		return s, err
	}
	return s, s.Start(ctx)
}

func (s *shop) close(ctx context.Context) error {
	var errs []error
	if s.Worker != nil {
		errs = append(errs, s.Shutdown(ctx))
	}
	for _, f := range slices.Backward(s.closes) {
		errs = append(errs, f())
	}
	s.closes = nil
	return errors.Join(errs...)
}

// newShop starts a worker in this process for t, at whose end it must hold no call.
func newShop(t *testing.T, c shopConfig, say func(string)) *shop {
	t.Helper()
	if say == nil {
		say = func(string) {}
	}
	s, err := openShop(t.Context(), c, say)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			s.settled(t)
		}
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := s.close(ctx); err != nil && !t.Failed() {
			t.Errorf("close the worker's side: %v", err)
		}
	})
	return s
}

// settled waits until the worker holds no call, and its pool's counters agree.
func (s *shop) settled(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, soon, "the worker holds no call", func() bool {
		st := s.Stat()
		if s.seen.open() != "" || st.Running+st.Queued != 0 || s.http != nil && s.http.Stat().Calls != 0 {
			return false
		}
		if s.dialer == nil {
			return true
		}
		p := s.dialer.Stat()
		return p.Busy == 0 && p.Dialing == 0 && p.Closing == 0 && p.Opened == p.Idle+p.Closed
	})
}

// generate is the handler: what it does the payload says. "echo" answers with the
// payload; "sixteen" with as many items; "three" sends three items, says so, and waits to be cancelled; "none" sends
// none before that.
func generate(say func(string)) planes.HandlerFunc {
	return func(ctx context.Context, req *planes.Request, out planes.ResponseWriter) error {
		switch string(req.Payload) {
		case "three":
			for i := range 3 {
				if err := out.Send(fmt.Appendf(nil, "item %d", i)); err != nil {
					return err
				}
			}
		case "sixteen":
			for i := range 16 {
				if err := out.Send(fmt.Appendf(nil, "item %d", i)); err != nil {
					return err
				}
			}
			return nil
		case "none":
		default:
			return out.Send(req.Payload)
		}
		say("waiting")
		<-ctx.Done()
		say("cancelled")
		return context.Cause(ctx)
	}
}

// outcome is how a call ended.
type outcome struct {
	items int
	err   error // nil after a clean end
	after time.Duration
}

// begin makes a call and reads n items of its answer, which must come.
func begin(t *testing.T, s *site, payload string, n int, opts ...router.CallOption) planes.StreamReader {
	t.Helper()
	ctx := testenv.Context(t, 10*time.Second)
	stream, err := s.Stream(ctx, path, &planes.Request{Payload: []byte(payload)}, opts...)
	if err != nil {
		t.Fatalf("the call that the fault shall hit: %v", err)
	}
	for i := range n {
		if _, err := stream.Recv(ctx); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	return stream
}

// rest reads a stream to its end.
func rest(stream planes.StreamReader) outcome {
	o, since := outcome{}, time.Now()
	for {
		_, err := stream.Recv(context.Background())
		if err == nil {
			o.items++
			continue
		}
		o.after = time.Since(since)
		if err != io.EOF { //nolint:errorlint // only bare EOF is a clean end
			o.err = err
		}
		_ = stream.Close()
		return o
	}
}

// call makes a call and reads it to its end.
func call(ctx context.Context, s *site, payload string, opts ...router.CallOption) outcome {
	since := time.Now()
	stream, err := s.Stream(ctx, path, &planes.Request{Payload: []byte(payload)}, opts...)
	if err != nil {
		return outcome{err: err, after: time.Since(since)}
	}
	o := rest(stream)
	o.after = time.Since(since)
	return o
}

// terminal checks that an outcome is the one typed error that is due, within its time.
func terminal(t *testing.T, o outcome, within time.Duration, phase planes.Phase, codes ...planes.Code) *planes.Error {
	t.Helper()
	var e *planes.Error
	switch {
	case !errors.As(o.err, &e):
		t.Fatalf("the call ended with %v; want a *planes.Error", o.err)
	case !slices.Contains(codes, e.Code) || e.Phase != phase:
		t.Fatalf("the call ended with %v (phase %v); want %v, phase %v", e, e.Phase, codes, phase)
	case o.after > within:
		t.Fatalf("the call ended after %v; want at most %v", o.after, within)
	}
	return e
}

// echoes checks that calls work.
func echoes(t *testing.T, s *site, opts ...router.CallOption) {
	t.Helper()
	if o := call(testenv.Context(t, 5*time.Second), s, "echo", opts...); o.err != nil || o.items != 1 {
		t.Fatalf("a call that nothing hinders: %d items, %v", o.items, o.err)
	}
}
