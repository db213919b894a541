package faults_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
)

// counts returns the calls that began so far, by plane and transport.
func (l *ledger) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.started)
}

// since prints what came to counts since before.
func since(before, now map[string]int) string {
	var list []string
	for name, n := range now {
		if n > before[name] {
			list = append(list, fmt.Sprintf("%s %d", name, n-before[name]))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// One endpoint has three instances, each with other transports, and one of them is
// switched twice while it is called. A drained instance is called until the router hears
// of it: without the retry elsewhere of what it refuses, calls would fail.
func TestAMixedDeployment(t *testing.T) {
	clean(t)
	srv := natstest.Start(t, 0)
	dir := t.TempDir()
	open := func() discovery.Store { // files: a router hears of a drain late, and calls who refuses
		st, err := discovery.OpenFile(discovery.FileConfig{Dir: dir, Poll: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		return st
	}
	s := newSite(t, siteConfig{nats: srv.URL(), store: open()})
	instance := func(id uint64, p way) *shop {
		return newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, NATS: srv.URL(), Instance: id, store: open()}, nil)
	}
	instance(1, mux)
	instance(2, exchange)
	third := instance(3, natsHome)
	testenv.Eventually(t, soon, "the router knows all three", func() bool {
		list, err := s.Instances(context.Background(), path)
		return err == nil && len(list) == 3
	})
	const callers = 12
	l := startLoad(t, s, callers)
	stage := func(what string, expect ...string) {
		t.Helper()
		before, calls := s.seen.counts(), l.calls.Load()
		l.more(3000)
		now := s.seen.counts()
		t.Logf("%-34s %6d calls, %d failed: %s", what, l.calls.Load()-calls, l.failed.Load(), since(before, now))
		for _, name := range expect {
			if now[name]-before[name] < 500 {
				t.Errorf("%s: %d calls %s; want a third of all", what, now[name]-before[name], name)
			}
		}
		if over := "request over nats"; !slices.Contains(expect, over) && now[over] > before[over]+callers {
			t.Errorf("%s: %d calls %s, where nobody is", what, now[over]-before[over], over)
		}
	}
	switchTo := func(p way) {
		t.Helper()
		before := third.Stat().Served
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := third.Shutdown(ctx); err != nil {
			t.Fatalf("drain: %v", err)
		}
		if before == 0 {
			t.Fatal("the instance was drained before it was called")
		}
		third = instance(3, p)
		testenv.Eventually(t, soon, "the instance is called again", func() bool { return third.Stat().Served > 0 })
	}
	stage("tcp, http, nats+call-home:", "request over tcp", "request over http", "request over nats", "response over tcp")
	switchTo(mux)
	stage("the third is switched to tcp:", "request over tcp", "request over http")
	switchTo(exchange)
	stage("the third is switched to http:", "request over tcp", "request over http")
	l.unhurt()
	testenv.Eventually(t, soon, "every call has its terminal", func() bool { return s.seen.open() == "" })
	moved := s.seen.moved()
	if moved == 0 {
		t.Error("no drain has refused a call: the router was told before it could call")
	}
	t.Logf("in all: %s; as many ended; %d calls that a drain refused went on to another instance", since(nil, s.seen.counts()), moved)
}
