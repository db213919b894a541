package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const path = "a/b/c"

// rig is a worker in memory, and a registry that calls it.
type rig struct {
	t      *testing.T
	net    *planetest.Network
	store  discovery.Store
	worker *worker.Worker
	reg    *planes.TransportRegistry
	home   *planetest.Home
	told   *planetest.Tally
	target planes.Target
	reply  planes.TransportID // planes.Exchange or planetest.Memory
}

// eachWay runs f in a bubble for answers in the exchange and for answers elsewhere.
func eachWay(t *testing.T, cfg worker.Config, h planes.HandlerFunc, f func(t *testing.T, r *rig)) {
	t.Helper()
	for _, reply := range []planes.TransportID{planes.Exchange, planetest.Memory} {
		t.Run(string(reply), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, cfg, h, reply)
				f(t, r)
				r.close()
			})
		})
	}
}

func registry(t *testing.T) *planes.TransportRegistry {
	t.Helper()
	r, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newRig(t *testing.T, cfg worker.Config, h planes.HandlerFunc, reply planes.TransportID) *rig {
	t.Helper()
	r := &rig{t: t, net: planetest.NewNetwork(), store: discovery.NewMemory().Open(discovery.Config{Heartbeat: -1}),
		reg: registry(t), told: planetest.NewTally(), reply: reply}
	r.home = r.net.Home("router")
	serving := registry(t)
	for _, err := range []error{
		r.reg.RegisterRequest(r.net.RequestClient()),
		r.reg.RegisterResponse(r.net.ResponseServer(r.home)),
		serving.RegisterRequest(r.net.RequestServer(r.net.Listen("worker"))),
		serving.RegisterResponse(r.net.ResponseClient("worker")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg.Registry, cfg.Store, cfg.Observer, cfg.Instance = serving, r.store, r.told.Observer(), 7
	cfg.Offers = []worker.Pair{{Request: planetest.Memory, Response: reply}}
	var err error
	if r.worker, err = worker.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := r.worker.HandleFunc(path, h); err != nil {
		t.Fatal(err)
	}
	if err := r.worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	i := r.record()
	r.target = i.Target()
	return r
}

func (r *rig) record() discovery.Instance {
	r.t.Helper()
	list, err := r.store.List(r.t.Context(), discovery.QueryPath(path))
	if err != nil || len(list) != 1 {
		r.t.Fatal(list, err)
	}
	return list[0]
}

func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.worker.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
	_ = r.home.Close()
	_ = r.store.Close()
	synctest.Wait()
	if n, err := r.told.Open(); n != 0 || err != nil {
		r.t.Errorf("%d call halves have no end; %v", n, err)
	}
	if s := r.worker.Stat(); s.Running != 0 || s.Queued != 0 {
		r.t.Errorf("at the end %+v", s)
	}
}

// call makes a call and reads it to its end, in a goroutine.
func (r *rig) call(ctx context.Context, req planes.Request) <-chan error {
	done := make(chan error, 1)
	req.Route = path
	go func() {
		s, err := r.reg.Do(ctx, planes.Call{Request: &req, Next: planes.One(r.target)})
		if err == nil {
			_, err = planes.Collect(ctx, s, 1<<20)
		}
		done <- err
	}()
	synctest.Wait()
	return done
}

// gated handlers run until the gate gives.
func gated(gate chan struct{}) planes.HandlerFunc {
	return func(ctx context.Context, _ *planes.Request, _ planes.ResponseWriter) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// At most MaxInFlight handlers run and MaxQueued calls wait; the next is refused with
// advice, and a place that is given back is taken by who waited.
func TestBounds(t *testing.T) {
	for _, reply := range []planes.TransportID{planes.Exchange, planetest.Memory} {
		t.Run(string(reply), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				r := newRig(t, worker.Config{MaxInFlight: 2, MaxQueued: 3, RetryAfter: time.Second}, gated(gate), reply)
				var calls []<-chan error
				for range 5 {
					calls = append(calls, r.call(t.Context(), planes.Request{}))
				}
				if s := r.worker.Stat(); s.Running != 2 || s.Queued != 3 {
					t.Errorf("%+v; want 2 that run and 3 that wait", s)
				}
				err := <-r.call(t.Context(), planes.Request{})
				var e *planes.Error
				if !errors.As(err, &e) || e.Code != planes.CodeOverloaded || e.RetryAfter != time.Second || !planes.SafeToRetry(err) {
					t.Errorf("the sixth: %v; want OVERLOADED, retry after 1 s", err)
				}
				for range 5 {
					gate <- struct{}{}
				}
				for i, done := range calls {
					if err := <-done; err != nil {
						t.Errorf("call %d: %v", i, err)
					}
				}
				synctest.Wait()
				if s := r.worker.Stat(); s.Served != 5 || s.Refused != 1 {
					t.Errorf("%+v; want 5 served and 1 refused", s)
				}
				r.close()
			})
		})
	}
}

