package planes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

var workerConfig = worker.Config{}

// A call moves on only when it is known not to have started: to the next transport of
// the same instance where the transport was at fault, to the next instance where the
// instance refused.
func TestFallbackRules(t *testing.T) {
	const both = planes.TransportID("both")
	cases := []struct {
		name   string
		net    planes.TransportID
		stage  planetest.Stage
		late   bool
		full   bool // instance 1 refuses
		offers []int
		moves  string
		code   planes.Code
	}{
		{name: "the dial fails", net: "first", stage: planetest.StageDial, offers: []int{0, 1}, moves: "1/first>1/second"},
		{name: "the dial fails late", net: "first", stage: planetest.StageDial, late: true, offers: []int{0, 1}, moves: "1/first>1/second"},
		{name: "both dials fail", net: both, stage: planetest.StageDial, offers: []int{0, 1},
			moves: "1/first>1/second 1/second>2/first 2/first>2/second", code: planes.CodeTransport},
		{name: "both dials fail late", net: both, stage: planetest.StageDial, late: true, offers: []int{0, 1},
			moves: "1/first>1/second 1/second>2/first 2/first>2/second", code: planes.CodeTransport},
		{name: "the request is lost on the way", net: "first", stage: planetest.StageSend, offers: []int{0, 1}, code: planes.CodePeerLost},
		{name: "the acknowledgement is lost", net: "first", stage: planetest.StageAck, offers: []int{0, 1}, code: planes.CodePeerLost},
		{name: "the answer breaks", net: "first", stage: planetest.StageAnswer, offers: []int{0, 1}, code: planes.CodePeerLost},
		{name: "the acknowledgement of a call that is answered elsewhere is lost", net: "first", stage: planetest.StageAck, offers: []int{2, 1}, code: planes.CodePeerLost},
		{name: "the instance is full", full: true, offers: []int{0, 1}, moves: "1/first>2/first"},
		{name: "the instance is full, and the answer goes elsewhere", full: true, offers: []int{2}, moves: "1/first>2/first"},
		{name: "the worker cannot call home", net: "first", stage: planetest.StageHome, offers: []int{2, 1}, code: planes.CodePeerLost},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, planes.BreakerConfig{})
				defer r.close()
				hold := make(chan struct{})
				cfg := worker.Config{}
				h := item("one")
				if tc.full {
					cfg = worker.Config{MaxInFlight: 1, MaxQueued: -1}
					h = func(context.Context, *planes.Request, planes.ResponseWriter) error { <-hold; return nil }
				}
				one, two := r.serve(1, cfg, h), r.serve(2, worker.Config{}, item("two"))
				if tc.full {
					s, err := r.reg.Do(t.Context(), planes.Call{Request: &planes.Request{Route: route}, Next: planes.One(one)})
					if err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					defer s.Close()
					defer close(hold)
				}
				for id, n := range r.nets {
					if tc.net == id || tc.net == both {
						n.SetFaults(lose(tc.stage, tc.late))
					}
				}
				items, err := r.call(only(one, tc.offers...), only(two, tc.offers...))
				if got := planes.CodeOf(err); got != tc.code {
					t.Errorf("the call ended with %v; want %v", err, tc.code)
				}
				if got := strings.Join(r.moves, " "); got != tc.moves {
					t.Errorf("moved %q; want %q", got, tc.moves)
				}
				if want := 1; tc.code == planes.CodeOK && len(items) != want {
					t.Errorf("%d items; want %d", len(items), want)
				}
				synctest.Wait()
				if ran := r.ran[1] + r.ran[2]; ran > 1 && !tc.full {
					t.Errorf("%d handlers ran for one call", ran)
				}
			})
		})
	}
}

// What the handler decided is final, whatever its code.
func TestHandlersErrorIsFinal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{Failures: 1})
		defer r.close()
		fails := func(context.Context, *planes.Request, planes.ResponseWriter) error {
			return planes.Errorf(planes.CodeTransport, "of my own")
		}
		one, two := r.serve(1, workerConfig, fails), r.serve(2, workerConfig, item("two"))
		for _, offers := range [][]int{{0, 1}, {2, 1}} {
			if _, err := r.call(only(one, offers...), two); planes.CodeOf(err) != planes.CodeTransport {
				t.Errorf("%v; want the handler's", err)
			}
		}
		if len(r.moves) != 0 || len(r.breakers) != 0 || r.ran[1] != 2 {
			t.Errorf("moved %v, breakers %v, ran %v", r.moves, r.breakers, r.ran)
		}
	})
}

// A call that is tried again has the time that is left, not all of it anew.
func TestSecondAttemptHasTheTimeThatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{})
		defer r.close()
		var left time.Duration
		to := r.serve(1, workerConfig, func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
			left = req.Timeout
			return w.Send([]byte("x"))
		})
		r.nets["first"].SetFaults(func(p planetest.Point) planetest.Fault {
			return planetest.Fault{Lose: p.Stage == planetest.StageDial, Delay: 3 * time.Second}
		})
		req := &planes.Request{Route: route, Timeout: 10 * time.Second}
		if _, err := r.do(t.Context(), req, only(to, 0, 1)); err != nil {
			t.Fatal(err)
		}
		if left != 7*time.Second || req.Timeout != 10*time.Second {
			t.Errorf("the handler has %v, the caller's request says %v; want 7 s and 10 s", left, req.Timeout)
		}
	})
}

