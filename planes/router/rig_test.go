package router_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

const path = "a/b/c"

// rig is a router, its store, and workers in memory.
type rig struct {
	t       *testing.T
	net     *planetest.Network
	store   discovery.Store
	reg     *planes.TransportRegistry
	router  *router.Router
	workers []*worker.Worker
}

// bubble runs f with a rig where time costs nothing.
func bubble(t *testing.T, cfg router.Config, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: planetest.NewNetwork(), store: discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})}
		var err error
		if r.reg, err = planes.NewRegistry(planes.RegistryConfig{}); err != nil {
			t.Fatal(err)
		}
		if err := r.reg.RegisterRequest(r.net.RequestClient()); err != nil {
			t.Fatal(err)
		}
		cfg.Registry, cfg.Store = r.reg, r.store
		if r.router, err = router.New(cfg); err != nil {
			t.Fatal(err)
		}
		f(t, r)
		_ = r.router.Close()
		for _, w := range r.workers {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if err := w.Shutdown(ctx); err != nil {
				t.Errorf("worker: %v", err)
			}
			cancel()
		}
		_ = r.store.Close()
		if n := r.net.Streams(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

func host(instance uint64) string { return fmt.Sprintf("worker-%d", instance) }

// serve adds a worker whose calls h answers; nil answers with the instance's id.
func (r *rig) serve(instance uint64, cfg worker.Config, h planes.HandlerFunc) *worker.Worker {
	r.t.Helper()
	reg, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := reg.RegisterRequest(r.net.RequestServer(r.net.Listen(host(instance)))); err != nil {
		r.t.Fatal(err)
	}
	cfg.Registry, cfg.Store, cfg.Instance = reg, r.store, instance
	w, err := worker.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if h == nil {
		h = func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			return w.Send(fmt.Append(nil, instance))
		}
	}
	if err := w.Handle(path, h); err != nil {
		r.t.Fatal(err)
	}
	if err := w.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.workers = append(r.workers, w)
	synctest.Wait()
	return w
}

// call makes a call and returns the instance that answered.
func (r *rig) call(opts ...router.CallOption) (string, error) {
	out, err := r.router.Call(r.t.Context(), path, &planes.Request{}, opts...)
	return string(out), err
}

// spread makes n calls and counts who answered.
func (r *rig) spread(n int, opts ...router.CallOption) map[string]int {
	r.t.Helper()
	who := map[string]int{}
	for range n {
		got, err := r.call(opts...)
		if err != nil {
			r.t.Fatal(err)
		}
		who[got]++
	}
	return who
}

// held answers nothing until its caller leaves.
func held(ctx context.Context, _ *planes.Request, _ planes.ResponseWriter) error {
	<-ctx.Done()
	return ctx.Err()
}
