package httpplane

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// Attacher is the router's side of attached answers, a [planes.ResponseServer]: it gets
// each answer from the worker's [ResponseListener]. An answer whose connection breaks is
// resumed, up to three times in a row without an item between. All methods are safe for
// concurrent use.
type Attacher struct {
	c       *Client
	pending atomic.Int64
}

// maxPending is how many answers an Attacher expects at once.
const maxPending = 65536

var _ planes.ResponseServer = (*Attacher)(nil)

// NewAttacher checks cfg and returns an Attacher; it makes no connection.
func NewAttacher(cfg ClientConfig) (*Attacher, error) {
	c, err := newClient(cfg, 15*time.Second)
	if err != nil {
		return nil, err
	}
	return &Attacher{c: c}, nil
}

// Close fails what is under way and closes the connections.
func (t *Attacher) Close() error { return t.c.Close() }

// Stat returns the counters of the connections.
func (t *Attacher) Stat() ClientStat { return t.c.Stat() }

// Expect implements planes.ResponseServer.
func (t *Attacher) Expect(_ context.Context, x planes.Expectation) (planes.Pending, error) {
	if x.Response.Address.Kind != planes.AddressHTTP {
		return nil, wrongAddress("attach", x.Route, x.Response.Address)
	}
	if t.pending.Add(1) > maxPending {
		t.pending.Add(-1)
		return nil, &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, Op: "attach", Route: x.Route,
			Reason: fmt.Sprintf("%d answers are expected", maxPending)}
	}
	info := attachInfo{Subject: strings.ToLower(rand.Text()), Token: rand.Text()}
	return &pending{
		t: t, x: x, info: info, url: strings.TrimSuffix(x.Response.Address.URL, "/") + "/" + info.Subject,
		settle: sync.OnceFunc(func() { t.pending.Add(-1) }),
	}, nil
}

type pending struct {
	t      *Attacher
	x      planes.Expectation
	info   attachInfo
	url    string
	settle func()
	off    atomic.Bool
}

// Reply implements planes.Pending.
func (p *pending) Reply() planes.ConnectionInfo {
	b, err := json.Marshal(p.info)
	if err != nil {
		return planes.ConnectionInfo{} // two strings always can be written
	}
	return planes.ConnectionInfo{Transport: ResponseTransport, Info: string(b)}
}

// Cancel implements planes.Pending. A worker that waits gives up after its
// AttachTimeout.
func (p *pending) Cancel() {
	p.off.Store(true)
	p.settle()
}

// Accept implements planes.Pending. It asks again while the worker does not know the
// answer yet, until the client's Timeout.
func (p *pending) Accept(ctx context.Context) (planes.StreamReader, error) {
	defer p.settle()
	if p.off.Load() {
		return nil, &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseMaybe, Op: "attach", Route: p.x.Route, Target: p.url, Reason: "it was cancelled"}
	}
	cut := false
	limit, pause := time.Now().Add(p.t.c.cfg.Timeout), 20*time.Millisecond
	for {
		r, err := p.get(ctx, itemstream.Totals{})
		if err == nil {
			s := &attached{p: p, ctx: ctx, in: r}
			s.unhook = context.AfterFunc(ctx, s.kill)
			return s, nil
		}
		if ctx.Err() != nil { // the handler may run already
			go p.kill(ctx)
		}
		// The request was taken: only the worker's own word proves that it does not run.
		if e := typed(err); e.Origin == planes.OriginLocal && e.Phase == planes.PhaseNotStarted {
			e.Phase = planes.PhaseMaybe
		}
		// CodeEpoch: the worker has not seen yet that an earlier try was cut off.
		cut = cut || planes.CodeOf(err) == planes.CodeTransport
		if !again(err) && !(cut && planes.CodeOf(err) == planes.CodeEpoch) || time.Now().Add(pause).After(limit) {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			go p.kill(ctx)
			return nil, err
		}
		pause = min(2*pause, time.Second)
	}
}

