package router_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

func TestPoliciesSpreadCalls(t *testing.T) {
	for name, policy := range router.Policies {
		t.Run(name, func(t *testing.T) {
			bubble(t, router.Config{Policy: policy}, func(t *testing.T, r *rig) {
				for i := range uint64(4) {
					r.serve(i+1, worker.Config{}, nil)
				}
				who := r.spread(400)
				least := 50 // of about 100 by chance
				if policy == router.RoundRobin {
					least = 100
				}
				for i := range 4 {
					if n := who[fmt.Sprint(i+1)]; n < least {
						t.Errorf("instance %d had %d of 400 calls (%v)", i+1, n, who)
					}
				}
				if policy.String() != name {
					t.Errorf("the policy calls itself %q", policy)
				}
			})
		})
	}
}

// The policies that count calls in flight leave a busy instance alone; the others can
// be told to for one call.
func TestBusyInstancesAreAvoided(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		busy := func(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
			if req.Header("hold") != "" {
				return held(ctx, req, w)
			}
			return w.Send([]byte("busy"))
		}
		r.serve(1, worker.Config{}, busy)
		r.serve(2, worker.Config{}, nil)
		var open []planes.StreamReader
		for range 20 {
			s, err := r.router.Stream(t.Context(), path, &planes.Request{Headers: []planes.Header{{Name: "hold", Value: "1"}}}, router.To(1))
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, s)
		}
		for _, p := range []router.Policy{router.LeastInFlight, router.PowerOfTwo} {
			if who := r.spread(50, router.With(p)); who["2"] != 50 {
				t.Errorf("%v: %v; want all at the idle one", p, who)
			}
		}
		if who := r.spread(50, router.With(router.RoundRobin)); who["busy"] != 25 {
			t.Errorf("round robin: %v; want half each", who)
		}
		for _, s := range open {
			_ = s.Close()
		}
		synctest.Wait()
		if who := r.spread(200, router.With(router.PowerOfTwo)); who["busy"] < 50 {
			t.Errorf("after the calls have ended: %v", who)
		}
	})
}

// Healthy instances come first, then degraded, then unhealthy ones.
func TestHealthTiers(t *testing.T) {
	for name, policy := range router.Policies {
		t.Run(name, func(t *testing.T) {
			bubble(t, router.Config{Policy: policy}, func(t *testing.T, r *rig) {
				var all []*worker.Worker
				for i := range uint64(3) {
					all = append(all, r.serve(i+1, worker.Config{}, nil))
				}
				say := func(i int, s discovery.HealthStatus) {
					t.Helper()
					h := discovery.Health{Status: s}
					if s != discovery.Healthy {
						h.Reason = "test"
					}
					if err := all[i].SetHealth(t.Context(), h); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				say(0, discovery.Unhealthy)
				say(1, discovery.Degraded)
				if who := r.spread(20); who["3"] != 20 {
					t.Errorf("one is healthy: %v", who)
				}
				say(2, discovery.Unhealthy)
				if who := r.spread(20); who["2"] != 20 {
					t.Errorf("one is degraded: %v", who)
				}
				say(1, discovery.Unhealthy)
				if who := r.spread(60); len(who) != 3 {
					t.Errorf("all are unhealthy: %v", who)
				}
				say(0, discovery.Healthy)
				if who := r.spread(20); who["1"] != 20 {
					t.Errorf("one is healthy again: %v", who)
				}
			})
		})
	}
}

// An instance that cannot be reached is left alone for a while, and tried again then.
func TestInhibition(t *testing.T) {
	bubble(t, router.Config{Inhibit: 5 * time.Second}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		r.serve(2, worker.Config{}, nil)
		dials, down := 0, true
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			if p.Stage != planetest.StageDial || p.Host != host(1) {
				return planetest.Fault{}
			}
			dials++
			return planetest.Fault{Lose: down}
		})
		if who := r.spread(50); who["2"] != 50 || dials != 1 {
			t.Errorf("%v after %d attempts at the one that is down; want one attempt", who, dials)
		}
		time.Sleep(5 * time.Second)
		down = false
		if who := r.spread(50); who["1"] != 25 {
			t.Errorf("it is up again: %v", who)
		}
	})
}

// The only instance is called even while it is inhibited.
func TestInhibitedIsBetterThanNone(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		r.net.SetFaults(func(p planetest.Point) planetest.Fault { return planetest.Fault{Lose: p.Stage == planetest.StageDial} })
		if _, err := r.call(); planes.CodeOf(err) != planes.CodeTransport {
			t.Errorf("%v; want TRANSPORT", err)
		}
		r.net.SetFaults(nil)
		if got, err := r.call(); got != "1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func thousand() (*planes.TransportRegistry, []discovery.Instance, error) {
	r, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		return nil, nil, err
	}
	n := planetest.NewNetwork()
	var list []discovery.Instance
	for i := range uint64(1000) {
		s := n.Listen(host(i))
		list = append(list, discovery.Instance{Namespace: "a", Component: "b", Endpoint: "c", ID: i + 1, Transport: discovery.UnifiedTransport(
			planes.Endpoint{Transport: planetest.Memory, Address: s.Address(path, i)}, planes.Endpoint{Transport: planes.Exchange})})
	}
	return r, list, r.RegisterRequest(n.RequestClient())
}

// Picking among 1,000 instances allocates nothing.
func TestPickAllocs(t *testing.T) {
	reg, list, err := thousand()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range router.Policies {
		pick := router.Picker(reg, list, p)
		if !pick() {
			t.Fatalf("%s: nobody was picked", name)
		}
		testenv.Allocs(t, 0, func() { pick() })
	}
}

func BenchmarkPick(b *testing.B) {
	reg, list, err := thousand()
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range router.Policies {
		b.Run(name, func(b *testing.B) {
			pick := router.Picker(reg, list, p)
			b.ReportAllocs()
			for b.Loop() {
				pick()
			}
		})
	}
}
