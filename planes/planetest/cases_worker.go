package planetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/worker"
)

// target returns the ways to call a route as the worker's record says them.
func (e *env) target(name string) planes.Target {
	e.Helper()
	list, err := e.router.Instances(e.ctx, prefix+name)
	if err != nil || len(list) != 1 {
		e.Fatalf("instances of %s: %v, %v", name, list, err)
	}
	return list[0].Target()
}

// direct calls a target without the router.
func (e *env) direct(t planes.Target, route string) error {
	s, err := e.pair.Router.Do(e.ctx, planes.Call{Request: &planes.Request{Route: route}, Next: planes.One(t)})
	if err != nil {
		return err
	}
	_, err = e.drain(e.ctx, s)
	return err
}

// workerCases are about workers that refuse, drain and die.
func workerCases() []suiteCase {
	running, free := make(chan struct{}, 16), make(chan struct{}, 16)
	holds := func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		if err := sendSome(w, 1); err != nil {
			return err
		}
		running <- struct{}{}
		select {
		case <-free:
			return sendSome(w, 1)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	full := worker.Config{MaxInFlight: 1, MaxQueued: -1, RetryAfter: 300 * time.Millisecond}
	overload := func(e *env) *planes.Error {
		s := e.stream(e.ctx, "holds", &planes.Request{})
		soon(e, "the handler runs", running)
		_, err := e.terminal(e.ctx, "holds", &planes.Request{})
		pe := e.refused("the second call", err, planes.CodeOverloaded)
		free <- struct{}{}
		if items, err := e.drain(e.ctx, s); err != nil || len(items) != 2 {
			e.Errorf("the first call: %d items, %v", len(items), err)
		}
		return pe
	}
	one := func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error { return sendSome(w, 1) }
	return []suiteCase{
		{
			name:     "a route that nobody serves is refused and safe to retry",
			handlers: map[string]planes.HandlerFunc{"one": one},
			run: func(e *env) {
				if err := nobody(e); !planes.SafeToRetry(err) {
					e.Errorf("nobody: %v is not safe to retry", err)
				}
			},
		},
		{
			name:     NotFound,
			handlers: map[string]planes.HandlerFunc{"one": one},
			run:      func(e *env) { e.refused("nobody", nobody(e), planes.CodeNotFound) },
		},
		{
			name:     "beyond its bounds a worker is OVERLOADED, and safe to retry",
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			config:   full,
			run:      func(e *env) { overload(e) },
		},
		{
			name:     RetryAfter,
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			config:   full,
			run: func(e *env) {
				if pe := overload(e); pe.RetryAfter != full.RetryAfter {
					e.Errorf("retry after %v; want %v", pe.RetryAfter, full.RetryAfter)
				}
			},
		},
		{
			name:     "a call that waits for a handler runs when one is free",
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			config:   worker.Config{MaxInFlight: 1},
			run: func(e *env) {
				done := make(chan error, 2)
				for range 2 {
					go func() {
						items, err := e.terminal(e.ctx, "holds", &planes.Request{})
						if err == nil && len(items) != 2 {
							err = errors.New("items are missing")
						}
						done <- err
					}()
				}
				for range 2 {
					soon(e, "a handler runs", running)
					free <- struct{}{}
					if err := soon(e, "a call is done", done); err != nil {
						e.Error(err)
					}
				}
			},
		},
		{
			name:     "a drain refuses new calls, safe to retry, and finishes those that run",
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			run: func(e *env) {
				t := e.target("holds")
				s := e.stream(e.ctx, "holds", &planes.Request{})
				soon(e, "the handler runs", running)
				down := make(chan error, 1)
				go func() { down <- e.worker.Shutdown(e.ctx) }()
				e.eventually("discovery forgets the worker", func() (string, bool) {
					list, err := e.router.Instances(e.ctx, prefix+"holds")
					return "", err == nil && len(list) == 0
				})
				e.eventually("new calls are refused", func() (string, bool) {
					ctx, cancel := context.WithTimeout(e.ctx, 300*time.Millisecond)
					defer cancel()
					s, err := e.pair.Router.Do(ctx, planes.Call{Request: &planes.Request{Route: prefix + "holds"}, Next: planes.One(t)})
					if err == nil {
						_, err = e.drain(ctx, s)
					}
					return fmt.Sprint(err), planes.SafeToRetry(err)
				})
				free <- struct{}{}
				if items, err := e.drain(e.ctx, s); err != nil || len(items) != 2 {
					e.Errorf("the call that ran: %d items, %v", len(items), err)
				}
				if err := soon(e, "the worker is down", down); err != nil {
					e.Errorf("Shutdown: %v", err)
				}
			},
		},
		{
			name:     "a drain that runs out of time cuts handlers short, and says so",
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			run: func(e *env) {
				s := e.stream(e.ctx, "holds", &planes.Request{})
				soon(e, "the handler runs", running)
				ctx, cancel := context.WithTimeout(e.ctx, 100*time.Millisecond)
				defer cancel()
				if err := e.worker.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					e.Errorf("Shutdown: %v; want the deadline", err)
				}
				items, err := e.drain(e.ctx, s)
				if err == nil || len(items) != 1 || planes.SafeToRetry(err) {
					e.Errorf("the call that ran: %d items, %v; want one and an error", len(items), err)
				}
				e.Logf("the caller is told: %v", err)
			},
		},
		{
			name:     Killed,
			handlers: map[string]planes.HandlerFunc{"holds": holds},
			run: func(e *env) {
				if e.pair.Kill == nil {
					e.Fatalf("Pair.Kill is nil, and %q is not excluded", Killed)
				}
				s := e.stream(e.ctx, "holds", &planes.Request{})
				if _, err := s.Recv(e.ctx); err != nil {
					e.Fatal(err)
				}
				soon(e, "the handler runs", running)
				e.pair.Kill()
				ctx, cancel := context.WithTimeout(e.ctx, 10*time.Second)
				defer cancel()
				_, err := e.drain(ctx, s)
				var pe *planes.Error
				if !errors.As(err, &pe) || planes.SafeToRetry(err) || pe.Items != 1 {
					e.Errorf("after the worker's death the caller got %v; want an error after 1 item", err)
				}
				e.Logf("the caller is told: %v", err)
			},
		},
	}
}

// nobody calls a route that the worker does not serve.
func nobody(e *env) error {
	t := e.target("one")
	q, _ := e.pair.Worker.Request(e.pair.Combination.Request)
	t.Offers[0].Request.Address = q.Server.Address(prefix+"nobody", e.worker.Instance())
	return e.direct(t, prefix+"nobody")
}

// Names of cases that a transport may have a reason to exclude.
const (
	Killed     = "a worker that dies mid-stream is an error, never a clean end"
	NotFound   = "a route that nobody serves is NOT_FOUND"
	RetryAfter = "an OVERLOADED worker's advice when to retry arrives"
)
