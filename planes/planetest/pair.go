package planetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// Pair is a request transport and the response transport that goes with it, at both
// ends. It is made anew for each case of the suite and closed by Close.
type Pair struct {
	// Router holds the clients of request transports and the servers of response
	// transports, Worker the other halves.
	Router, Worker *planes.TransportRegistry
	// Combination is the one to test; the others that the registries have are not used.
	Combination worker.Pair
	// Instance is the id of the worker, for transports that must know it; 0 means any.
	Instance uint64
	// Calls is what Router's Observer is; see NewTally.
	Calls *Tally
	// Kill ends the worker's side without ceremony, as the end of its process would; nil
	// only where the case Killed is excluded.
	Kill func()
	// Close frees what the pair holds, once router and worker are closed; nil is nothing.
	// The suite has closed the clients of Router's request transports before.
	Close func()
	// Excluded are the cases that do not apply, by name, each with its reason. They are
	// printed. A name that is no case fails the suite.
	Excluded map[string]string
}

// Tally counts what an Observer is told.
type Tally struct {
	mu     sync.Mutex
	counts map[half]count
}

type half struct {
	transport planes.TransportID
	plane     planes.Plane
}

type count struct{ starts, ends int }

// NewTally returns an empty Tally.
func NewTally() *Tally { return &Tally{counts: make(map[half]count)} }

// Observer returns the Observer that t counts by.
func (t *Tally) Observer() planes.Observer {
	add := func(i planes.CallInfo, c count) {
		t.mu.Lock()
		defer t.mu.Unlock()
		h := half{i.Transport, i.Plane}
		t.counts[h] = count{t.counts[h].starts + c.starts, t.counts[h].ends + c.ends}
	}
	return planes.Observer{
		Start: func(i planes.CallInfo) { add(i, count{1, 0}) },
		End:   func(i planes.CallInfo, _ planes.CallResult) { add(i, count{0, 1}) },
	}
}

// Open returns how many halves of calls were started and have not ended, and an error
// that names a transport whose ends are more than its starts.
func (t *Tally) Open() (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := 0
	for h, c := range t.counts {
		if c.ends > c.starts {
			return 0, fmt.Errorf("%s, %s plane: %d starts and %d ends", h.transport, h.plane, c.starts, c.ends)
		}
		open += c.starts - c.ends
	}
	return open, nil
}

// Run runs the suite over the pairs that make returns, one a case.
func Run(t *testing.T, make func(t testing.TB) Pair) {
	t.Helper()
	known := map[string]bool{}
	for _, c := range cases() {
		known[c.name] = true
		t.Run(c.name, func(t *testing.T) { runCase(t, c, make) })
	}
	p := make(t)
	for name := range p.Excluded {
		if !known[name] {
			t.Errorf("the pair excludes %q, which is no case of the suite", name)
		}
	}
	if p.Close != nil {
		p.Close()
	}
}

// suiteCase is one case of the suite.
type suiteCase struct {
	name     string
	handlers map[string]planes.HandlerFunc // by the last part of their path
	config   worker.Config                 // bounds only
	run      func(e *env)
}

// patienceOfCase bounds a case; budgets within are tighter.
const patienceOfCase = 60 * time.Second

const prefix = "conform/suite/"

// env is what a case runs in.
type env struct {
	*testing.T
	pair   Pair
	worker *worker.Worker
	router *router.Router
	ctx    context.Context //nolint:containedctx // of the case
	told   *Tally          // what the worker's observer was told
}

func runCase(t *testing.T, c suiteCase, make func(t testing.TB) Pair) {
	goroutines := runtime.NumGoroutine()
	p := make(t)
	if why, ok := p.Excluded[c.name]; ok {
		t.Logf("excluded: %s", why)
		if p.Close != nil {
			p.Close()
		}
		return
	}
	if p.Calls == nil {
		t.Fatal("Pair.Calls is nil; want the Tally that observes Pair.Router")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfCase)
	defer cancel()
	e := &env{T: t, pair: p, ctx: ctx, told: NewTally()}
	e.start(c)
	c.run(e)
	e.settle(goroutines)
}

// start makes worker and router.
func (e *env) start(c suiteCase) {
	store := discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})
	e.Cleanup(func() { _ = store.Close() })
	cfg := c.config
	cfg.Registry, cfg.Store, cfg.Observer = e.pair.Worker, store, e.told.Observer()
	cfg.Offers = []worker.Pair{e.pair.Combination}
	cfg.Instance = e.pair.Instance
	w, err := worker.New(cfg)
	if err != nil {
		e.Fatal(err)
	}
	for name, h := range c.handlers {
		if err := w.Handle(prefix+name, h); err != nil {
			e.Fatal(err)
		}
	}
	if err := w.Start(e.ctx); err != nil {
		e.Fatal(err)
	}
	r, err := router.New(router.Config{Registry: e.pair.Router, Store: store, Retries: -1, Inhibit: -1})
	if err != nil {
		e.Fatal(err)
	}
	e.worker, e.router = w, r
}

