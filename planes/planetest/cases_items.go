package planetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// cases returns all cases of the suite, with state of their own.
func cases() []suiteCase {
	return slices.Concat(itemCases(), requestCases(), endCases(), workerCases())
}

// oddItems are items of every kind: empty, small, large, no text, and text beyond ASCII.
func oddItems() [][]byte {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return [][]byte{
		{}, {0}, []byte("a"), {}, every, []byte("\r\n\r\ndata: x\n\nevent: y\n:"), []byte("žluťoučký kůň 🐎 \u2028"), []byte(`{"json":[1,2.5,null]}`),
		bytes.Repeat(every, 256), []byte("\xff\xfe\x00"), bytes.Repeat(every, 4096), {},
	}
}

func itemCases() []suiteCase {
	const many = 10_000
	flooded := new(atomic.Int64)
	empty := func(context.Context, *planes.Request, planes.ResponseWriter) error { return nil }
	return []suiteCase{
		{
			name: "items of 0 B to 1 MiB arrive whole and in order, bytes and text",
			handlers: map[string]planes.HandlerFunc{"odd": func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
				for _, item := range oddItems() {
					if err := w.Send(item); err != nil {
						return err
					}
				}
				return nil
			}},
			run: func(e *env) {
				items, err := e.terminal(e.ctx, "odd", &planes.Request{})
				if err != nil {
					e.Fatal(err)
				}
				want := oddItems()
				if len(items) != len(want) {
					e.Fatalf("%d items arrived; want %d", len(items), len(want))
				}
				for i := range want {
					if !bytes.Equal(items[i], want[i]) {
						e.Errorf("item %d: %d bytes %.40q; want %d bytes %.40q", i, len(items[i]), items[i], len(want[i]), want[i])
					}
				}
			},
		},
		{
			name: "10,000 small items arrive in order",
			handlers: map[string]planes.HandlerFunc{"many": func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
				var b [8]byte
				for i := range many {
					binary.BigEndian.PutUint64(b[:], uint64(i)) // the writer copies
					if err := w.Send(b[:]); err != nil {
						return err
					}
				}
				return nil
			}},
			run: func(e *env) {
				items, err := e.terminal(e.ctx, "many", &planes.Request{})
				if err != nil || len(items) != many {
					e.Fatalf("%d items, %v; want %d", len(items), err, many)
				}
				for i, item := range items {
					if len(item) != 8 || binary.BigEndian.Uint64(item) != uint64(i) {
						e.Fatalf("item %d is %x", i, item)
					}
				}
			},
		},
		{
			name:     "an empty stream ends cleanly",
			handlers: map[string]planes.HandlerFunc{"empty": empty},
			run: func(e *env) {
				if items, err := e.terminal(e.ctx, "empty", &planes.Request{}); err != nil || len(items) != 0 {
					e.Fatalf("%d items, %v", len(items), err)
				}
			},
		},
		{
			name:     "a slow reader holds up its own stream only, in bounded memory",
			handlers: map[string]planes.HandlerFunc{"flood": flood(flooded), "empty": empty},
			run:      func(e *env) { slowReader(e, flooded) },
		},
		{
			name: "200 streams at once",
			handlers: map[string]planes.HandlerFunc{"mine": func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
				for i := range 20 {
					if err := w.Send(fmt.Appendf(nil, "%s-%d", req.Payload, i)); err != nil {
						return err
					}
				}
				return nil
			}},
			run: manyStreams,
		},
	}
}

// mostBuffered is what may wait between a handler and a reader that takes nothing:
// credit, queues and the buffers of the system.
const mostBuffered = 32 << 20

// flood sends four times as much, and counts it.
func flood(sent *atomic.Int64) planes.HandlerFunc {
	return func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		item := make([]byte, 16<<10)
		for range 4 * mostBuffered / len(item) {
			if err := w.Send(item); err != nil {
				return err
			}
			sent.Add(int64(len(item)))
		}
		return nil
	}
}

