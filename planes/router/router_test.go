package router_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// When everything fails, retries add a tenth to the load, beyond the ten that a new
// router has.
func TestRetryBudget(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		for i := range uint64(5) {
			r.serve(i+1, worker.Config{}, nil)
		}
		dials := 0
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			if p.Stage == planetest.StageDial {
				dials++
			}
			return planetest.Fault{Lose: p.Stage == planetest.StageDial}
		})
		const calls = 1000
		for range calls {
			if _, err := r.call(); planes.CodeOf(err) != planes.CodeTransport {
				t.Fatalf("%v; want TRANSPORT", err)
			}
		}
		if dials > calls*11/10+10 || dials < calls*11/10 {
			t.Errorf("%d calls made %d attempts; want %d to %d", calls, dials, calls*11/10, calls*11/10+10)
		}
	})
}

// A refused call goes to another instance, at most Retries times.
func TestRetriesAreBounded(t *testing.T) {
	bubble(t, router.Config{Retries: 2, Inhibit: -1}, func(t *testing.T, r *rig) {
		for i := range uint64(5) {
			r.serve(i+1, worker.Config{}, nil)
		}
		var dials []string
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			if p.Stage == planetest.StageDial {
				dials = append(dials, p.Host)
			}
			return planetest.Fault{Lose: p.Stage == planetest.StageDial}
		})
		_, _ = r.call()
		if len(dials) != 3 || dials[0] == dials[1] || dials[1] == dials[2] || dials[0] == dials[2] {
			t.Errorf("attempts at %v; want three different ones", dials)
		}
	})
}

func TestDirect(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		r.serve(2, worker.Config{}, nil)
		if who := r.spread(20, router.To(2)); who["2"] != 20 {
			t.Errorf("%v", who)
		}
		if _, err := r.call(router.To(7)); planes.CodeOf(err) != planes.CodeNotFound {
			t.Errorf("an instance that is not there: %v", err)
		}
		r.net.Crash(host(2))
		if got, err := r.call(router.To(2)); planes.CodeOf(err) != planes.CodeTransport {
			t.Errorf("an instance that is down: %q, %v; want TRANSPORT, and nobody else", got, err)
		}
	})
}

// Instances whose transports this process does not have are never picked, and cost no
// retries.
func TestInstancesThatCannotBeCalled(t *testing.T) {
	bubble(t, router.Config{Retries: -1}, func(t *testing.T, r *rig) {
		foreign := func(id uint64) {
			if _, err := r.store.Register(t.Context(), discovery.Instance{Namespace: "a", Component: "b", Endpoint: "c", ID: id,
				Transport: discovery.NATSTCP("a_b.c-1")}); err != nil {
				t.Fatal(err)
			}
		}
		foreign(100)
		if _, err := r.call(); !errors.Is(err, planes.ErrNoTransport) || !strings.Contains(err.Error(), "nats+tcp") {
			t.Errorf("nobody can be called: %v", err)
		}
		foreign(101)
		r.serve(1, worker.Config{}, nil)
		for name, p := range router.Policies {
			if who := r.spread(50, router.With(p)); who["1"] != 50 {
				t.Errorf("%s: %v", name, who)
			}
		}
		if _, err := r.call(router.Require(planes.Capabilities{Bidirectional: true})); !errors.Is(err, planes.ErrNoTransport) {
			t.Errorf("nothing is bidirectional: %v", err)
		}
	})
}

