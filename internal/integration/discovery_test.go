package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/discovery/discoverytest"
	"github.com/wireplane/wireplane/discovery/etcd"
	"github.com/wireplane/wireplane/internal/integration/etcdtest"
	"github.com/wireplane/wireplane/internal/testenv"
)

func openEtcd(t *testing.T, srv *etcdtest.Server) *etcd.Store {
	t.Helper()
	s, err := etcd.Open(t.Context(), etcd.Config{
		Config:    discovery.Config{TTL: 2 * time.Second, Heartbeat: 500 * time.Millisecond},
		Endpoints: []string{srv.URL()}, OpTimeout: 2 * time.Second, Probe: 100 * time.Millisecond,
		DeleteGrace: 5 * time.Second, RejoinSpread: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEtcdConforms(t *testing.T) {
	srv := etcdtest.Start(t)
	raw := srv.Client()
	discoverytest.Run(t, func(t *testing.T) discoverytest.Backend {
		if _, err := raw.Delete(t.Context(), "", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		return discoverytest.Backend{
			Open: func() discovery.Store { return openEtcd(t, srv) },
			Put: func(key string, value []byte) {
				if _, err := raw.Put(t.Context(), key, string(value)); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

// A worker that lives, and a router whose events are all kept.
type party struct {
	*testing.T
	srv            *etcdtest.Server
	worker, router *etcd.Store
	reg            discovery.Registration
	cache          *discovery.Cache
	deletes        chan discovery.Change
}

const demoRoute = "demo/backend/generate"

func newParty(t *testing.T) *party {
	t.Helper()
	srv := etcdtest.Start(t)
	p := &party{T: t, srv: srv, worker: openEtcd(t, srv), router: openEtcd(t, srv), deletes: make(chan discovery.Change, 100)}
	var err error
	p.reg, err = p.worker.Register(t.Context(), discovery.Instance{
		Namespace: "demo", Component: "backend", Endpoint: "generate", Transport: discovery.TCPTCP("10.0.0.7:9001/generate"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.cache, err = discovery.NewCache(p.router, discovery.CacheConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := p.cache.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.cache.OnChange(func(ch discovery.Change) {
		if len(ch.Removed) > 0 {
			p.deletes <- ch
		}
	})
	t.Cleanup(func() {
		_ = p.cache.Close()
		_ = p.worker.Close() // where etcd is down, the error says so
		_ = p.router.Close()
	})
	if i := p.reg.Instance(); i.ID != uint64(p.worker.Lease()) {
		t.Errorf("id %x; want that of the lease, %x", i.ID, p.worker.Lease())
	}
	return p
}

func (p *party) here(what string) {
	p.Helper()
	if got := p.cache.Lookup(demoRoute); len(got) != 1 || got[0].ID != uint64(p.worker.Lease()) {
		p.Errorf("%s: the router knows %+v", what, got)
	}
}

func (p *party) stored(want int) bool {
	ctx, cancel := context.WithTimeout(p.Context(), time.Second)
	defer cancel()
	all, err := p.router.List(ctx, discovery.Query{})
	return err == nil && len(all) == want
}

// undisturbed fails if the instance was ever away.
func (p *party) undisturbed() {
	p.Helper()
	p.here("at the end")
	select {
	case ch := <-p.deletes:
		p.Errorf("the router lost %+v", ch.Removed)
	default:
	}
	if p.reg.Err() != nil {
		p.Errorf("the registration ended: %v", p.reg.Err())
	}
}

// F-D1, F-D7: while etcd is down the router serves what it knows, and says how old it
// is; after a restart with data both go on.
func TestEtcdDownAndBackLosesNobody(t *testing.T) {
	p := newParty(t)
	p.srv.Stop()
	testenv.Eventually(t, 10*time.Second, "both to notice", func() bool {
		return p.router.Stat().Errors > 0 && p.worker.Stat().Errors > 0 && !p.router.Stat().Connected
	})
	testenv.Eventually(t, 10*time.Second, "the age to grow", func() bool { return p.cache.Age() > 500*time.Millisecond })
	p.here("while etcd is down")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.reg.Update(ctx, func(i *discovery.Instance) { i.Health.Status = discovery.Degraded }); err == nil {
		t.Error("an update without etcd succeeds")
	}
	p.srv.Restart()
	testenv.Eventually(t, 20*time.Second, "the update to arrive", func() bool {
		got := p.cache.Lookup(demoRoute)
		return len(got) == 1 && got[0].Health.Status == discovery.Degraded
	})
	testenv.Eventually(t, 10*time.Second, "the age to fall", func() bool { return p.cache.Age() < 500*time.Millisecond })
	p.undisturbed()
}

// F-D2: restarted empty, etcd has forgotten everybody; the worker is there again under
// its name, and the router never noticed.
func TestEtcdRestartedEmptyLosesNobody(t *testing.T) {
	p := newParty(t)
	p.srv.RestartEmpty()
	testenv.Eventually(t, 20*time.Second, "the loss to be noticed", func() bool { return p.worker.Stat().LeasesLost > 0 })
	testenv.Eventually(t, 20*time.Second, "the record to be back", func() bool { return p.stored(1) && p.worker.Stat().Registrations == 2 })
	testenv.Eventually(t, 20*time.Second, "the router to be in step", func() bool { return p.router.Stat().Resyncs > 0 && p.cache.Age() < 500*time.Millisecond })
	p.undisturbed()
	if err := p.reg.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "the delete to arrive", func() bool { return len(p.cache.Lookup(demoRoute)) == 0 })
}

// F-D2: who does not come back after the loss goes once the grace is over.
func TestEtcdRestartedEmptyForgetsTheDeadAfterTheGrace(t *testing.T) {
	p := newParty(t)
	p.srv.Stop()
	testenv.Eventually(t, 10*time.Second, "the router to notice", func() bool { return p.router.Stat().Errors > 0 })
	_ = p.worker.Close()
	p.srv.RestartEmpty()
	testenv.Eventually(t, 10*time.Second, "the hold", func() bool { return p.router.Stat().Held > 0 })
	p.here("within the grace")
	testenv.Eventually(t, 15*time.Second, "the end of the grace", func() bool { return len(p.cache.Lookup(demoRoute)) == 0 })
}

// F-D3: a watch from a revision that is compacted away is made anew without a flap.
func TestCompactionIsSurvivedWithoutAFlap(t *testing.T) {
	p := newParty(t)
	raw := p.srv.Client()
	p.srv.Stop()
	testenv.Eventually(t, 10*time.Second, "the router to notice", func() bool { return p.router.Stat().Errors > 0 })
	p.srv.Restart()
	var rev int64
	for range 20 {
		resp, err := raw.Put(t.Context(), "elsewhere", "x")
		if err != nil {
			t.Fatal(err)
		}
		rev = resp.Header.Revision
	}
	if _, err := raw.Compact(t.Context(), rev, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Get(t.Context(), "elsewhere", clientv3.WithRev(rev-1)); err == nil {
		t.Fatal("nothing was compacted")
	}
	if err := p.reg.Update(t.Context(), func(i *discovery.Instance) { i.Health.Status = discovery.Degraded }); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "a change to arrive", func() bool {
		got := p.cache.Lookup(demoRoute)
		return len(got) == 1 && got[0].Health.Status == discovery.Degraded
	})
	p.undisturbed()
}

// F-D4: a lease that expires while the worker lives is taken anew, of the same id.
// What could not be deleted while etcd was down is deleted once it is back, although the
// lease that keeps it goes on for others of the same store.
func TestADeregistrationWithoutEtcdIsMadeUpFor(t *testing.T) {
	p := newParty(t)
	mine := p.reg.Instance()
	other := mine
	other.ID, other.Epoch = mine.ID+1, 0
	kept, err := p.worker.Register(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	p.srv.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.reg.Deregister(ctx); err == nil {
		t.Fatal("a deregistration without etcd succeeds")
	}
	p.srv.Restart()
	testenv.Eventually(t, 20*time.Second, "the record to go, and the other to stay", func() bool {
		all, err := p.router.List(t.Context(), discovery.Query{})
		return err == nil && len(all) == 1 && all[0].ID == other.ID
	})
	if kept.Err() != nil || p.worker.Stat().LeasesLost != 0 {
		t.Errorf("%v, %+v; want that the lease lived on", kept.Err(), p.worker.Stat())
	}
	// The name is free to be taken again, and nothing removes it later.
	if _, err := p.worker.Register(t.Context(), mine); err != nil {
		t.Error(err)
	}
	testenv.Eventually(t, 10*time.Second, "both to be there", func() bool { return p.stored(2) })
}

func TestALostLeaseIsTakenAnewUnderTheSameName(t *testing.T) {
	p := newParty(t)
	raw := p.srv.Client()
	if _, err := raw.Revoke(t.Context(), clientv3.LeaseID(p.worker.Lease())); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.deletes: // the fault was injected
	case <-time.After(10 * time.Second):
		t.Fatal("the revocation shows nothing")
	}
	testenv.Eventually(t, 10*time.Second, "the worker to be back", func() bool { return len(p.cache.Lookup(demoRoute)) == 1 })
	p.here("after the loss")
	testenv.Eventually(t, 5*time.Second, "one loss and two registrations to be counted", func() bool {
		st := p.worker.Stat() // it counts after it has written
		return st.LeasesLost == 1 && st.Registrations == 2
	})
}

// Open tries for as long as it is told and then says who does not answer.
func TestOpenWithoutAServerEndsWithItsTimeout(t *testing.T) {
	start := time.Now()
	_, err := etcd.Open(t.Context(), etcd.Config{Endpoints: []string{"http://127.0.0.1:1"}, StartupTimeout: 300 * time.Millisecond})
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if _, err := etcd.Open(t.Context(), etcd.Config{}); err == nil {
		t.Error("no endpoints are accepted")
	}
}

// Records of released runtimes, in the keys of now and of up to v0.6, show like ours,
// and one whose lease nobody keeps alive goes with it.
func TestEtcdReadsReleasedRecordsOfBothLayouts(t *testing.T) {
	p := newParty(t)
	raw := p.srv.Client()
	lease, err := raw.Grant(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	const value = `{"component":"backend","endpoint":"old","namespace":"demo","instance_id":7587892019533100807,"transport":{"nats_tcp":"demo_backend.old-694d9b96e24ab707"}}`
	if _, err := raw.Put(t.Context(), "instances/demo/backend/old:694d9b96e24ab707", value, clientv3.WithLease(lease.ID)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "the old record", func() bool {
		got := p.cache.Lookup("demo/backend/old")
		return len(got) == 1 && got[0].ID == 7587892019533100807
	})
	testenv.Eventually(t, 10*time.Second, "its lease to expire", func() bool { return len(p.cache.Lookup("demo/backend/old")) == 0 })
	p.here("the other")
}
