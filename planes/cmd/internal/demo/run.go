package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// errStalled is the cause of the end of a run in which nothing arrives any more.
var errStalled = errors.New("nothing arrived any more")

// progressEvery is how often a View hears of the progress.
const progressEvery = 100 * time.Millisecond

// Run streams the source. The error says why there is no result; a result with
// Failures is no error. When ctx ends, the result is marked as interrupted.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	d := &demo{cfg: cfg, gate: newGate(cfg.Streams)}
	d.worker = newWorker(cfg, d.gate)
	if err := d.start(ctx); err != nil {
		return nil, err
	}
	res, err := d.run(ctx)
	return res, errors.Join(err, d.stop())
}

// demo is one run.
type demo struct {
	cfg    Config
	gate   *gate
	worker *worker
	server *tcpplane.Server
	client *tcpplane.Client
	addr   string
	served chan error // of Serve
}

// start starts the worker, on a port that the kernel chooses, and the router.
func (d *demo) start(ctx context.Context) error {
	limits := tcpplane.Limits{MaxStreams: max(4096, d.cfg.Streams), Checksums: tcpplane.ChecksumOn}
	var err error
	d.server, err = tcpplane.NewServer(tcpplane.ServerConfig{Limits: limits, MaxHandlers: d.cfg.Streams})
	if err != nil {
		return err
	}
	d.server.HandleInline(routeHello, func(req *planes.Request, dst []byte) ([]byte, error) {
		return append(dst, req.Payload...), nil
	})
	d.server.HandleFunc(routeTokens, d.worker.serve)
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen on loopback: %w", err), d.server.Close())
	}
	d.addr = ln.Addr().String()
	d.served = make(chan error, 1)
	go func() { d.served <- d.server.Serve(context.WithoutCancel(ctx), ln) }()
	to := d.addr
	if d.cfg.Via != nil {
		if to, err = d.cfg.Via(d.addr); err != nil {
			return errors.Join(err, d.stop())
		}
	}
	d.client, err = tcpplane.NewClient(tcpplane.ClientConfig{Addr: to, Limits: limits})
	if err != nil {
		return errors.Join(err, d.stop())
	}
	return nil
}

// stop ends router and worker and returns what went wrong with that.
func (d *demo) stop() error {
	var errs []error
	if d.client != nil {
		errs = append(errs, d.client.Close())
	}
	errs = append(errs, d.server.Close())
	if err := <-d.served; !errors.Is(err, tcpplane.ErrServerClosed) {
		errs = append(errs, fmt.Errorf("worker: %w", err))
	}
	return errors.Join(errs...)
}

// run connects, streams and judges.
func (d *demo) run(outer context.Context) (*Result, error) {
	if _, err := d.client.Call(outer, &planes.Request{Route: routeHello, Payload: []byte("hello")}, nil); err != nil {
		return nil, fmt.Errorf("first call of the router: %w", err)
	}
	d.cfg.View.Start(Intro{Worker: d.addr, Source: d.cfg.Source, Streams: d.cfg.Streams, Rate: d.cfg.Rate})
	ctx, cancel := context.WithCancelCause(outer)
	r := &router{client: d.client, view: d.cfg.View, gate: d.gate}
	outcomes := make([]outcome, d.cfg.Streams)
	before := d.counters()
	start := time.Now()
	var streams, watch sync.WaitGroup
	for i := range outcomes {
		streams.Go(func() { outcomes[i] = r.read(ctx, i) })
	}
	done := make(chan struct{})
	watch.Go(func() { d.watch(r, start, done, cancel) })
	streams.Wait()
	elapsed := time.Since(start)
	close(done)
	watch.Wait()
	stalled := errors.Is(context.Cause(ctx), errStalled)
	cancel(nil)
	d.cfg.View.Stop()

	res := &Result{Worker: d.addr, Source: d.cfg.Source, Streams: d.cfg.Streams, Rate: d.cfg.Rate, Elapsed: elapsed}
	res.Interrupted = outer.Err() != nil
	res.Counters = d.counters().minus(before)
	res.add(outcomes)
	if stalled {
		res.fail(-1, fmt.Sprintf("nothing arrived for %v", d.cfg.Stall))
	}
	d.judge(outer, res)
	return res, nil
}

// watch shows the progress until done, and cancels a run that has stalled.
func (d *demo) watch(r *router, start time.Time, done <-chan struct{}, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	items, since := int64(-1), start
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		now := time.Now()
		n := r.items.Load() + r.ended.Load()
		if n != items {
			items, since = n, now
		} else if now.Sub(since) >= d.cfg.Stall {
			cancel(errStalled)
		}
		d.cfg.View.Progress(Progress{
			Items: r.items.Load(), TotalItems: d.cfg.Source.Totals.Items * int64(d.cfg.Streams),
			Ended: int(r.ended.Load()), Streams: d.cfg.Streams, Elapsed: now.Sub(start),
		})
	}
}

// judge compares the books of worker and router.
func (d *demo) judge(ctx context.Context, res *Result) {
	res.PeakOpen = int(d.worker.peak.Load())
	if res.Interrupted {
		return
	}
	for i := range d.worker.calls {
		if n := d.worker.calls[i].Load(); n > 1 {
			res.fail(i, fmt.Sprintf("the worker was called %d times", n))
		}
	}
	if res.Terminals != res.Streams {
		res.fail(-1, fmt.Sprintf("%d ends for %d streams", res.Terminals, res.Streams))
	}
	if n := d.client.Stats().Streams; n != 0 {
		res.fail(-1, fmt.Sprintf("%d streams are still open at the router", n))
	}
	if len(res.Failures) > 0 {
		if now, err := d.cfg.Source.measure(ctx); err == nil && now != d.cfg.Source.Totals {
			res.fail(-1, d.cfg.Source.Name+" has changed since it was opened")
		}
	}
}

// counters reads those of both ends.
func (d *demo) counters() Counters {
	s, c := d.server.Stats(), d.client.Stats()
	sg, cg := d.server.GroupStat(), d.client.GroupStat()
	return Counters{
		FramesToRouter: s.FramesOut, FramesToWorker: c.FramesOut,
		WireBytesToRouter: s.BytesOut, WireBytesToWorker: c.BytesOut,
		WritesOfWorker: sg.Writes, WritesOfRouter: cg.Writes,
		ReadsOfRouter: cg.Reads, ReadsOfWorker: sg.Reads,
	}
}