// A call that waits for a handler ends when its time is over, and no handler runs.
func TestQueuedCallRunsOutOfTime(t *testing.T) {
	ran := 0
	h := func(ctx context.Context, _ *planes.Request, _ planes.ResponseWriter) error {
		ran++
		<-ctx.Done()
		return ctx.Err()
	}
	eachWay(t, worker.Config{MaxInFlight: 1}, h, func(t *testing.T, r *rig) {
		ran = 0
		hold, cancel := context.WithCancel(t.Context())
		first := r.call(hold, planes.Request{})
		second := r.call(t.Context(), planes.Request{Timeout: time.Second})
		if err := <-second; planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%v; want DEADLINE", err)
		}
		synctest.Wait()
		if s := r.worker.Stat(); s.Queued != 0 || s.Running != 1 || ran != 1 {
			t.Errorf("%+v, %d handlers ran; want only the first", s, ran)
		}
		cancel()
		<-first
	})
}

// A caller who leaves while its call waits takes it out of the queue, in an exchange at
// once.
func TestQueuedCallIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := newRig(t, worker.Config{MaxInFlight: 1}, gated(gate), planes.Exchange)
		first := r.call(t.Context(), planes.Request{})
		ctx, cancel := context.WithCancel(t.Context())
		second := r.call(ctx, planes.Request{})
		cancel()
		if err := <-second; planes.CodeOf(err) != planes.CodeCancelled {
			t.Errorf("%v; want CANCELLED", err)
		}
		synctest.Wait()
		if s := r.worker.Stat(); s.Queued != 0 || s.Running != 1 {
			t.Errorf("%+v", s)
		}
		gate <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}
		r.close()
	})
}

// A drain takes the record out, tells the handlers, refuses what is new and waits for
// what runs.
func TestDrain(t *testing.T) {
	h := func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		<-worker.Draining(ctx)
		time.Sleep(3 * time.Second)
		return w.Send([]byte("finished"))
	}
	eachWay(t, worker.Config{}, h, func(t *testing.T, r *rig) {
		running := r.call(t.Context(), planes.Request{})
		begin := time.Now()
		down := make(chan error, 2)
		for range 2 { // it may be called more than once
			go func() { down <- r.worker.Shutdown(t.Context()) }()
		}
		synctest.Wait()
		if list, err := r.store.List(t.Context(), discovery.QueryPath(path)); len(list) != 0 || err != nil {
			t.Errorf("discovery still has %v, %v", list, err)
		}
		if err := <-r.call(t.Context(), planes.Request{}); planes.CodeOf(err) != planes.CodeDraining || !planes.SafeToRetry(err) {
			t.Errorf("a new call: %v; want DRAINING", err)
		}
		if err := <-running; err != nil {
			t.Errorf("the call that ran: %v", err)
		}
		for range 2 {
			if err := <-down; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("the drain took %v; want the 3 s of the handler", d)
		}
	})
}