// settle closes everything and checks that nothing is left.
func (e *env) settle(goroutines int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e.eventually("every call half that was started has ended at the router", func() (string, bool) {
		n, err := e.pair.Calls.Open()
		return fmt.Sprint(n, " open, ", err), n == 0 && err == nil
	})
	for _, q := range e.pair.Router.Requests() { // some servers wait for connections that are idle
		if q.Client != nil {
			_ = q.Client.Close()
		}
	}
	if err := e.worker.Shutdown(ctx); err != nil {
		e.Errorf("worker: %v", err)
	}
	_ = e.router.Close()
	e.eventually("every call half that was started has ended at the worker", func() (string, bool) {
		n, err := e.told.Open()
		return fmt.Sprint(n, " open, ", err), n == 0 && err == nil
	})
	if e.pair.Close != nil {
		e.pair.Close()
	}
	e.eventually("no goroutine is left", func() (string, bool) {
		n := runtime.NumGoroutine()
		if n <= goroutines {
			return "", true
		}
		buf := make([]byte, 1<<20)
		return fmt.Sprintf("%d, %d before\n%s", n, goroutines, interesting(string(buf[:runtime.Stack(buf, true)]))), false
	})
}

// interesting drops the stacks of the test itself.
func interesting(stacks string) string {
	var keep []string
	for s := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.Contains(s, "testing.tRunner") && !strings.Contains(s, "testing.(*T).Run(") {
			keep = append(keep, s)
		}
	}
	return strings.Join(keep, "\n\n")
}

// eventually waits up to 5 s for what no channel announces.
func (e *env) eventually(what string, cond func() (string, bool)) {
	e.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); ; <-tick.C {
		state, ok := cond()
		if ok {
			return
		}
		if time.Now().After(end) {
			e.Errorf("not within 5 s: %s: %s", what, state)
			return
		}
	}
}

// stream begins a call.
func (e *env) stream(ctx context.Context, name string, req *planes.Request) planes.StreamReader {
	e.Helper()
	s, err := e.router.Stream(ctx, prefix+name, req)
	if err != nil {
		e.Fatalf("%s: %v", name, err)
	}
	return s
}

// terminal begins a call and reads it to its end; the error is nil for a clean one.
func (e *env) terminal(ctx context.Context, name string, req *planes.Request) (items [][]byte, err error) {
	s, err := e.router.Stream(ctx, prefix+name, req)
	if err != nil {
		return nil, err
	}
	return e.drain(ctx, s)
}

// drain reads a stream to its end, and checks that it has one terminal.
func (e *env) drain(ctx context.Context, s planes.StreamReader) (items [][]byte, err error) {
	defer func() { _ = s.Close() }()
	for {
		item, err := s.Recv(ctx)
		if err == nil {
			items = append(items, slices.Clone(item))
			continue
		}
		if !planes.IsTerminal(err) {
			return items, err
		}
		for range 2 {
			if again, aerr := s.Recv(ctx); again != nil || aerr != err { //nolint:errorlint // the same, not an equal one
				e.Errorf("after the terminal %v came item %.40q, error %v", err, again, aerr)
			}
		}
		if err == io.EOF { //nolint:errorlint // only bare EOF is a clean end
			return items, nil
		}
		return items, err
	}
}

// want checks code and phase of an error.
func (e *env) want(what string, err error, code planes.Code, phase planes.Phase) *planes.Error {
	e.Helper()
	var pe *planes.Error
	if !errors.As(err, &pe) || pe.Code != code || pe.Phase != phase {
		e.Fatalf("%s: %v; want %v, %v", what, err, code, phase)
	}
	return pe
}

// refused checks that an error is safe to retry.
func (e *env) refused(what string, err error, code planes.Code) *planes.Error {
	e.Helper()
	pe := e.want(what, err, code, planes.PhaseNotStarted)
	if !planes.SafeToRetry(err) {
		e.Errorf("%s: %v is not safe to retry", what, err)
	}
	return pe
}

// soon fails unless ch gives within 2 s.
func soon[T any](e *env, what string, ch <-chan T) T {
	e.Helper()
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		e.Fatalf("not within 2 s: %s", what)
		panic("unreachable")
	}
}