// counting sends the numbers from the request's header on, up to 100.
func counting(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
	from, _ := strconv.Atoi(req.Header("from"))
	for i := from; i < 100; i++ {
		if err := w.Send(fmt.Append(nil, i)); err != nil {
			return err
		}
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// A stream that is continued at another instance when its worker dies has every item
// once.
func TestMigrationLosesAndDoublesNothing(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		for i := range uint64(5) {
			r.serve(i+1, worker.Config{}, counting)
		}
		at := ""
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			if p.Stage == planetest.StageAnswer {
				at = p.Host
			}
			return planetest.Fault{}
		})
		moved := 0
		s, err := r.router.Stream(t.Context(), path, &planes.Request{}, router.Migrate(3, 1<<20, func(delivered [][]byte, cause error) (*planes.Request, bool) {
			moved++
			if planes.CodeOf(cause) != planes.CodePeerLost {
				t.Errorf("moved because of %v", cause)
			}
			return &planes.Request{Headers: []planes.Header{{Name: "from", Value: fmt.Sprint(len(delivered))}}}, true
		}))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for got, err := range planes.All(t.Context(), s) {
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != fmt.Sprint(n) {
				t.Fatalf("item %d is %s", n, got)
			}
			if n++; n%30 == 0 {
				r.net.Crash(at)
			}
		}
		if n != 100 || moved != 3 {
			t.Errorf("%d items over %d moves; want 100 over 3", n, moved)
		}
	})
}

// Migration ends with the error that broke the stream once it may not go on: too many
// times, too much delivered, or the caller's wish. Items are those of all instances.
func TestMigrationHasBounds(t *testing.T) {
	goOn := func(delivered [][]byte, _ error) (*planes.Request, bool) {
		return &planes.Request{Headers: []planes.Header{{Name: "from", Value: fmt.Sprint(len(delivered))}}}, true
	}
	for _, tc := range []struct {
		name  string
		opt   router.CallOption
		items uint64
	}{
		{"twice", router.Migrate(2, 1<<20, goOn), 15},
		{"nothing is kept", router.Migrate(9, 3, goOn), 5},
		{"the caller does not want to", router.Migrate(9, 1<<20, func([][]byte, error) (*planes.Request, bool) { return nil, false }), 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, router.Config{Inhibit: -1}, func(t *testing.T, r *rig) {
				r.serve(1, worker.Config{}, counting)
				r.serve(2, worker.Config{}, counting)
				r.net.SetFaults(func(p planetest.Point) planetest.Fault {
					return planetest.Fault{Lose: p.Stage == planetest.StageAnswer, After: 5}
				})
				s, err := r.router.Stream(t.Context(), path, &planes.Request{}, tc.opt)
				if err != nil {
					t.Fatal(err)
				}
				// Recv without pause: what was sent before the break is taken.
				items, err := planes.Collect(t.Context(), s, 1<<20)
				var e *planes.Error
				if !errors.As(err, &e) || e.Code != planes.CodePeerLost || e.Items != tc.items || uint64(len(items)) != tc.items {
					t.Errorf("%d items, %v; want %d and PEER_LOST that says so", len(items), err, tc.items)
				}
			})
		})
	}
}

// The time of a request is that of all instances together.
func TestMigrationKeepsTheDeadline(t *testing.T) {
	bubble(t, router.Config{Inhibit: -1}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, counting)
		r.net.SetFaults(func(p planetest.Point) planetest.Fault {
			return planetest.Fault{Lose: p.Stage == planetest.StageAnswer, After: 7}
		})
		const limit = 1005 * time.Millisecond // between two items
		again := &planes.Request{Timeout: limit}
		s, err := r.router.Stream(t.Context(), path, again, router.Migrate(1000, 1<<20, func([][]byte, error) (*planes.Request, bool) { return again, true }))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = planes.Collect(t.Context(), s, 1<<20)
		if d := time.Since(begin); planes.CodeOf(err) != planes.CodeDeadline || d != limit {
			t.Errorf("after %v: %v; want DEADLINE after %v", d, err, limit)
		}
	})
}

// A call waits for the first instance of its endpoint as long as it is told to.
func TestWaitForTheFirstInstance(t *testing.T) {
	for _, tc := range []struct {
		wait  time.Duration
		code  planes.Code
		after time.Duration
	}{
		{0, planes.CodeNotFound, 0},
		{time.Second, planes.CodeNotFound, time.Second},
		{3 * time.Second, planes.CodeOK, 2 * time.Second},
	} {
		t.Run(tc.wait.String(), func(t *testing.T) {
			bubble(t, router.Config{WaitForInstance: tc.wait}, func(t *testing.T, r *rig) {
				begin, done := time.Now(), make(chan struct{})
				go func() {
					defer close(done)
					_, err := r.call()
					if d := time.Since(begin); planes.CodeOf(err) != tc.code || d != tc.after {
						t.Errorf("after %v: %v; want %v after %v", d, err, tc.code, tc.after)
					}
				}()
				time.Sleep(2 * time.Second)
				r.serve(1, worker.Config{}, nil)
				<-done
			})
		})
	}
}