// Three failures open the breaker of an instance's transport; after a while one call
// probes it, and no other; failed probes double the wait up to a bound; a good one
// closes it.
func TestBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{Failures: 3, Open: time.Second, MaxOpen: 3 * time.Second})
		defer r.close()
		to := only(r.serve(1, workerConfig, item("x")), 0, 1)
		dials, delay, broken := 0, time.Duration(0), true
		r.nets["first"].SetFaults(func(p planetest.Point) planetest.Fault {
			if p.Stage != planetest.StageDial {
				return planetest.Fault{}
			}
			dials++
			return planetest.Fault{Lose: broken, Delay: delay}
		})
		calls := func(n, want int, what string) {
			t.Helper()
			dials = 0
			for range n {
				if _, err := r.call(to); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			if dials != want {
				t.Errorf("%s: %d calls tried the first transport %d times; want %d", what, n, dials, want)
			}
		}
		calls(10, 3, "while it opens")
		time.Sleep(time.Second - time.Millisecond)
		calls(10, 0, "before the probe")
		time.Sleep(time.Millisecond)
		calls(10, 1, "the first probe")
		time.Sleep(2*time.Second - time.Millisecond)
		calls(10, 0, "after a failed probe it stays open for twice as long")
		time.Sleep(time.Millisecond)
		calls(10, 1, "the second probe")
		time.Sleep(3 * time.Second) // rather than 4
		calls(10, 1, "the wait is bounded")
		time.Sleep(3 * time.Second)

		dials, delay = 0, time.Second // a probe takes its time: nobody else probes
		done := make(chan error, 20)
		for range cap(done) {
			go func() { _, err := r.call(to); done <- err }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if dials != 1 {
			t.Errorf("20 calls at once made %d probes; want 1", dials)
		}
		delay, broken = 0, false
		time.Sleep(3 * time.Second)
		calls(10, 10, "the probe worked")
		if got, want := fmt.Sprint(r.breakers), "[1/first true 1/first false]"; got != want {
			t.Errorf("breakers changed %s; want %s", got, want)
		}
	})
}

// A call that has no other way goes over a transport whose breaker is open, and does
// not keep it open longer or take the probe's place.
func TestOpenBreakerIsTheLastResort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{Failures: 1, Open: 10 * time.Second})
		defer r.close()
		to := only(r.serve(1, workerConfig, item("x")), 0)
		r.nets["first"].SetFaults(lose(planetest.StageDial, false))
		for range 5 {
			if _, err := r.call(to); planes.CodeOf(err) != planes.CodeTransport {
				t.Errorf("%v; want the attempt's error", err)
			}
		}
		r.nets["first"].SetFaults(nil)
		if _, err := r.call(to); err != nil {
			t.Errorf("the transport works again: %v", err)
		}
		if got, want := fmt.Sprint(r.breakers), "[1/first true 1/first false]"; got != want {
			t.Errorf("breakers changed %s; want %s", got, want)
		}
	})
}

// A probe that its caller gives up says nothing, and the next call may probe.
func TestAbandonedProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{Failures: 1, Open: time.Second})
		defer r.close()
		to := only(r.serve(1, workerConfig, item("x")), 0, 1)
		r.nets["first"].SetFaults(lose(planetest.StageDial, false))
		_, _ = r.call(to)
		time.Sleep(time.Second)
		r.nets["first"].SetFaults(func(planetest.Point) planetest.Fault { return planetest.Fault{Delay: time.Minute} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.do(ctx, &planes.Request{Route: route}, to); planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%v; want DEADLINE", err)
		}
		r.nets["first"].SetFaults(nil)
		_, _ = r.call(to)
		if got, want := fmt.Sprint(r.breakers), "[1/first true 1/first false]"; got != want {
			t.Errorf("breakers changed %s; want %s", got, want)
		}
	})
}

// Stop is not lost when the call moves to another transport after it.
func TestStopMovesWithTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{})
		defer r.close()
		to := r.serve(1, workerConfig, func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			<-ctx.Done()
			return w.Send([]byte("stopped"))
		})
		r.nets["first"].SetFaults(lose(planetest.StageDial, true))
		s, err := r.reg.Do(t.Context(), planes.Call{Request: &planes.Request{Route: route}, Next: planes.One(only(to, 0, 1))})
		if err != nil {
			t.Fatal(err)
		}
		s.Stop()
		items, err := planes.Collect(t.Context(), s, 100)
		if err != nil || len(items) != 1 || string(items[0]) != "stopped" {
			t.Errorf("items %q, %v", items, err)
		}
		if !slices.Equal(r.moves, []string{"1/first>1/second"}) {
			t.Errorf("moved %v", r.moves)
		}
	})
}

// A call without targets, or whose context has ended, is refused in words.
func TestCallsThatCannotBeMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{})
		defer r.close()
		if _, err := r.call(); planes.CodeOf(err) != planes.CodeNotFound {
			t.Errorf("no target: %v", err)
		}
		if _, err := r.reg.Do(t.Context(), planes.Call{}); planes.CodeOf(err) != planes.CodeInternal {
			t.Errorf("an empty call: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := r.do(ctx, &planes.Request{Route: route})
		if planes.CodeOf(err) != planes.CodeCancelled || !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
		forever := func(error) (planes.Target, bool) { return planes.Target{Instance: 1}, true }
		brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(time.Millisecond)
		if _, err := r.reg.Do(brief, planes.Call{Request: &planes.Request{Route: route}, Next: forever}); err == nil {
			t.Errorf("targets that cannot be called: %v", err)
		}
	})
}
