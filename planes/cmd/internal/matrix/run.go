package matrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// Load is what is done in a cell.
type Load struct {
	Calls   int // in all
	Callers int // at once
	Items   int // of each answer
	Bytes   int // of each item, at least 16
}

// Result is what came of a cell.
type Result struct {
	Cell
	Load        Load    `json:"load"`
	FirstP50Us  float64 `json:"first_item_p50_us"`
	FirstP99Us  float64 `json:"first_item_p99_us"`
	CallP50Us   float64 `json:"call_p50_us"`
	CallP99Us   float64 `json:"call_p99_us"`
	ItemsPerSec float64 `json:"items_per_second"`
	CallsPerSec float64 `json:"calls_per_second"`
	// RequestConns and ResponseConns are the connections that the calls made, the warm-up
	// apart; a response in the request's own exchange makes none.
	RequestConns  uint64 `json:"request_connections"`
	ResponseConns uint64 `json:"response_connections"`
	// Reuse is the share of calls whose answer came over a connection that was there.
	Reuse  float64 `json:"reuse"`
	Errors int     `json:"errors"`
	Fault  string  `json:"fault,omitempty"` // the first error
}

const path = "demo/matrix/tokens"

// World is a worker and a router for one cell.
type World struct {
	cell   Cell
	worker *worker.Worker
	router *router.Router
	near   *stack.Stack // the router's
	far    *stack.Stack // the worker's
	store  [2]discovery.Store
}

