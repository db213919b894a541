package httpplane

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

// ClientConfig configures a Client or an Attacher. The zero value is usable.
type ClientConfig struct {
	// HTTP makes the requests; nil means a client of this package's own, with bounded
	// windows, which Close closes. The other connection settings are for that one.
	HTTP *http.Client
	// H2C speaks HTTP/2 over clear text with prior knowledge, and nothing else; the
	// zero value speaks HTTP/1.1, or what TLS negotiates.
	H2C bool
	// TLS is for https addresses; nil means the defaults.
	TLS *tls.Config
	// Spread is the number of HTTP/2 connections that the calls to one worker are
	// spread over; 0 means 4. More are made when a worker's stream limit is reached.
	Spread int
	// MaxConnsPerHost is the number of connections to one worker; calls beyond it wait
	// for one, up to Timeout. 0 means 512.
	MaxConnsPerHost int
	// DialTimeout bounds the making of a connection; 0 means 5 s.
	DialTimeout time.Duration
	// Timeout is how long a worker may take until it has taken a request; 0 means 5 s.
	// Attacher: until the answer's status is there; 0 means 15 s.
	Timeout time.Duration
	// IdleTimeout is the longest silence in an answer, heartbeats included, before the
	// worker counts as lost; 0 means 60 s, negative forever.
	IdleTimeout time.Duration
	// Format is what answers are asked for in; nil means Binary. Whatever the worker
	// then answers in is read.
	Format *itemstream.Format
	// MaxItemBytes is the largest item taken; 0 means 16 MiB.
	MaxItemBytes int
	// Now reads the clock that dates requests; nil means time.Now.
	Now func() time.Time
	// Logger gets a line for what cannot be returned; nil discards.
	Logger *slog.Logger
}

// Validate reports all wrong fields at once.
func (c ClientConfig) Validate() error {
	var errs []error
	errs = positive(errs, "ClientConfig.Spread", int64(c.Spread))
	errs = positive(errs, "ClientConfig.MaxConnsPerHost", int64(c.MaxConnsPerHost))
	errs = positive(errs, "ClientConfig.DialTimeout", int64(c.DialTimeout))
	errs = positive(errs, "ClientConfig.Timeout", int64(c.Timeout))
	errs = positive(errs, "ClientConfig.MaxItemBytes", int64(c.MaxItemBytes))
	if c.Format != nil && *c.Format > itemstream.Binary {
		errs = append(errs, fmt.Errorf("httpplane: ClientConfig.Format is %v; want sse, ndjson or binary", *c.Format))
	}
	return errors.Join(errs...)
}

func (c ClientConfig) withDefaults(timeout time.Duration) ClientConfig {
	def(&c.Spread, 4)
	def(&c.MaxConnsPerHost, 512)
	def(&c.DialTimeout, 5*time.Second)
	def(&c.Timeout, timeout)
	def(&c.IdleTimeout, 60*time.Second)
	def(&c.MaxItemBytes, 16<<20)
	if c.Format == nil {
		f := itemstream.Binary
		c.Format = &f
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Client is the router's side of the HTTP request plane: a [planes.RequestClient] and a
// [planes.Exchanger]. It keeps connections to the workers that it has called. All
// methods are safe for concurrent use.
type Client struct {
	cfg    ClientConfig
	conns  []*http.Client
	owned  []*http.Transport
	next   atomic.Uint32
	dials  atomic.Uint64
	reused atomic.Uint64

	mu     sync.Mutex
	closed bool
	live   map[*reader]struct{}
	base   context.Context //nolint:containedctx // ends every call when the client is closed
	cancel context.CancelCauseFunc
}

var (
	_ planes.RequestClient = (*Client)(nil)
	_ planes.Exchanger     = (*Client)(nil)
)

var errClosed = &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseMaybe, Op: "call", Reason: "the client was closed", Err: net.ErrClosed}

// NewClient checks cfg and returns a client; it makes no connection.
func NewClient(cfg ClientConfig) (*Client, error) {
	return newClient(cfg, 5*time.Second)
}

func newClient(cfg ClientConfig, timeout time.Duration) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg.withDefaults(timeout), live: map[*reader]struct{}{}}
	c.base, c.cancel = context.WithCancelCause(context.Background())
	if cfg.HTTP != nil {
		c.conns = []*http.Client{cfg.HTTP}
		return c, nil
	}
	n := 1
	if cfg.H2C || cfg.TLS != nil {
		n = c.cfg.Spread
	}
	for range n {
		t := newTransport(c.cfg, (c.cfg.MaxConnsPerHost+n-1)/n)
		c.owned = append(c.owned, t)
		c.conns = append(c.conns, &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirected POST is a second request
		}})
	}
	return c, nil
}

