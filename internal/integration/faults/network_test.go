package faults_test

import (
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// behind puts a proxy on the connections that carry the answers of a combination: that
// of the requests, or the call-homes.
func behind(t *testing.T, p way, site *siteConfig, shop *shopConfig) *proxy {
	t.Helper()
	net1 := newProxy(t)
	if p.Response == planes.Exchange {
		shop.through = net1.through
		return net1
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.ResolveTCPAddr("tcp", net1.through(ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	site.home.Listener = elsewhere{ln, at}
	return net1
}

func awaitSaid(t *testing.T, said <-chan string, what string, within time.Duration) {
	t.Helper()
	limit := time.After(within)
	for {
		select {
		case got := <-said:
			if got == what {
				return
			}
		case <-limit:
			t.Fatalf("the worker has not said %q within %v", what, within)
		}
	}
}

// Without the read that each side keeps going during a call (of a call-home the worker's
// conn.read), a reset would be noticed by who sends only.
func TestAConnectionIsResetInMidStream(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		if p == attached {
			return // which goes on over a new connection: a test of httpplane's
		}
		url := natsFor(t, p)
		said := make(chan string, 64)
		sc, wc := siteConfig{nats: url}, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url}
		wire := behind(t, p, &sc, &wc)
		s := newSite(t, sc)
		wc.store = s.store
		newShop(t, wc, func(what string) { said <- what })
		echoes(t, s)
		stream := begin(t, s, "three", 3)
		awaitSaid(t, said, "waiting", soon)
		wire.cut()
		if wire.resets.Load() == 0 {
			t.Fatal("nothing was reset")
		}
		e := terminal(t, rest(stream), soon, planes.PhaseStarted, planes.CodeTransport, planes.CodePeerLost)
		if e.Items != 3 {
			t.Errorf("the terminal counts %d items; 3 came", e.Items)
		}
		awaitSaid(t, said, "cancelled", soon)
		echoes(t, s) // over a new connection
	})
}

// Between two calls a connection dies unnoticed. Without the parked reader of a pooled
// call-home and its retry, or the dial of a lost mux connection, the next call would fail.
func TestAnIdleConnectionIsReset(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		if p == attached {
			return // which goes on over a new connection: a test of httpplane's
		}
		url := natsFor(t, p)
		sc, wc := siteConfig{nats: url}, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url}
		wire := behind(t, p, &sc, &wc)
		s := newSite(t, sc)
		wc.store = s.store
		newShop(t, wc, nil)
		failed := 0
		for range 20 {
			echoes(t, s)
			wire.cut()
			if o := call(testenv.Context(t, 5*time.Second), s, "echo"); o.err != nil {
				failed++
				// A request that was sent just as the connection went may run, and a
				// call-home may be dialling just then: that is for the caller to decide.
				phase := planes.PhaseMaybe
				if planes.SafeToRetry(o.err) {
					phase = planes.PhaseNotStarted
				}
				terminal(t, o, soon, phase, planes.CodeTransport, planes.CodePeerLost, planes.CodeDeadline)
			}
		}
		if wire.resets.Load() == 0 {
			t.Fatal("nothing was reset")
		}
		t.Logf("%d of 20 calls right behind a reset ended with a typed error", failed)
		if p.Response == planes.TCP && failed > 5 { // a reset may also hit a dial
			t.Errorf("%d of 20 answers were lost; a stale connection is to be replaced", failed)
		}
	})
}

// A pooled connection dies between its use for one answer and the next, which has begun
// to be written by then. Without callhome's writer.retry the answer would be lost; had
// the retry not what was put before it had a connection, the router would see it cut.
func TestAPooledConnectionIsResetAsAnAnswerTakesIt(t *testing.T) {
	clean(t)
	sc := siteConfig{}
	wire := behind(t, muxHome, &sc, &shopConfig{})
	s := newSite(t, sc)
	armed := false // the calls come one after another
	w := newShop(t, shopConfig{Pairs: muxHome.pairs(), Home: muxHome.home, store: s.store, opened: func() {
		if armed {
			wire.heal() // resets what was silent: the router has not seen the handshake
		}
	}}, nil)
	for range 50 {
		armed = false
		echoes(t, s)
		w.settled(t) // the connection is back in the pool
		before := w.dialer.Stat().Reused
		armed = true
		wire.swallow()
		echoes(t, s)
		if w.dialer.Stat().Reused == before {
			t.Fatal("the answer took no connection that was there")
		}
		w.settled(t)
	}
	if wire.resets.Load() < 50 {
		t.Fatalf("%d connections were reset; want 50", wire.resets.Load())
	}
}

