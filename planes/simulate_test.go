package planes_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

// Whatever goes wrong on the way: every call has one terminal, every half that was
// started has ended, a clean end has all items, an error that promises that nothing ran
// is true, and no handler runs twice for one call.
func TestSimulatedFaults(t *testing.T) {
	seeds := 3000
	if testing.Short() {
		seeds = 300
	}
	for seed := range uint64(seeds) {
		bubble(t, func(t *testing.T) { simulate(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex // guards rng: faults are asked for from many goroutines
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n)
	}
	r := newRig(t, planes.BreakerConfig{Failures: 1 + draw(3), Open: 50 * time.Millisecond, MaxTracked: 1 + draw(4)})
	defer r.close()

	ran := map[string]int{}
	handler := func(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
		mu.Lock()
		ran[req.Header("call")]++
		mu.Unlock()
		for i := range 5 {
			if err := w.Send([]byte{byte(i)}); err != nil {
				return err
			}
			if draw(3) == 0 {
				timer := time.NewTimer(time.Duration(draw(20)) * time.Millisecond)
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
					return ctx.Err()
				}
			}
		}
		if draw(20) == 0 {
			return planes.Errorf(planes.CodeDenied, "drawn")
		}
		return nil
	}
	var targets []planes.Target
	for i := range uint64(2) {
		targets = append(targets, r.serve(i+1, worker.Config{MaxInFlight: 1 + draw(4), MaxQueued: draw(4) - 1}, handler))
	}
	often := 1 + draw(30) // one fault in so many points
	for _, n := range r.nets {
		n.SetFaults(func(planetest.Point) planetest.Fault {
			if draw(often) != 0 {
				return planetest.Fault{}
			}
			return planetest.Fault{Lose: draw(2) == 0, Late: draw(2) == 0, After: draw(6), Delay: time.Duration(draw(60)) * time.Millisecond}
		})
	}
	var all sync.WaitGroup
	for i := range 8 {
		leave, timeout, first, pause := draw(12), time.Duration(draw(300))*time.Millisecond, draw(2), time.Duration(draw(50))*time.Millisecond
		offers := [][]int{{0, 1}, {2, 1}, {0, 1, 2}, {2}}[draw(4)]
		all.Go(func() {
			time.Sleep(pause)
			name := fmt.Sprint(i)
			req := &planes.Request{Route: route, Timeout: timeout, Headers: []planes.Header{{Name: "call", Value: name}}}
			items, err := readSome(t, r, req, leave, only(targets[first], offers...), only(targets[1-first], offers...))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ran[name] > 1:
				t.Errorf("call %s ran %d times (%v)", name, ran[name], r.moves)
			case planes.SafeToRetry(err) && ran[name] > 0:
				t.Errorf("call %s ran, and ended with %v", name, err)
			case err == nil && leave >= 5 && items != 5:
				t.Errorf("call %s ended cleanly after %d items", name, items)
			}
		})
	}
	all.Wait()
}

// readSome makes a call and closes it after leave items; a clean end and a close are nil.
func readSome(t *testing.T, r *rig, req *planes.Request, leave int, targets ...planes.Target) (int, error) {
	s, err := r.reg.Do(t.Context(), planes.Call{Request: req, Next: inTurn(targets)})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for items := 0; ; items++ {
		if items == leave {
			s.Stop()
			return items, nil
		}
		item, err := s.Recv(t.Context())
		switch {
		case err == nil:
			if len(item) != 1 || int(item[0]) != items {
				t.Errorf("item %d is %v", items, item)
			}
			continue
		case !planes.IsTerminal(err):
			t.Errorf("no terminal: %v", err)
		}
		if _, again := s.Recv(t.Context()); again != err { //nolint:errorlint // the same
			t.Errorf("a second terminal %v after %v", again, err)
		}
		if err == io.EOF { //nolint:errorlint // bare
			err = nil
		}
		return items, err
	}
}
