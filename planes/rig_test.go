package planes_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

const route = "a/b/c"

// rig is a router's registry with two request transports, "first" and "second", and the
// call-home transport "home" over the first one's network, and workers behind them.
type rig struct {
	t       testing.TB
	reg     *planes.TransportRegistry
	nets    map[planes.TransportID]*planetest.Network
	tally   *planetest.Tally
	home    *planetest.Home
	workers []*worker.Worker

	mu       sync.Mutex
	ran      map[uint64]int // handlers that ran, by instance
	moves    []string       // fall-backs
	breakers []string       // changes
}

func newRig(t testing.TB, cfg planes.BreakerConfig) *rig {
	t.Helper()
	r := &rig{t: t, nets: map[planes.TransportID]*planetest.Network{}, tally: planetest.NewTally(), ran: map[uint64]int{}}
	reg, err := planes.NewRegistry(planes.RegistryConfig{Breaker: cfg, Observer: planes.Observers(r.tally.Observer(), planes.Observer{
		Fallback: func(from, to planes.CallInfo, _ error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.moves = append(r.moves, fmt.Sprintf("%d/%s>%d/%s", from.Instance, from.Transport, to.Instance, to.Transport))
		},
		Breaker: func(instance uint64, id planes.TransportID, open bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.breakers = append(r.breakers, fmt.Sprintf("%d/%s %v", instance, id, open))
		},
	})})
	if err != nil {
		t.Fatal(err)
	}
	r.reg = reg
	for i, id := range []planes.TransportID{"first", "second"} {
		n := planetest.NewNetwork()
		r.nets[id] = n
		c := n.RequestClient()
		c.ID, c.Priority = id, i
		if err := reg.RegisterRequest(c); err != nil {
			t.Fatal(err)
		}
	}
	r.home = r.nets["first"].Home("router")
	h := r.nets["first"].ResponseServer(r.home)
	h.ID = "home"
	if err := reg.RegisterResponse(h); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve adds a worker, and returns the ways to call it: first+exchange, second+exchange
// and first+home.
func (r *rig) serve(instance uint64, cfg worker.Config, h planes.HandlerFunc) planes.Target {
	r.t.Helper()
	host := fmt.Sprintf("worker-%d", instance)
	reg, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		r.t.Fatal(err)
	}
	t := planes.Target{Instance: instance}
	for _, id := range []planes.TransportID{"first", "second"} {
		s := r.nets[id].RequestServer(r.nets[id].Listen(host))
		s.ID = id
		if err := reg.RegisterRequest(s); err != nil {
			r.t.Fatal(err)
		}
		t.Offers = append(t.Offers, planes.Offer{
			Request:  planes.Endpoint{Transport: id, Address: s.Server.Address(route, instance)},
			Response: planes.Endpoint{Transport: planes.Exchange},
		})
	}
	c := r.nets["first"].ResponseClient(host)
	c.ID = "home"
	if err := reg.RegisterResponse(c); err != nil {
		r.t.Fatal(err)
	}
	home := t.Offers[0]
	home.Response.Transport = "home"
	t.Offers = append(t.Offers, home)
	cfg.Registry, cfg.Instance = reg, instance
	w, err := worker.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	counted := func(ctx context.Context, req *planes.Request, rw planes.ResponseWriter) error {
		r.mu.Lock()
		r.ran[instance]++
		r.mu.Unlock()
		return h(ctx, req, rw)
	}
	if err := w.HandleFunc(route, counted); err != nil {
		r.t.Fatal(err)
	}
	if err := w.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.workers = append(r.workers, w)
	return t
}

// close shuts everything down and checks the books.
func (r *rig) close() {
	r.t.Helper()
	for _, w := range r.workers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := w.Shutdown(ctx); err != nil {
			r.t.Errorf("worker: %v", err)
		}
		cancel()
	}
	_ = r.home.Close()
	if n, err := r.tally.Open(); n != 0 || err != nil {
		r.t.Errorf("%d call halves have no end; %v", n, err)
	}
	for id, n := range r.nets {
		if k := n.Streams(); k != 0 {
			r.t.Errorf("%s: %d streams are open", id, k)
		}
	}
}

// lose makes a network lose every call at a stage.
func lose(stage planetest.Stage, late bool) func(planetest.Point) planetest.Fault {
	return func(p planetest.Point) planetest.Fault {
		return planetest.Fault{Lose: p.Stage == stage, Late: late}
	}
}

// call makes a call and reads it to its end.
func (r *rig) call(targets ...planes.Target) ([][]byte, error) {
	return r.do(r.t.Context(), &planes.Request{Route: route}, targets...)
}

func (r *rig) do(ctx context.Context, req *planes.Request, targets ...planes.Target) ([][]byte, error) {
	s, err := r.reg.Do(ctx, planes.Call{Request: req, Next: inTurn(targets)})
	if err != nil {
		return nil, err
	}
	return planes.Collect(ctx, s, 1<<20)
}

// inTurn offers the targets one after the other.
func inTurn(targets []planes.Target) func(error) (planes.Target, bool) {
	return func(error) (planes.Target, bool) {
		if len(targets) == 0 {
			return planes.Target{}, false
		}
		t := targets[0]
		targets = targets[1:]
		return t, true
	}
}

func only(t planes.Target, offers ...int) planes.Target {
	var list []planes.Offer
	for _, i := range offers {
		list = append(list, t.Offers[i])
	}
	t.Offers = list
	return t
}

func item(text string) planes.HandlerFunc {
	return func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error { return w.Send([]byte(text)) }
}

// bubble runs f in a bubble of synctest, where time costs nothing.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