// A drain that runs out of time ends the handlers, whose callers are told DRAINING.
func TestDrainRunsOutOfTime(t *testing.T) {
	var cause error
	h := func(ctx context.Context, _ *planes.Request, _ planes.ResponseWriter) error {
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}
	eachWay(t, worker.Config{MaxInFlight: 1}, h, func(t *testing.T, r *rig) {
		running, waiting := r.call(t.Context(), planes.Request{}), r.call(t.Context(), planes.Request{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.worker.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 calls were cut short") {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-running; planes.CodeOf(err) != planes.CodeDraining || planes.SafeToRetry(err) {
			t.Errorf("the call that ran: %v; want DRAINING, started", err)
		}
		if err := <-waiting; planes.CodeOf(err) != planes.CodeDraining {
			t.Errorf("the call that waited: %v; want DRAINING", err)
		}
		if !errors.Is(cause, worker.ErrDraining) {
			t.Errorf("the handler's context ended with %v", cause)
		}
	})
}

// A store that does not answer does not use up the time of the calls that run.
func TestDrainWithADeadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		reg := registry(t)
		n := planetest.NewNetwork()
		if err := reg.RegisterRequest(n.RequestServer(n.Listen("w"))); err != nil {
			t.Fatal(err)
		}
		w, err := worker.New(worker.Config{Registry: reg, Store: deadStore{discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.HandleFunc(path, gated(gate)), w.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		if err := w.Shutdown(ctx); err == nil || time.Since(begin) != 5*time.Second {
			t.Errorf("after %v: %v; want an error after half of the time", time.Since(begin), err)
		}
	})
}

// deadStore never answers a Deregister.
type deadStore struct{ discovery.Store }

type deadRegistration struct{ discovery.Registration }

func (s deadStore) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	r, err := s.Store.Register(ctx, i)
	return deadRegistration{r}, err
}

func (deadRegistration) Deregister(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestHealthIsUpdated(t *testing.T) {
	eachWay(t, worker.Config{}, gated(nil), func(t *testing.T, r *rig) {
		want := discovery.Health{Status: discovery.Degraded, Reason: "slow disk"}
		if err := r.worker.SetHealth(t.Context(), want); err != nil || r.record().Health != want {
			t.Errorf("%+v, %v", r.record().Health, err)
		}
	})
}

// Panics and Goexit end their call, not the worker, and give the place back.
func TestHandlersThatDoNotReturn(t *testing.T) {
	h := func(_ context.Context, req *planes.Request, _ planes.ResponseWriter) error {
		if string(req.Payload) == "panic" {
			panic(fmt.Errorf("secret"))
		}
		runtime.Goexit()
		return nil
	}
	eachWay(t, worker.Config{MaxInFlight: 1, MaxQueued: -1}, h, func(t *testing.T, r *rig) {
		for _, how := range []string{"panic", "goexit", "panic", "goexit"} {
			err := <-r.call(t.Context(), planes.Request{Payload: []byte(how)})
			if planes.CodeOf(err) != planes.CodeInternal || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v; want INTERNAL", how, err)
			}
			synctest.Wait()
		}
		if s := r.worker.Stat(); s.Served != 4 || s.Running != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A router that is gone when the worker calls home costs the worker a handler's place
// for OpenTimeout at most, and is counted.
func TestCallHomeToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, worker.Config{OpenTimeout: time.Second}, gated(nil), planetest.Memory)
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			return planetest.Fault{Delay: map[bool]time.Duration{true: time.Hour}[p.Stage == planetest.StageHome]}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := <-r.call(ctx, planes.Request{}); planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%v; want DEADLINE", err)
		}
		if s := r.worker.Stat(); s.OpenFailed != 1 || s.Running != 0 {
			t.Errorf("%+v", s)
		}
		r.close()
	})
}

// Stop ends the handler's context, and what it still sends arrives.
func TestStopWhileTheAnswerGoesElsewhere(t *testing.T) {
	h := func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		<-ctx.Done()
		return w.Send(make([]byte, 100_000)) // more than the stream's window, twice
	}
	eachWay(t, worker.Config{}, h, func(t *testing.T, r *rig) {
		s, err := r.reg.Do(t.Context(), planes.Call{Request: &planes.Request{Route: path}, Next: planes.One(r.target)})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.Stop()
		if items, err := planes.Collect(t.Context(), s, 1<<20); err != nil || len(items) != 1 {
			t.Errorf("%d items, %v", len(items), err)
		}
	})
}