func slowReader(e *env, sent *atomic.Int64) {
	s := e.stream(e.ctx, "flood", &planes.Request{})
	if _, err := s.Recv(e.ctx); err != nil {
		e.Fatal(err)
	}
	last, since := int64(-1), time.Now()
	e.eventually("the handler stands still", func() (string, bool) {
		if now := sent.Load(); now != last {
			last, since = now, time.Now()
		}
		return fmt.Sprint(last, " bytes sent"), time.Since(since) > 200*time.Millisecond
	})
	if last > mostBuffered {
		e.Errorf("%d bytes wait for a reader that takes nothing; want at most %d", last, mostBuffered)
	}
	for range 10 {
		ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
		if _, err := e.terminal(ctx, "empty", &planes.Request{}); err != nil {
			e.Errorf("a call beside the stream that stands still: %v", err)
		}
		cancel()
	}
	_ = s.Close()
}

func manyStreams(e *env) {
	var all sync.WaitGroup
	errs := make(chan error, 200)
	for i := range 200 {
		all.Go(func() {
			name := fmt.Sprintf("caller %d", i)
			items, err := e.terminal(e.ctx, "mine", &planes.Request{Payload: []byte(name)})
			if err == nil && len(items) != 20 {
				err = fmt.Errorf("%d items; want 20", len(items))
			}
			for k, item := range items {
				if want := fmt.Sprintf("%s-%d", name, k); string(item) != want {
					err = fmt.Errorf("item %q; want %q", item, want)
				}
			}
			if err != nil {
				errs <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		e.Error(err)
	}
}

// seen is what a handler sees of a request.
type seen struct {
	Headers    []planes.Header
	Trace      planes.TraceContext
	TraceState string
	CallID     [16]byte
	Timeout    time.Duration
}

func requestCases() []suiteCase {
	return []suiteCase{
		{
			name: "requests of 0 B to 1 MiB arrive whole",
			handlers: map[string]planes.HandlerFunc{"sum": func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
				sum := sha256.Sum256(req.Payload)
				return w.Send(sum[:])
			}},
			run: func(e *env) {
				for _, item := range oddItems() {
					want := sha256.Sum256(item)
					got, err := e.terminal(e.ctx, "sum", &planes.Request{Payload: item})
					if err != nil || len(got) != 1 || !bytes.Equal(got[0], want[:]) {
						e.Errorf("a request of %d bytes %.20q: %x, %v", len(item), item, got, err)
					}
				}
			},
		},
		{
			name: "headers, trace context, tracestate, call id and timeout arrive as they are",
			handlers: map[string]planes.HandlerFunc{"seen": func(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
				s := seen{req.Headers, req.Trace, req.TraceState, req.CallID, 0}
				if until, ok := ctx.Deadline(); ok {
					s.Timeout = time.Until(until)
				}
				b, err := json.Marshal(s)
				if err != nil {
					return err
				}
				return w.Send(b)
			}},
			run: func(e *env) {
				want := seen{
					Headers:    []planes.Header{{Name: "x-tenant", Value: "a=b, c"}, {Name: "x-empty", Value: ""}, {Name: "x-tenant", Value: "žluť\t✓"}},
					TraceState: "vendor=1,other=two",
					Trace:      planes.TraceContext{TraceID: [16]byte{1, 2, 15: 3}, SpanID: [8]byte{4, 7: 5}, Flags: 1},
					CallID:     [16]byte{9, 15: 8},
				}
				items, err := e.terminal(e.ctx, "seen", &planes.Request{
					Headers: want.Headers, Trace: want.Trace, TraceState: want.TraceState, CallID: want.CallID, Timeout: 30 * time.Second,
				})
				if err != nil || len(items) != 1 {
					e.Fatalf("%d items, %v", len(items), err)
				}
				var got seen
				if err := json.Unmarshal(items[0], &got); err != nil {
					e.Fatal(err)
				}
				if got.Timeout < 20*time.Second || got.Timeout > 31*time.Second {
					e.Errorf("the handler has %v of the 30 s", got.Timeout)
				}
				got.Timeout = 0
				if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
					e.Errorf("the handler saw\n%s; want\n%s", a, strings.TrimSpace(b))
				}
			},
		},
	}
}