// Open starts a worker and a router that have the transports of the cell, and no
// others. base is copied.
func Open(ctx context.Context, c Cell, base stack.Options) (_ *World, err error) {
	cfg := *base.Config
	cfg.CallHome.Mode, cfg.Pool.Enabled = c.Mode, c.Mode == "pooled" || c.Mode == "mux"
	if c.Mode == "" {
		cfg.CallHome.Mode = "auto"
	}
	if c.Format != "" {
		cfg.HTTPResponse.StreamFormat = c.Format
	}
	o := base
	o.Config, o.Loopback, o.Pairs, o.Instance = &cfg, true, []worker.Pair{c.Pair()}, 7
	mem := discovery.NewMemory()
	w := &World{cell: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.store = [2]discovery.Store{mem.Open(discovery.Config{}), mem.Open(discovery.Config{})}
	if w.far, err = stack.Worker(ctx, o); err != nil {
		return nil, err
	}
	if w.near, err = stack.Router(ctx, o); err != nil {
		return nil, err
	}
	if w.worker, err = worker.New(worker.Config{Registry: w.far.Registry, Store: w.store[0], Instance: o.Instance, Offers: o.Pairs, Logger: o.Logger}); err != nil {
		return nil, err
	}
	if err = w.worker.HandleFunc(path, tokens); err != nil {
		return nil, err
	}
	if err = w.worker.Start(ctx); err != nil {
		return nil, err
	}
	w.router, err = router.New(router.Config{Registry: w.near.Registry, Store: w.store[1], Logger: o.Logger})
	return w, err
}

// Close ends both.
func (w *World) Close() error {
	var errs []error
	if w.router != nil {
		errs = append(errs, w.router.Close())
	}
	if w.near != nil { // before the worker, whose servers would wait for idle connections
		errs = append(errs, w.near.Close())
	}
	if w.worker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		errs = append(errs, w.worker.Shutdown(ctx))
		cancel()
	}
	if w.far != nil {
		errs = append(errs, w.far.Close())
	}
	for _, s := range w.store {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// tokens answers with as many items of the size that the request asks for.
func tokens(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
	n, size, err := parseAsk(req.Payload)
	if err != nil {
		return planes.Errorf(planes.CodeHandler, "%v", err)
	}
	item := make([]byte, 0, size)
	for i := range n {
		item = appendItem(item[:0], i, size)
		if err := w.Send(item); err != nil {
			return err
		}
	}
	return nil
}

func parseAsk(b []byte) (n, size int, err error) {
	_, err = fmt.Sscanf(string(b), "%d items of %d bytes", &n, &size)
	if err == nil && (n < 0 || size < 16 || size > 1<<20) {
		err = fmt.Errorf("%d items of %d bytes", n, size)
	}
	return n, size, err
}

// appendItem appends item i: text, different from its neighbours, of the given size.
func appendItem(dst []byte, i, size int) []byte {
	from := len(dst)
	dst = strconv.AppendInt(append(dst, "token "...), int64(i), 10)
	for len(dst)-from < size {
		dst = append(dst, ' ')
	}
	return dst
}

// call makes one call and checks its answer.
func (w *World) call(ctx context.Context, l Load, want []byte) (first, total time.Duration, err error) {
	begun := time.Now()
	req := planes.Request{Payload: fmt.Appendf(nil, "%d items of %d bytes", l.Items, l.Bytes), Timeout: 30 * time.Second}
	s, err := w.router.Stream(ctx, path, &req)
	if err != nil {
		return 0, 0, err
	}
	n := 0
	for item, err := range planes.All(ctx, s) {
		if err != nil {
			return 0, 0, err
		}
		if n == 0 {
			first = time.Since(begun)
		}
		if want = appendItem(want[:0], n, l.Bytes); !bytes.Equal(item, want) {
			return 0, 0, fmt.Errorf("item %d is %.60q, not %.60q", n, item, want)
		}
		n++
	}
	if n != l.Items {
		return 0, 0, fmt.Errorf("%d items came of %d, with a clean end", n, l.Items)
	}
	return first, time.Since(begun), nil
}

// Run makes the calls of a load and measures them. One call goes before, to make
// connections.
func (w *World) Run(ctx context.Context, l Load) Result {
	res := Result{Cell: w.cell, Load: l}
	if _, _, err := w.call(ctx, l, nil); err != nil {
		res.Errors, res.Fault = l.Calls, "warm-up: "+err.Error()
		return res
	}
	return w.measure(ctx, l, res)
}

func (w *World) measure(ctx context.Context, l Load, res Result) Result {
	requests, responses := w.far.Accepted(), w.near.Accepted()+w.far.AcceptedResponses()
	var mu sync.Mutex
	firsts, totals := make([]time.Duration, 0, l.Calls), make([]time.Duration, 0, l.Calls)
	left := l.Calls
	var wg sync.WaitGroup
	begun := time.Now()
	for range min(l.Callers, l.Calls) {
		wg.Go(func() {
			want := make([]byte, 0, l.Bytes)
			for {
				mu.Lock()
				left--
				more := left >= 0 && ctx.Err() == nil
				mu.Unlock()
				if !more {
					return
				}
				first, total, err := w.call(ctx, l, want)
				mu.Lock()
				if err == nil {
					firsts, totals = append(firsts, first), append(totals, total)
				} else if res.Errors++; res.Errors == 1 {
					res.Fault = err.Error()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begun)
	if n := l.Calls - len(firsts) - res.Errors; n > 0 { // interrupted
		res.Errors += n
		res.Fault = fmt.Sprint(context.Cause(ctx))
	}
	res.RequestConns = w.far.Accepted() - requests
	res.ResponseConns = w.near.Accepted() + w.far.AcceptedResponses() - responses
	made := res.ResponseConns
	if w.cell.Response == planes.Exchange {
		made = res.RequestConns
	}
	res.Reuse = max(0, 1-float64(made)/float64(l.Calls))
	res.FirstP50Us, res.FirstP99Us = quantiles(firsts)
	res.CallP50Us, res.CallP99Us = quantiles(totals)
	res.ItemsPerSec = float64(len(totals)*l.Items) / elapsed.Seconds()
	res.CallsPerSec = float64(len(totals)) / elapsed.Seconds()
	return res
}

// quantiles returns the median and the 99th percentile in microseconds.
func quantiles(d []time.Duration) (p50, p99 float64) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	us := func(q float64) float64 { return float64(d[int(q*float64(len(d)-1))].Nanoseconds()) / 1000 }
	return us(0.5), us(0.99)
}
