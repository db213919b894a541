package demo

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// Routes of the worker.
const (
	routeHello  = "demo/hello"
	routeTokens = "demo/tokens" // the payload is the stream's number in decimal
)

// worker sends the source's tokens, and keeps books of its own about what it did.
type worker struct {
	cfg   Config
	gate  *gate
	calls []atomic.Int32 // calls of each stream: 1 when all is well
	ended atomic.Int64   // handlers that have returned
	open  atomic.Int64
	peak  atomic.Int64 // most handlers at once
}

func newWorker(cfg Config, g *gate) *worker {
	return &worker{cfg: cfg, gate: g, calls: make([]atomic.Int32, cfg.Streams)}
}

// serve answers one call with the text.
func (w *worker) serve(ctx context.Context, req *planes.Request, out planes.ResponseWriter) error {
	stream, err := strconv.Atoi(string(req.Payload))
	if err != nil || stream < 0 || stream >= w.cfg.Streams {
		return planes.Errorf(planes.CodeRefused, "no stream %.20q", req.Payload)
	}
	w.calls[stream].Add(1)
	raise(&w.peak, w.open.Add(1))
	defer func() {
		w.open.Add(-1)
		w.ended.Add(1)
		w.gate.arrive(stream)
	}()
	return w.send(ctx, stream, out)
}

// raise sets peak to n if that is more.
func raise(peak *atomic.Int64, n int64) {
	for {
		old := peak.Load()
		if n <= old || peak.CompareAndSwap(old, n) {
			return
		}
	}
}

// send sends the first token at once, so that the time to it is not the gate's,
// waits until all streams are open, and sends the rest.
func (w *worker) send(ctx context.Context, stream int, out planes.ResponseWriter) error {
	pace := newPace(w.cfg.Rate, float64(stream)/float64(w.cfg.Streams))
	defer pace.stop()
	tokens := w.cfg.Source.tokens()
	for item := int64(0); ; item++ {
		tok, err := tokens.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return planes.Errorf(planes.CodeInternal, "read %s: %v", w.cfg.Source.Name, err)
		}
		last := err != nil
		if item == 1 || last {
			w.gate.arrive(stream)
			select {
			case <-w.gate.open:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if last {
			return nil
		}
		if err := pace.wait(ctx, item); err != nil {
			return err
		}
		if err := w.sendItem(out, stream, item, tok); err != nil {
			return err
		}
	}
}

func (w *worker) sendItem(out planes.ResponseWriter, stream int, item int64, tok []byte) error {
	if w.cfg.Fault == nil {
		return out.Send(tok)
	}
	instead, err := w.cfg.Fault(stream, item, tok)
	for _, tok := range instead {
		if err := out.Send(tok); err != nil {
			return err
		}
	}
	return err
}

// pace lets one token through every step. The first is not held.
type pace struct {
	step  time.Duration // 0: no pace
	start time.Time
	timer *time.Timer
}

// newPace makes a pace of rate tokens a second. phase, from 0 to 1, shifts the
// tokens of one stream against those of the others.
func newPace(rate, phase float64) *pace {
	p := &pace{}
	if rate > 0 {
		p.step = time.Duration(float64(time.Second) / rate)
		p.start = time.Now().Add(time.Duration(phase * float64(p.step)))
	}
	return p
}

func (p *pace) wait(ctx context.Context, item int64) error {
	if p.step == 0 || item == 0 {
		return nil
	}
	left := time.Until(p.start.Add(time.Duration(item) * p.step))
	if left <= 0 {
		return nil
	}
	if p.timer == nil {
		p.timer = time.NewTimer(left)
	} else {
		p.timer.Reset(left)
	}
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