func newTransport(c ClientConfig, maxConns int) *http.Transport {
	p := new(http.Protocols)
	p.SetHTTP1(!c.H2C)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(c.H2C)
	return &http.Transport{
		Protocols: p, TLSClientConfig: c.TLS, DisableCompression: true,
		DialContext:         (&net.Dialer{Timeout: c.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: c.DialTimeout,
		MaxConnsPerHost:     maxConns, MaxIdleConnsPerHost: 64, MaxIdleConns: 4096, IdleConnTimeout: 90 * time.Second,
		WriteBufferSize: 4 << 10, ReadBufferSize: 4 << 10, MaxResponseHeaderBytes: 64 << 10,
		// A stream whose reader stalls holds a window; 250 of them, which is what our
		// servers allow, fit into a connection's.
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: 256 << 10, MaxReceiveBufferPerConnection: 64 << 20, MaxReadFrameSize: 64 << 10,
			SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, WriteByteTimeout: 30 * time.Second,
		},
	}
}

// Close ends every call and closes the connections of the client's own.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(errClosed)
	for _, t := range c.owned {
		t.CloseIdleConnections()
	}
	return nil
}

// ClientStat counts what a Client did.
type ClientStat struct {
	Dialed uint64 // requests that got a new connection
	Reused uint64 // requests that got one that was there
	Live   int    // answers that are not over
}

// Stat returns the counters.
func (c *Client) Stat() ClientStat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ClientStat{Dialed: c.dials.Load(), Reused: c.reused.Load(), Live: len(c.live)}
}

// pick returns the next of the connections that calls are spread over.
func (c *Client) pick() *http.Client {
	if len(c.conns) == 1 {
		return c.conns[0]
	}
	return c.conns[int(c.next.Add(1))%len(c.conns)]
}

// attempt is one HTTP request and how far it came.
type attempt struct {
	op, route, target string
	connected         atomic.Bool
	ran               atomic.Bool     // it was over before anything ended its context
	ctx               context.Context //nolint:containedctx // of the one call
	cancel            context.CancelCauseFunc
	unlink            func() bool
}

var errSilent = errors.New("no answer in time")

// begin makes the context of a call, which ends with ctx, with the client, or by
// cancel.
func (c *Client) begin(ctx context.Context, op, route, target string) *attempt {
	a := &attempt{op: op, route: route, target: target}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.unlink = context.AfterFunc(c.base, func() { a.cancel(errClosed) })
	a.ctx = httptrace.WithClientTrace(a.ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		a.connected.Store(true)
		if i.Reused {
			c.reused.Add(1)
		} else {
			c.dials.Add(1)
		}
	}})
	return a
}

func (a *attempt) end() {
	if a.ctx.Err() == nil {
		a.ran.Store(true)
	}
	a.unlink()
	a.cancel(nil)
}

// failed says why there is no answer, or no more of it.
func (a *attempt) failed(err error, items uint64) *planes.Error {
	e := &planes.Error{Code: planes.CodeTransport, Phase: planes.PhaseMaybe, Op: a.op, Route: a.route, Target: a.target, Items: items, Err: err}
	switch {
	case !a.connected.Load():
		e.Phase = planes.PhaseNotStarted
	case items > 0:
		e.Phase = planes.PhaseStarted
	}
	if a.ran.Load() || a.ctx.Err() == nil {
		return e
	}
	cause := context.Cause(a.ctx)
	switch {
	case errors.Is(cause, errSilent):
		e.Reason, e.Err = cause.Error(), cause
		if e.Phase != planes.PhaseNotStarted {
			e.Code = planes.CodePeerLost
		}
	case typed(cause) != nil:
		e.Code, e.Reason, e.Err = typed(cause).Code, typed(cause).Reason, typed(cause).Err
	default:
		e.Code, e.Err = planes.CodeOf(a.ctx.Err()), cause
	}
	return e
}

// post sends body to url and returns the answer once its head is there, which must be
// within the client's Timeout.
func (c *Client) post(a *attempt, url string, body []byte, set func(http.Header) error) (*http.Response, *planes.Error) {
	req, err := http.NewRequestWithContext(a.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/octet-stream")
		err = set(req.Header)
	}
	if err != nil {
		return nil, &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseNotStarted, Op: a.op, Route: a.route, Target: a.target, Reason: err.Error()}
	}
	return c.do(a, req)
}