// Without probes (tcpplane's Limits) both sides of a half-open connection would wait for
// ever: nothing closes it.
func TestAHalfOpenMuxConnection(t *testing.T) {
	clean(t)
	limits := tcpplane.Limits{ProbeAfter: 100 * time.Millisecond, ProbeTimeout: 200 * time.Millisecond}
	wire := newProxy(t)
	said := make(chan string, 64)
	s := newSite(t, siteConfig{limits: limits})
	newShop(t, shopConfig{Pairs: mux.pairs(), Home: mux.home, store: s.store, limits: limits, through: wire.through}, func(what string) { said <- what })
	stream := begin(t, s, "three", 3)
	awaitSaid(t, said, "waiting", soon)
	wire.swallow()
	terminal(t, rest(stream), soon, planes.PhaseStarted, planes.CodePeerLost)
	awaitSaid(t, said, "cancelled", soon)
	if wire.swallowed.Load() == 0 {
		t.Fatal("the proxy swallowed nothing")
	}
	wire.heal()
	echoes(t, s)
}

// Without httpplane's IdleTimeout the caller would wait for ever for the heartbeat that
// does not come.
func TestAHalfOpenHTTPConnection(t *testing.T) {
	clean(t)
	wire := newProxy(t)
	said := make(chan string, 64)
	s := newSite(t, siteConfig{http: httpplane.ClientConfig{IdleTimeout: 300 * time.Millisecond}})
	newShop(t, shopConfig{Pairs: exchange.pairs(), Home: exchange.home, store: s.store, http: httpplane.ServerConfig{Heartbeat: 50 * time.Millisecond}, through: wire.through},
		func(what string) { said <- what })
	stream := begin(t, s, "three", 3)
	awaitSaid(t, said, "waiting", soon)
	wire.swallow()
	terminal(t, rest(stream), soon, planes.PhaseStarted, planes.CodePeerLost)
	testenv.Eventually(t, soon, "the proxy swallows heartbeats", func() bool { return wire.swallowed.Load() > 0 })
	wire.heal() // net/http learns of it only now
	awaitSaid(t, said, "cancelled", soon)
	echoes(t, s)
}

// Nothing probes a call-home: the released wire has no word for it. Without the time of
// the request in the envelope the worker's handler would run for ever; without the
// stream's context its router would wait as long.
func TestAHalfOpenCallHome(t *testing.T) {
	for _, p := range []way{muxHome, muxed, released} {
		t.Run(p.name(), func(t *testing.T) {
			clean(t)
			said := make(chan string, 64)
			sc, wc := siteConfig{}, shopConfig{Pairs: p.pairs(), Home: p.home, EndWait: 200 * time.Millisecond}
			wire := behind(t, p, &sc, &wc)
			s := newSite(t, sc)
			wc.store = s.store
			newShop(t, wc, func(what string) { said <- what })
			ctx := testenv.Context(t, 10*time.Second)
			stream, err := s.Stream(ctx, path, &planes.Request{Payload: []byte("three"), Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := stream.Recv(ctx); err != nil {
					t.Fatal(err)
				}
			}
			awaitSaid(t, said, "waiting", soon)
			wire.swallow()
			terminal(t, rest(stream), soon, planes.PhaseStarted, planes.CodeDeadline)
			awaitSaid(t, said, "cancelled", soon)
			testenv.Eventually(t, soon, "the proxy swallows the worker's end", func() bool { return wire.swallowed.Load() > 0 })
			wire.heal()
			echoes(t, s)
		})
	}
}

// A worker calls home where nobody listens any more. Without the worker's OpenFailed and
// the end that it tells its observer, nobody would ever know; without OpenTimeout it
// could wait for long.
func TestACallHomeToADeadRouter(t *testing.T) {
	for _, p := range []way{muxHome, muxed, released, natsHome} {
		for _, single := range []bool{true, false} {
			t.Run(p.name()+map[bool]string{true: "/single", false: "/pooled"}[single], func(t *testing.T) {
				clean(t)
				url := natsFor(t, p)
				s := newSite(t, siteConfig{nats: url})
				said, gate := make(chan string, 64), make(chan struct{})
				w := newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, store: s.store, Single: single, gate: gate},
					func(what string) { said <- what })
				r := startProcess(t, routerOf(t, s.store, url, "none", 0))
				awaitSaid(t, said, "opening", soon)
				r.kill()
				close(gate)
				testenv.Eventually(t, soon, "the worker counts it", func() bool { return w.Stat().OpenFailed == 1 })
				w.settled(t)
				got := w.seen.failures()
				if len(got) != 1 || planes.CodeOf(got[0]) != planes.CodeTransport || !planes.SafeToRetry(got[0]) {
					t.Errorf("the worker observed %v; want one terminal of TRANSPORT, not started", got)
				}
				if len(said) > 0 {
					t.Errorf("the handler ran: it says %q", <-said)
				}
				echoes(t, s) // for another router
			})
		}
	}
}