// While the store is away, the router goes on with what it knows, and tells those who
// ask for more that it is not watched.
func TestStoreThatGoesAway(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		list, err := r.store.List(t.Context(), discovery.QueryPath(path))
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		backend := discovery.NewMemory()
		keeper, away := backend.Open(discovery.Config{Heartbeat: -1}), backend.Open(discovery.Config{Heartbeat: -1})
		defer keeper.Close()
		if _, err := keeper.Register(t.Context(), list[0]); err != nil {
			t.Fatal(err)
		}
		stale, err := router.New(router.Config{Registry: r.reg, Store: away})
		if err != nil {
			t.Fatal(err)
		}
		defer stale.Close()
		for range 2 { // the second time without the store
			if _, err := stale.Call(t.Context(), path, &planes.Request{}); err != nil {
				t.Errorf("an endpoint that is known: %v", err)
			}
			_ = away.Close()
			synctest.Wait()
		}
		if _, err := stale.Instances(t.Context(), "x/y/z"); planes.CodeOf(err) != planes.CodeTransport {
			t.Errorf("an endpoint that was not known before: %v", err)
		}
	})
}

// A new life of an instance takes the place of the old one, with a clean record.
func TestNewEpoch(t *testing.T) {
	bubble(t, router.Config{Inhibit: time.Hour}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		r.serve(2, worker.Config{}, nil)
		r.net.Crash(host(1))
		if who := r.spread(10); who["2"] != 10 {
			t.Fatalf("%v", who)
		}
		time.Sleep(time.Second) // a higher epoch
		r.serve(1, worker.Config{}, func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			return w.Send([]byte("new"))
		})
		if who := r.spread(10); who["new"] != 5 {
			t.Errorf("%v; want half at the new life", who)
		}
	})
}

// After Close calls under way go on, and new ones are refused.
func TestClose(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, counting)
		s, err := r.router.Stream(t.Context(), path, &planes.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.router.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.call(); planes.CodeOf(err) != planes.CodeCancelled {
			t.Errorf("a call after Close: %v", err)
		}
		if items, err := planes.Collect(t.Context(), s, 1<<20); len(items) != 100 || err != nil {
			t.Errorf("the call under way: %d items, %v", len(items), err)
		}
	})
}

// Names that nobody serves do not use up the bound on endpoints.
func TestMaxPaths(t *testing.T) {
	bubble(t, router.Config{MaxPaths: 3}, func(t *testing.T, r *rig) {
		r.serve(1, worker.Config{}, nil)
		for i := range 20 {
			if _, err := r.router.Call(t.Context(), fmt.Sprintf("no/body/%d", i), &planes.Request{}); planes.CodeOf(err) != planes.CodeNotFound {
				t.Errorf("path %d: %v; want NOT_FOUND", i, err)
			}
			if got, err := r.call(); got != "1" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
		synctest.Wait()
		if n := r.store.Stat().Watches; n > 3 {
			t.Errorf("%d watches; want at most 3", n)
		}
		if _, err := r.router.Call(t.Context(), "a/b", &planes.Request{}); planes.CodeOf(err) != planes.CodeNotFound {
			t.Errorf("no path: %v", err)
		}
	})
}

func TestWrongSettingsAreAllReported(t *testing.T) {
	_, err := router.New(router.Config{Policy: 9, RetryShare: 2, WaitForInstance: -1, MaxPaths: -1})
	for _, field := range []string{"Registry", "Store", "Policy", "RetryShare", "WaitForInstance", "MaxPaths"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}