func (c *Client) do(a *attempt, req *http.Request) (*http.Response, *planes.Error) {
	silent := time.AfterFunc(c.cfg.Timeout, func() { a.cancel(fmt.Errorf("%w: %v", errSilent, c.cfg.Timeout)) })
	defer silent.Stop()
	resp, err := c.pick().Do(req)
	if err != nil {
		return nil, a.failed(err, 0)
	}
	return resp, nil
}

func wrongAddress(op, route string, to planes.Address) *planes.Error {
	return &planes.Error{Code: planes.CodeUnsupported, Phase: planes.PhaseNotStarted, Op: op, Route: route, Target: to.String(),
		Reason: fmt.Sprintf("an address of type %.20q; want http", string(to.Kind))}
}

// Send posts env and returns nil once the worker has said that it took it.
func (c *Client) Send(ctx context.Context, to planes.Address, env *planes.Envelope) error {
	const op = "send"
	if to.Kind != planes.AddressHTTP {
		return wrongAddress(op, env.Request.Route, to)
	}
	body, err := envelope.Append(nil, env, envelope.CodecBytes)
	if err != nil {
		return err
	}
	a := c.begin(ctx, op, env.Request.Route, to.URL)
	defer a.end()
	resp, e := c.post(a, to.URL, body, func(h http.Header) error {
		envelope.Headers(env.ID, env.Request, c.cfg.Now(), h.Set)
		return nil
	})
	if e != nil {
		return e
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return c.refused(a, resp)
	}
	if f, ok := itemstream.ForMediaType(resp.Header.Get("Content-Type")); ok && resp.StatusCode != http.StatusAccepted {
		return &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseMaybe, Origin: planes.OriginPeer, Op: op, Route: a.route,
			Target: a.target, Reason: fmt.Sprintf("the worker answers in the exchange itself, as %v: it takes no envelopes", f)}
	}
	t := time.AfterFunc(min(lingering, c.cfg.Timeout), func() { a.cancel(nil) })
	defer t.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody) // so that the connection can be used again
	return nil
}

// refused reads an answer that is no success, for at most the client's Timeout.
func (c *Client) refused(a *attempt, resp *http.Response) *planes.Error {
	t := time.AfterFunc(c.cfg.Timeout, func() { a.cancel(errSilent) })
	defer t.Stop()
	return refused(resp, a.op, a.route, a.target)
}

// accepts is the Accept header of a caller that likes f best.
func accepts(f itemstream.Format) string {
	s := f.MediaType()
	for _, other := range itemstream.Formats {
		if other != f {
			s += ", " + other.MediaType() + ";q=0.5"
		}
	}
	return s
}

// Exchange posts req and returns its answer once the worker has said that it comes; a
// worker of this package says so within its StatusDelay, before the first item. ctx
// ends the call and, at the worker, the handler.
func (c *Client) Exchange(ctx context.Context, to planes.Address, req *planes.Request) (planes.StreamReader, error) {
	const op = "call"
	if to.Kind != planes.AddressHTTP {
		return nil, wrongAddress(op, req.Route, to)
	}
	a := c.begin(ctx, op, req.Route, to.URL)
	// The transport may still read a body when its answer has begun.
	body := append([]byte(nil), req.Payload...)
	resp, e := c.post(a, to.URL, body, func(h http.Header) error {
		h.Set("Accept", accepts(*c.cfg.Format))
		return writeHeaders(h, "", timed(ctx, req), c.cfg.Now())
	})
	if e != nil {
		a.end()
		return nil, e
	}
	return c.answer(a, resp, to.URL, itemstream.Totals{})
}

// timed makes the context's deadline the request's, if it is the earlier one.
func timed(ctx context.Context, req *planes.Request) *planes.Request {
	deadline, ok := ctx.Deadline()
	if !ok {
		return req
	}
	left := max(time.Until(deadline), time.Millisecond)
	if req.Timeout > 0 && req.Timeout <= left {
		return req
	}
	r := *req
	r.Timeout = left
	return &r
}

// answer makes a reader of resp, or an error. It takes a over.
func (c *Client) answer(a *attempt, resp *http.Response, url string, seen itemstream.Totals) (planes.StreamReader, error) {
	format, ok := itemstream.ForMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode/100 == 2 && ok {
		r := newReader(c, a, resp, url, format, seen)
		c.mu.Lock()
		c.live[r] = struct{}{}
		c.mu.Unlock()
		return r, nil
	}
	defer a.end()
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return nil, c.refused(a, resp)
	}
	return nil, &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseMaybe, Origin: planes.OriginProxy, Op: a.op, Route: a.route,
		Target: a.target, Reason: fmt.Sprintf("status %d with an answer of type %.60q", resp.StatusCode, resp.Header.Get("Content-Type"))}
}
