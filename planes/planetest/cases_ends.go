package planetest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// sendSome sends n items.
func sendSome(w planes.ResponseWriter, n int) error {
	for range n {
		if err := w.Send([]byte("item")); err != nil {
			return err
		}
	}
	return nil
}

// endCases are about how streams end.
func endCases() []suiteCase {
	return append(handlerEnds(), callerEnds()...)
}

func handlerEnds() []suiteCase {
	fails := func(items int, err error) planes.HandlerFunc {
		return func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			return errors.Join(sendSome(w, items), err)
		}
	}
	wantError := func(e *env, name string, items int, code planes.Code, text string) {
		e.Helper()
		got, err := e.terminal(e.ctx, name, &planes.Request{})
		pe := e.want(name, err, code, planes.PhaseStarted)
		if len(got) != items || pe.Items != uint64(items) {
			e.Errorf("%s: %d items arrived and the terminal says %d; want %d", name, len(got), pe.Items, items)
		}
		if !strings.Contains(pe.Reason, text) {
			e.Errorf("%s: reason %q; want one with %q", name, pe.Reason, text)
		}
		if pe.Origin != planes.OriginApp {
			e.Errorf("%s: %v says so; want the handler", name, pe.Origin)
		}
	}
	return []suiteCase{
		{
			name: "a handler's error arrives with code and text, before and after items",
			handlers: map[string]planes.HandlerFunc{
				"denied":  fails(0, planes.Errorf(planes.CodeDenied, "not for you: žluť")),
				"plain":   fails(0, errors.New("a plain failure")),
				"after3":  fails(3, planes.Errorf(planes.CodeTooLarge, "after three")),
				"plain20": fails(20, errors.New("late failure")),
			},
			run: func(e *env) {
				wantError(e, "denied", 0, planes.CodeDenied, "not for you: žluť")
				wantError(e, "plain", 0, planes.CodeHandler, "a plain failure")
				wantError(e, "after3", 3, planes.CodeTooLarge, "after three")
				wantError(e, "plain20", 20, planes.CodeHandler, "late failure")
			},
		},
		{
			name: "a handler cannot claim that it did not run",
			handlers: map[string]planes.HandlerFunc{"passes": fails(0,
				&planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, Op: "call", Reason: "of a call of its own"})},
			run: func(e *env) {
				_, err := e.terminal(e.ctx, "passes", &planes.Request{})
				if pe := e.want("passes", err, planes.CodeOverloaded, planes.PhaseStarted); planes.SafeToRetry(pe) {
					e.Errorf("%v is safe to retry", pe)
				}
			},
		},
		{
			name: "a panic and a Goexit of a handler end their call only",
			handlers: map[string]planes.HandlerFunc{
				"panic0": func(context.Context, *planes.Request, planes.ResponseWriter) error { panic("secret") },
				"panic2": func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
					_ = sendSome(w, 2)
					panic("secret")
				},
				"goexit": func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
					_ = sendSome(w, 1)
					runtime.Goexit()
					return nil
				},
				"fine": fails(1, nil),
			},
			run: func(e *env) {
				for name, items := range map[string]int{"panic0": 0, "panic2": 2, "goexit": 1} {
					got, err := e.terminal(e.ctx, name, &planes.Request{})
					pe := e.want(name, err, planes.CodeInternal, planes.PhaseStarted)
					if len(got) != items {
						e.Errorf("%s: %d items; want %d", name, len(got), items)
					}
					if strings.Contains(pe.Error(), "secret") {
						e.Errorf("%s: the caller is told %v", name, pe)
					}
				}
				if items, err := e.terminal(e.ctx, "fine", &planes.Request{}); err != nil || len(items) != 1 {
					e.Errorf("the call after: %d items, %v", len(items), err)
				}
			},
		},
	}
}

