package faults_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/discovery/etcd"
	"github.com/wireplane/wireplane/internal/integration/etcdtest"
	"github.com/wireplane/wireplane/internal/testenv"
)

// load is callers that call one after another, without a pause.
type load struct {
	t             *testing.T
	calls, failed atomic.Int64
	stop          chan struct{}
	wg            sync.WaitGroup
	once          sync.Once
	mu            sync.Mutex
	first         error
}

func startLoad(t *testing.T, s *site, callers int) *load {
	t.Helper()
	l := &load{t: t, stop: make(chan struct{})}
	for range callers {
		l.wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				payload, items := "echo", 1
				if n%4 == 3 {
					payload, items = "sixteen", 16
				}
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				o := call(ctx, s, payload)
				cancel()
				l.calls.Add(1)
				if o.err != nil || o.items != items {
					l.failed.Add(1)
					l.mu.Lock()
					if l.first == nil {
						l.first = fmt.Errorf("%d items, %w", o.items, o.err)
					}
					l.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// more waits for n further calls.
func (l *load) more(n int64) {
	l.t.Helper()
	from := l.calls.Load()
	testenv.Eventually(l.t, 10*time.Second, "further calls", func() bool { return l.calls.Load() >= from+n })
}

func (l *load) end() {
	l.once.Do(func() { close(l.stop) })
	l.wg.Wait()
}

// unhurt ends the load, of which no call may have failed.
func (l *load) unhurt() {
	l.t.Helper()
	l.end()
	if n := l.failed.Load(); n > 0 {
		l.t.Fatalf("%d of %d calls failed, the first with %v", n, l.calls.Load(), l.first)
	}
	l.t.Logf("%d calls, 0 failed", l.calls.Load())
}

// cluster is an etcd with two workers and a router, each with a store of its own, and a
// load on them.
type cluster struct {
	*testing.T
	srv    *etcdtest.Server
	wires  [3]*proxy // of the two workers and the router
	stores [3]*etcd.Store
	shops  [2]*shop
	site   *site
	load   *load
}

const leaseTime = 2 * time.Second

func (c *cluster) open(through *proxy) *etcd.Store {
	c.Helper()
	endpoint := c.srv.URL()
	if through != nil {
		u, err := url.Parse(endpoint)
		if err != nil {
			c.Fatal(err)
		}
		to, err := net.ResolveTCPAddr("tcp", u.Host)
		if err != nil {
			c.Fatal(err)
		}
		endpoint = "http://" + through.through(to)
	}
	s, err := etcd.Open(c.Context(), etcd.Config{
		Config:    discovery.Config{TTL: leaseTime, Heartbeat: 300 * time.Millisecond},
		Endpoints: []string{endpoint}, OpTimeout: time.Second, Probe: 100 * time.Millisecond,
		DeleteGrace: 5 * time.Second, RejoinSpread: 100 * time.Millisecond,
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = s.Close() })
	return s
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	clean(t)
	c := &cluster{T: t, srv: etcdtest.Start(t)}
	for i := range c.stores {
		c.wires[i] = newProxy(t)
		c.stores[i] = c.open(c.wires[i])
	}
	c.site = newSite(t, siteConfig{store: c.stores[2]})
	for i := range c.shops {
		c.shops[i] = newShop(t, shopConfig{Pairs: mux.pairs(), Home: mux.home, Instance: uint64(i + 1), store: c.stores[i]}, nil)
	}
	c.knows(2)
	c.load = startLoad(t, c.site, 8)
	c.load.more(100)
	return c
}

// knows waits until the router knows n instances.
func (c *cluster) knows(n int) {
	c.Helper()
	testenv.Eventually(c, 10*time.Second, fmt.Sprintf("the router knows %d instances", n), func() bool {
		list, err := c.site.Instances(context.Background(), path)
		return err == nil && len(list) == n
	})
}

// called waits until an instance gets calls.
func (c *cluster) called(s *shop) {
	c.Helper()
	from := s.Stat().Served
	testenv.Eventually(c, 10*time.Second, "the instance is called", func() bool { return s.Stat().Served > from+10 })
}

// recovered shows that discovery works: a third worker is found, and called, and
// everybody's record is there.
func (c *cluster) recovered() {
	c.Helper()
	third := newShop(c.T, shopConfig{Pairs: mux.pairs(), Home: mux.home, Instance: 3, store: c.open(nil)}, nil)
	c.knows(3)
	for _, s := range []*shop{c.shops[0], c.shops[1], third} {
		c.called(s)
	}
	testenv.Eventually(c, 10*time.Second, "the records of all are in etcd", func() bool {
		list, err := c.stores[2].List(c.Context(), discovery.QueryPath(path))
		return err == nil && len(list) == 3
	})
	c.load.unhurt()
}

func (c *cluster) noticed() {
	c.Helper()
	testenv.Eventually(c, 10*time.Second, "the stores notice", func() bool {
		for _, s := range c.stores {
			if s.Stat().Connected {
				return false
			}
		}
		return true
	})
}

// Without the view that a watch keeps while etcd is away, the router would have nobody
// to call.
func TestEtcdIsKilled(t *testing.T) {
	c := newCluster(t)
	c.srv.Stop()
	c.noticed()
	// For longer than the leases live: they do not run out while etcd is down, and the
	// router must not think that they do.
	down := time.NewTimer(leaseTime + 500*time.Millisecond)
	defer down.Stop()
	<-down.C
	c.load.more(1000)
	c.srv.Restart()
	c.recovered()
}

// Without watches that begin again, the router would never learn of anything new.
func TestEtcdIsRestarted(t *testing.T) {
	c := newCluster(t)
	for range 3 {
		c.srv.Restart()
		c.load.more(100)
	}
	c.recovered()
}

// Without the hold on deletes, the empty list of an etcd that has lost everything would
// empty the router's; without re-registration nobody would come back.
func TestEtcdIsRestartedEmpty(t *testing.T) {
	c := newCluster(t)
	c.wires[0].swallow() // so that the router sees it before they are back
	c.wires[1].swallow()
	c.srv.RestartEmpty()
	testenv.Eventually(t, 10*time.Second, "the router sees the empty cluster", func() bool { return c.stores[2].Stat().Held >= 2 })
	c.load.more(1000)
	c.wires[0].heal()
	c.wires[1].heal()
	testenv.Eventually(t, 10*time.Second, "both workers see that their lease is lost", func() bool {
		return c.stores[0].Stat().LeasesLost > 0 && c.stores[1].Stat().LeasesLost > 0
	})
	c.recovered()
}

// Without the list behind a compaction, a watch that asks for what is gone would end.
func TestEtcdIsCompactedWhileARouterIsCutOff(t *testing.T) {
	c := newCluster(t)
	raw := c.srv.Client()
	before := c.stores[2].Stat().Resyncs
	c.wires[2].swallow()
	var rev int64
	for i := range 50 {
		resp, err := raw.Put(t.Context(), "v1/instances/faults/other/x/1", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		rev = resp.Header.Revision
	}
	if _, err := raw.Compact(t.Context(), rev, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	c.load.more(100)
	c.wires[2].heal()
	testenv.Eventually(t, 10*time.Second, "the watch reads everything anew", func() bool { return c.stores[2].Stat().Resyncs > before })
	c.recovered()
}

// Without a lost lease that is taken anew under the same id, a worker that was cut off from
// etcd for longer than its lease would live on uncalled.
func TestALeaseExpiresWhileItsWorkerLives(t *testing.T) {
	c := newCluster(t)
	c.wires[0].swallow()
	c.knows(1)
	c.load.more(1000) // by the other
	c.wires[0].heal()
	c.knows(2)
	if n := c.stores[0].Stat().LeasesLost; n == 0 {
		t.Error("the worker has lost no lease")
	}
	c.recovered()
}