// A router that takes a call-home and never answers it, as one that hangs. Without
// callhome's EndTimeout the worker would keep the connection for ever.
func TestACallHomeThatNobodyAnswers(t *testing.T) {
	for _, single := range []bool{true, false} {
		t.Run(map[bool]string{true: "single", false: "pooled"}[single], func(t *testing.T) {
			clean(t)
			sc := siteConfig{}
			wire := behind(t, muxHome, &sc, &shopConfig{})
			s := newSite(t, sc)
			w := newShop(t, shopConfig{Pairs: muxHome.pairs(), Home: muxHome.home, store: s.store, Single: single, EndWait: 200 * time.Millisecond}, nil)
			echoes(t, s)
			w.settled(t)
			wire.swallow()
			o := call(testenv.Context(t, 5*time.Second), s, "echo")
			terminal(t, o, soon, planes.PhaseMaybe, planes.CodeDeadline)
			if wire.swallowed.Load() == 0 {
				t.Fatal("the proxy swallowed nothing")
			}
			w.settled(t)
			if n := w.dialer.Stat().Idle; n != 0 {
				t.Errorf("%d idle connections; that without an answer must not be used again", n)
			}
			wire.heal()
			echoes(t, s)
		})
	}
}

// Without callhome's PrologueTimeout the call would never end; without the memory of
// subjects that are over, the call-home that comes too late would not be told from one
// that nobody knows.
func TestACallHomeThatComesTooLate(t *testing.T) {
	for _, p := range []way{muxHome, muxed, released, natsHome} {
		t.Run(p.name(), func(t *testing.T) {
			clean(t)
			url := natsFor(t, p)
			said, gate := make(chan string, 64), make(chan struct{})
			s := newSite(t, siteConfig{nats: url})
			w := newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, EndWait: 500 * time.Millisecond, store: s.store, gate: gate}, func(what string) { said <- what })
			o := call(testenv.Context(t, 5*time.Second), s, "none")
			terminal(t, o, soon, planes.PhaseMaybe, planes.CodeDeadline)
			if n := s.home.Stat().Pending; n != 0 {
				t.Errorf("%d answers are still waited for", n)
			}
			awaitSaid(t, said, "opening", soon)
			close(gate)
			if p != muxed { // whose worker waits for a router that does not come, for MeetTimeout
				testenv.Eventually(t, soon, "the late call-home is counted", func() bool {
					return s.home.Stat().Rejected["late"] == 1 && s.seen.rejected("late") == 1
				})
			}
			w.settled(t)
			if got := w.seen.failures(); len(got) != 1 {
				t.Errorf("the worker observed %v; want one terminal", got)
			}
			echoes(t, s)
		})
	}
}
