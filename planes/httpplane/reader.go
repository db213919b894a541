package httpplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// The pieces in which an answer is read; the buffer grows while it is filled.
const minRead, maxRead = 4 << 10, 64 << 10

// lingering bounds what is read behind a terminal so that the connection can be used
// again.
const lingering = time.Second

type piece struct {
	data []byte
	err  error
}

// reader is an answer as the caller reads it. A goroutine reads ahead one piece at
// most, and only when Recv has asked for it.
type reader struct {
	c    *Client
	a    *attempt
	body io.ReadCloser
	url  string
	ask  http.Header // what DELETE must say to control the answer
	dec  *itemstream.Decoder

	want  chan struct{} // to the goroutine, of 1: read on; closed: read no more
	got   chan piece    // from it, of 1
	asked bool
	cut   error // why there is no more to read
	end   error // what Recv returns from now on
	once  sync.Once
	stop  sync.Once
}

func newReader(c *Client, a *attempt, resp *http.Response, url string, f itemstream.Format, seen itemstream.Totals) *reader {
	r := &reader{
		c: c, a: a, body: resp.Body, url: url,
		dec: itemstream.NewDecoder(f, c.cfg.MaxItemBytes), want: make(chan struct{}, 1), got: make(chan piece, 1),
	}
	if name := resp.Header.Get(HeaderStream); name != "" {
		r.ask = http.Header{HeaderStream: {name}}
	}
	r.dec.Resume(seen)
	go r.pump()
	return r
}

// pump reads the body, on demand, and closes it.
func (r *reader) pump() {
	defer r.release()
	buf := make([]byte, minRead)
	for range r.want {
		n, err := r.read(buf)
		r.got <- piece{buf[:n], err}
		if err != nil {
			return
		}
		if n == len(buf) && n < maxRead {
			buf = make([]byte, 2*n)
		}
	}
	if r.a.ctx.Err() != nil {
		return
	}
	// The terminal is here: the end of the body lets the connection be used again.
	t := time.AfterFunc(lingering, func() { r.a.cancel(nil) })
	defer t.Stop()
	_, _ = io.CopyN(io.Discard, r.body, minRead)
}

// read bounds the silence of one Read.
func (r *reader) read(buf []byte) (int, error) {
	if d := r.c.cfg.IdleTimeout; d > 0 {
		t := time.AfterFunc(d, func() { r.a.cancel(fmt.Errorf("%w: silent for %v", errSilent, d)) })
		defer t.Stop()
	}
	return r.body.Read(buf)
}

func (r *reader) release() {
	_ = r.body.Close()
	r.a.end()
	r.c.mu.Lock()
	delete(r.c.live, r)
	r.c.mu.Unlock()
}

// Recv implements planes.StreamReader.
func (r *reader) Recv(ctx context.Context) ([]byte, error) {
	for r.end == nil {
		ev, ok, err := r.dec.Next()
		switch {
		case err != nil:
			r.finish(r.broken(err))
		case ok && ev.Kind == itemstream.Item:
			return ev.Data, nil
		case ok && ev.Kind == itemstream.End:
			r.finish(io.EOF)
		case ok:
			r.finish(r.failure(&ev))
		case r.cut == io.EOF: //nolint:errorlint // bare, as io.Reader has it
			r.finish(r.broken(r.dec.Close()))
		case r.cut != nil:
			r.finish(r.a.failed(r.cut, r.dec.Seen().Items))
		default:
			if err := r.more(ctx); err != nil {
				return nil, err
			}
		}
	}
	return nil, r.end
}

// more feeds the decoder with the next piece.
func (r *reader) more(ctx context.Context) error {
	if !r.asked {
		r.asked = true
		r.want <- struct{}{}
	}
	var p piece
	select {
	case p = <-r.got:
	default:
		select {
		case p = <-r.got:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.asked = false
	r.dec.Feed(p.data)
	r.cut = p.err
	return nil
}

func (r *reader) failure(ev *itemstream.Event) *planes.Error {
	e := &planes.Error{Op: "stream", Route: r.a.route, Target: r.a.target, Items: r.dec.Seen().Items}
	fill(e, &ev.Failure)
	if e.Phase == planes.PhaseNotStarted && e.Items > 0 {
		e.Phase = planes.PhaseStarted
	}
	return e
}

// broken is a stream that cannot be read on, or was cut short.
func (r *reader) broken(err error) *planes.Error {
	e := r.a.failed(err, r.dec.Seen().Items)
	switch {
	case errors.Is(err, itemstream.ErrTooLarge):
		e.Code, e.Err = planes.CodeTooLarge, err
	case errors.Is(err, itemstream.ErrMalformed):
		e.Code, e.Err = planes.CodeProtocol, err
	}
	return e
}

// finish sets what Recv returns from now on.
func (r *reader) finish(err error) {
	if r.end == nil {
		r.end = err
	}
	r.hangUp(r.dec.Over() && r.dec.Close() == nil)
}

// hangUp lets the goroutine end: at once, or behind a terminal with the end of the body.
func (r *reader) hangUp(whole bool) {
	r.once.Do(func() {
		if !whole {
			r.a.cancel(errHungUp)
		}
		close(r.want)
	})
}

var errHungUp = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Op: "stream", Reason: "the caller closed the stream"}

// Close implements planes.StreamReader.
func (r *reader) Close() error {
	r.hangUp(false)
	if r.end == nil {
		e := *errHungUp
		e.Route, e.Target, e.Items = r.a.route, r.a.target, r.dec.Seen().Items
		r.end = &e
	}
	return nil
}

// Stop implements planes.StreamReader: it asks the worker that answers, by DELETE. What
// cannot be delivered, as through a balancer that chooses another worker, is lost.
func (r *reader) Stop() {
	if r.ask != nil {
		r.stop.Do(func() { go r.c.control(r.a.ctx, r.url, r.ask, planes.ControlStop) })
	}
}

// control asks the worker at url to end an answer.
func (c *Client) control(ctx context.Context, url string, ask http.Header, what planes.Control) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, url, nil)
	if err != nil {
		return
	}
	req.Header = ask.Clone()
	req.Header.Set(HeaderControl, what.String())
	resp, err := c.pick().Do(req)
	if err != nil {
		c.cfg.Logger.Debug("a control was not delivered", "control", what, "target", url, "error", err)
		return
	}
	_ = resp.Body.Close()
}