// callerEnds are about callers who leave, and about time.
func callerEnds() []suiteCase {
	running, ended := make(chan struct{}, 16), make(chan error, 16)
	waits := func(items int) planes.HandlerFunc {
		return func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			if err := sendSome(w, items); err != nil {
				return err
			}
			running <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}
	}
	// take reads the items that are there.
	take := func(e *env, s planes.StreamReader, n int) {
		e.Helper()
		for range n {
			if _, err := s.Recv(e.ctx); err != nil {
				e.Fatal(err)
			}
		}
		soon(e, "the handler runs", running)
	}
	return []suiteCase{
		{
			name:     "a caller who cancels before the first item ends the handler",
			handlers: map[string]planes.HandlerFunc{"waits": waits(0)},
			run: func(e *env) {
				ctx, cancel := context.WithCancel(e.ctx)
				done := make(chan error, 1)
				go func() {
					_, err := e.terminal(ctx, "waits", &planes.Request{})
					done <- err
				}()
				soon(e, "the handler runs", running)
				cancel()
				soon(e, "the handler's context ends", ended)
				if err := soon(e, "the caller has its terminal", done); planes.CodeOf(err) != planes.CodeCancelled || planes.SafeToRetry(err) {
					e.Errorf("the caller got %v; want CANCELLED", err)
				}
			},
		},
		{
			name:     "a caller who cancels mid-stream ends the handler",
			handlers: map[string]planes.HandlerFunc{"waits": waits(3)},
			run: func(e *env) {
				ctx, cancel := context.WithCancel(e.ctx)
				defer cancel()
				s := e.stream(ctx, "waits", &planes.Request{})
				take(e, s, 3)
				cancel()
				soon(e, "the handler's context ends", ended)
				_, err := e.drain(e.ctx, s)
				var pe *planes.Error
				if !errors.As(err, &pe) || pe.Code != planes.CodeCancelled || pe.Items != 3 {
					e.Errorf("the caller got %v; want CANCELLED after 3 items", err)
				}
			},
		},
		{
			name:     "Recv whose context ends leaves the stream as it is",
			handlers: map[string]planes.HandlerFunc{"waits": waits(1)},
			run: func(e *env) {
				s := e.stream(e.ctx, "waits", &planes.Request{})
				take(e, s, 1)
				brief, cancel := context.WithTimeout(e.ctx, 20*time.Millisecond)
				defer cancel()
				if _, err := s.Recv(brief); !errors.Is(err, context.DeadlineExceeded) || planes.IsTerminal(err) {
					e.Errorf("Recv with a context that ended: %v", err)
				}
				select {
				case err := <-ended:
					e.Errorf("the handler's context ended: %v", err)
				default:
				}
				_ = s.Close()
				soon(e, "the handler's context ends", ended)
			},
		},
		{
			name:     "Close mid-stream ends the handler",
			handlers: map[string]planes.HandlerFunc{"waits": waits(2)},
			run: func(e *env) {
				s := e.stream(e.ctx, "waits", &planes.Request{})
				take(e, s, 2)
				_ = s.Close()
				_ = s.Close()
				soon(e, "the handler's context ends", ended)
				if _, err := s.Recv(e.ctx); planes.CodeOf(err) != planes.CodeCancelled {
					e.Errorf("Recv after Close: %v; want CANCELLED", err)
				}
			},
		},
		{
			name: "Stop lets a handler finish: what it sends still arrives",
			handlers: map[string]planes.HandlerFunc{"finishes": func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
				if err := sendSome(w, 3); err != nil {
					return err
				}
				running <- struct{}{}
				<-ctx.Done()
				return w.Send([]byte("last words"))
			}},
			run: func(e *env) {
				s := e.stream(e.ctx, "finishes", &planes.Request{})
				if _, err := s.Recv(e.ctx); err != nil {
					e.Fatal(err)
				}
				soon(e, "the handler runs", running)
				s.Stop()
				s.Stop()
				ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
				defer cancel()
				items, err := e.drain(ctx, s)
				if err != nil || len(items) != 3 || string(items[2]) != "last words" {
					e.Errorf("after Stop: items %q, %v; want two more, the last words and a clean end", items, err)
				}
			},
		},
		{
			name:     "a deadline ends both sides in time",
			handlers: map[string]planes.HandlerFunc{"waits0": waits(0), "waits2": waits(2)},
			run: func(e *env) {
				for name, items := range map[string]int{"waits0": 0, "waits2": 2} {
					begin := time.Now()
					got, err := e.terminal(e.ctx, name, &planes.Request{Timeout: 300 * time.Millisecond})
					if d := time.Since(begin); d < 250*time.Millisecond || d > 2*time.Second {
						e.Errorf("%s ended after %v; want 300 ms", name, d)
					}
					var pe *planes.Error
					if !errors.As(err, &pe) || pe.Code != planes.CodeDeadline || len(got) != items {
						e.Errorf("%s: %d items, %v; want %d and DEADLINE", name, len(got), err, items)
					}
					soon(e, "the handler's context ends", ended)
				}
			},
		},
	}
}
