package faults_test

import (
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
)

// natsFor starts a NATS server if the combination needs one.
func natsFor(t *testing.T, p way) string {
	t.Helper()
	if p.Request != planes.NATS {
		return ""
	}
	return natstest.Start(t, 0).URL()
}

// each runs f for each combination.
func each(t *testing.T, f func(t *testing.T, p way)) {
	t.Helper()
	for _, p := range all {
		t.Run(p.name(), func(t *testing.T) { clean(t); f(t, p) })
	}
}

// async makes a call whose outcome comes on the channel.
func async(t *testing.T, s *site, payload string) <-chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	ctx := testenv.Context(t, 10*time.Second)
	go func() { done <- call(ctx, s, payload) }()
	return done
}

// Nobody knows whether a request that was sent and not acknowledged runs: without a
// phase that says so (tcpplane's and httpplane's errors of lost connections,
// natsplane's deadline), the router would send it to the other instance as well.
func TestAWorkerIsKilledBeforeTheAck(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		url := natsFor(t, p)
		s := newSite(t, siteConfig{nats: url})
		w := startWorker(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, Instance: 1, Hang: "dispatch"}, s.store)
		done := async(t, s, "echo")
		w.await("taken")
		served := make(chan string, 8)
		other := newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, Instance: 2, store: s.store}, func(what string) { served <- what })
		w.kill()
		since := time.Now()
		o := <-done
		if o.after = time.Since(since); p.Request == planes.NATS { // which does not know who is gone
			terminal(t, o, soon, planes.PhaseMaybe, planes.CodeDeadline)
		} else {
			terminal(t, o, soon, planes.PhaseMaybe, planes.CodeTransport, planes.CodePeerLost)
		}
		if n := other.Stat().Served; n != 0 {
			t.Errorf("the other instance served %d calls; one that may run must not be repeated", n)
		}
	})
}

// Between the ack and the first byte of the answer, a call-home has no connection whose
// loss could be seen: without callhome's PrologueTimeout the call would never end.
func TestAWorkerIsKilledBetweenAckAndStart(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		url := natsFor(t, p)
		s := newSite(t, siteConfig{nats: url})
		if p.Response != planes.Exchange {
			w := startWorker(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, Hang: "open"}, s.store)
			done := async(t, s, "echo")
			w.await("opening")
			testenv.Eventually(t, soon, "the ack has come", func() bool { return s.seen.finished("request over "+string(p.Request)) == 1 })
			w.kill()
			since := time.Now()
			o := <-done
			o.after = time.Since(since)
			if p == attached { // its router is connected already
				terminal(t, o, soon, planes.PhaseMaybe, planes.CodeTransport, planes.CodePeerLost)
			} else {
				terminal(t, o, soon, planes.PhaseMaybe, planes.CodeDeadline)
			}
			if n := s.home.Stat().Pending; n != 0 {
				t.Errorf("%d answers are still waited for", n)
			}
			return
		}
		w := startWorker(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url}, s.store)
		stream := begin(t, s, "none", 0)
		w.await("waiting")
		echoes(t, s) // on the same connection behind the ack, so that the ack has come
		w.kill()
		o := rest(stream)
		// That a request was taken does not say that its handler runs: only its first item does.
		terminal(t, o, soon, planes.PhaseMaybe, planes.CodeTransport, planes.CodePeerLost)
	})
}

// Without the totals at the end of every answer a connection that closes would look
// like a clean end, and without the phase the call would be made again.
func TestAWorkerIsKilledInMidStream(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		url := natsFor(t, p)
		s := newSite(t, siteConfig{nats: url})
		w := startWorker(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url}, s.store)
		stream := begin(t, s, "three", 3)
		w.await("waiting")
		w.kill()
		e := terminal(t, rest(stream), soon, planes.PhaseStarted, planes.CodeTransport, planes.CodePeerLost)
		if e.Items != 3 {
			t.Errorf("the terminal counts %d items; 3 came", e.Items)
		}
		if got := s.seen.failures(); len(got) != 1 {
			t.Errorf("%d terminals were observed, want one: %v", len(got), got)
		}
	})
}

// Without a watch on the connection to the router (tcpplane's, net/http's, the reader of
// a call-home), a handler would work on for a router that is gone.
func TestARouterIsKilled(t *testing.T) {
	each(t, func(t *testing.T, p way) {
		for _, payload := range []string{"none", "three"} {
			t.Run(payload, func(t *testing.T) {
				clean(t)
				url := natsFor(t, p)
				store := discovery.NewMemory().Open(discovery.Config{})
				t.Cleanup(func() { _ = store.Close() })
				said := make(chan string, 16)
				newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: url, store: store}, func(what string) { said <- what })
				n := 0
				if payload == "three" {
					n = 3
				}
				r := startProcess(t, routerOf(t, store, url, payload, n))
				r.await("reading")
				if got := <-said; got != "waiting" {
					t.Fatalf("the handler says %q before the fault", got)
				}
				r.kill()
				select {
				case <-said:
				case <-time.After(soon):
					t.Fatalf("the handler runs %v after its router was killed", soon)
				}
			})
		}
	})
}
