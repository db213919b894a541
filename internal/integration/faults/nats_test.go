package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/natsplane"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// atOnce checks that calls fail, safe to retry, within 100 ms: most of them, for one may
// meet a busy machine, and each before a timeout could have ended it.
func atOnce(t *testing.T, s *site, code planes.Code) {
	t.Helper()
	quick := 0
	for range 10 {
		o := call(testenv.Context(t, 5*time.Second), s, "echo")
		if e := terminal(t, o, ackTimeout*2/3, planes.PhaseNotStarted, code); !planes.SafeToRetry(e) {
			t.Errorf("%v; want it safe to retry", e)
		}
		if o.after <= 100*time.Millisecond {
			quick++
		}
	}
	if quick < 8 {
		t.Errorf("%d of 10 calls failed within 100 ms; want nearly all", quick)
	}
}

// Without the error at once that natsplane returns while it is not connected, requests
// would gather in the buffer of nats.go and run later, or their callers would wait.
func TestNATSGoneAndBack(t *testing.T) {
	clean(t)
	srv := natstest.Start(t, 0)
	said := make(chan string, 64)
	s := newSite(t, siteConfig{nats: srv.URL()})
	w := newShop(t, shopConfig{Pairs: natsHome.pairs(), Home: natsHome.home, NATS: srv.URL(), store: s.store}, func(what string) { said <- what })
	echoes(t, s)
	running := begin(t, s, "three", 3)
	awaitSaid(t, said, "waiting", soon)

	srv.Stop()
	testenv.Eventually(t, soon, "NATS is away", func() bool { return !s.nats.Connected() && !w.nats.Connected() })
	atOnce(t, s, planes.CodeTransport)
	if n := len(said); n > 0 {
		t.Errorf("a call whose answer comes by another way was disturbed: %q", <-said)
	}

	srv.Restart()
	testenv.Eventually(t, 5*time.Second, "NATS is back", func() bool { return s.nats.Connected() && w.nats.Connected() })
	testenv.Eventually(t, 5*time.Second, "calls work again", func() bool {
		return call(testenv.Context(t, 5*time.Second), s, "echo").err == nil
	})
	testenv.Eventually(t, soon, "only the long call runs", func() bool { return w.Stat().Running == 1 })
	served := w.Stat().Served
	for range 10 {
		echoes(t, s)
	}
	testenv.Eventually(t, soon, "each call ran once, and none of before", func() bool { return w.Stat().Served == served+10 })
	running.Stop()
	terminal(t, rest(running), soon, planes.PhaseStarted, planes.CodeCancelled)
}

// Without the fall-back to the next transport of an instance the calls would fail while
// NATS is away.
func TestCallsGoAnotherWayWhileNATSIsGone(t *testing.T) {
	clean(t)
	srv := natstest.Start(t, 0)
	s := newSite(t, siteConfig{nats: srv.URL(), natsFirst: true})
	newShop(t, shopConfig{Pairs: []worker.Pair{natsHome.Pair, mux.Pair}, NATS: srv.URL(), store: s.store}, nil)
	echoes(t, s)
	if n := s.seen.began("request over nats"); n != 1 {
		t.Fatalf("%d calls went over NATS; want the first", n)
	}
	srv.Stop()
	testenv.Eventually(t, soon, "NATS is away", func() bool { return !s.nats.Connected() })
	for range 100 {
		echoes(t, s)
	}
	if n := s.seen.began("request over tcp"); n != 100 {
		t.Errorf("%d calls went over TCP; want 100", n)
	}
}

// A worker is drained while NATS is away. Without natsplane's look at the connection, it
// would wait for the server's answer to the end of its subscription; without the bound
// on that step, the calls that run would have no time left.
func TestAWorkerIsDrainedWhileNATSIsGone(t *testing.T) {
	clean(t)
	srv := natstest.Start(t, 0)
	s := newSite(t, siteConfig{nats: srv.URL()})
	said := make(chan string, 64)
	w := newShop(t, shopConfig{Pairs: natsHome.pairs(), Home: natsHome.home, NATS: srv.URL(), store: s.store,
		handler: func(ctx context.Context, _ *planes.Request, out planes.ResponseWriter) error {
			said <- "waiting"
			<-worker.Draining(ctx)
			return out.Send([]byte("the last"))
		}}, nil)
	stream := begin(t, s, "", 0)
	awaitSaid(t, said, "waiting", soon)
	srv.Stop()
	testenv.Eventually(t, soon, "NATS is away", func() bool { return !w.nats.Connected() })
	since := time.Now()
	if err := w.Shutdown(testenv.Context(t, 5*time.Second)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if d := time.Since(since); d > time.Second {
		t.Errorf("the drain took %v", d)
	}
	if o := rest(stream); o.err != nil || o.items != 1 {
		t.Errorf("the call that ran got %d items, %v", o.items, o.err)
	}
}

// Without nats.go's "no responders", which natsplane makes the error, a call of an
// instance that is gone would wait for its whole time.
func TestNobodyListensOnTheSubject(t *testing.T) {
	clean(t)
	srv := natstest.Start(t, 0)
	s := newSite(t, siteConfig{nats: srv.URL()})
	dead := discovery.Instance{Namespace: "faults", Component: "backend", Endpoint: "generate", ID: 77,
		Transport: discovery.NATSTCP(natsplane.Subject(path, 77))}
	if _, err := s.store.Register(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	atOnce(t, s, planes.CodePeerLost)
}

// The record of a worker outlives it. Without the retry at another instance of what is
// known not to have started, each second call would fail until the record expires.
func TestADeadInstanceBesideALivingOne(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		url := natsFor(t, p)
		// The dead one is tried again and again, and each time costs a retry.
		s := newSite(t, siteConfig{nats: url, router: router.Config{Inhibit: -1, RetryShare: 1}})
		w := startWorker(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, Instance: 1}, s.store)
		echoes(t, s)
		w.kill()
		// A first call may be what finds out, where nothing has told of the loss.
		_ = call(testenv.Context(t, 5*time.Second), s, "echo")
		newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, Instance: 2, store: s.store}, nil)
		testenv.Eventually(t, soon, "the router knows both", func() bool {
			list, err := s.Instances(context.Background(), path)
			return err == nil && len(list) == 2
		})
		for range 50 {
			echoes(t, s)
		}
		if n := s.seen.moved(); n < 20 {
			t.Errorf("%d of 50 calls went on from the dead instance to the other; want half", n)
		}
	})
}