// kill tells the worker that nobody comes back.
func (p *pending) kill(ctx context.Context) {
	p.t.c.control(context.WithoutCancel(ctx), p.url, p.ask(), planes.ControlKill)
}

// again reports whether the worker may know the answer later.
func again(err error) bool {
	e := typed(err)
	switch e.Code { //nolint:exhaustive // the others are final
	case planes.CodeTransport:
		return true
	case planes.CodeNotFound, planes.CodeOverloaded:
		return e.Phase == planes.PhaseMaybe
	}
	return false
}

func (p *pending) ask() http.Header { return http.Header{HeaderToken: {p.info.Token}} }

// get attaches behind what was seen.
func (p *pending) get(ctx context.Context, seen itemstream.Totals) (*reader, error) {
	c := p.t.c
	a := c.begin(ctx, "attach", p.x.Route, p.url)
	req, err := http.NewRequestWithContext(a.ctx, http.MethodGet, p.url, nil)
	if err != nil {
		a.end()
		return nil, &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseMaybe, Op: "attach", Route: p.x.Route, Target: p.url, Err: err}
	}
	req.Header = p.ask()
	req.Header.Set("Accept", accepts(*c.cfg.Format))
	if seen.Items > 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatUint(seen.Items-1, 10))
	}
	resp, e := c.do(a, req)
	if e != nil {
		a.end()
		return nil, e
	}
	in, err := c.answer(a, resp, p.url, seen)
	if err != nil {
		return nil, err
	}
	r, ok := in.(*reader)
	if !ok {
		return nil, errClosed
	}
	r.ask = p.ask()
	return r, nil
}

// attached is an answer that survives its connection.
type attached struct {
	p   *pending
	ctx context.Context //nolint:containedctx // governs the stream, as Accept says
	// unhook keeps the end of ctx from ending an answer that is over.
	unhook func() bool

	mu     sync.Mutex // guards in, which Stop reads
	in     *reader
	tries  int
	closed bool
}

// maxTries bounds resumptions without an item between them.
const maxTries = 3

// Recv implements planes.StreamReader.
func (s *attached) Recv(ctx context.Context) ([]byte, error) {
	for {
		item, err := s.in.Recv(ctx)
		switch {
		case err == nil:
			s.tries = 0
			return item, nil
		case err == io.EOF, s.closed, s.tries >= maxTries, s.ctx.Err() != nil, !s.in.torn(): //nolint:errorlint // bare
			if s.in.dec.Over() {
				s.unhook()
			}
			return nil, err
		}
		s.tries++
		r, again := s.p.get(s.ctx, s.in.dec.Seen())
		if again != nil {
			// CodeEpoch: the worker has not seen yet that the connection is gone.
			if c := planes.CodeOf(again); (c == planes.CodeTransport || c == planes.CodeEpoch) && s.tries < maxTries {
				select {
				case <-time.After(time.Duration(s.tries) * 50 * time.Millisecond):
					continue
				case <-s.ctx.Done():
				}
			}
			e := *typed(err)
			e.Reason, e.Err = "the answer was cut off and could not be resumed", errors.Join(err, again)
			s.in.end = &e
			s.tries = maxTries
			return nil, &e
		}
		s.mu.Lock()
		s.in = r
		s.mu.Unlock()
	}
}

// torn reports whether the connection broke rather than the answer.
func (r *reader) torn() bool {
	return r.end != nil && r.cut != nil && !r.dec.Over() && planes.CodeOf(r.end) == planes.CodeTransport
}

// Stop implements planes.StreamReader.
func (s *attached) Stop() {
	s.mu.Lock()
	in := s.in
	s.mu.Unlock()
	in.Stop()
}

func (s *attached) kill() { s.p.kill(s.ctx) }

// Close implements planes.StreamReader. It tells the worker that nobody comes back.
func (s *attached) Close() error {
	if !s.closed {
		s.closed = true
		if s.unhook() && !s.in.dec.Over() {
			go s.kill()
		}
	}
	return s.in.Close()
}
