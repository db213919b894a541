package dynplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

// ClientConfig configures a Client. The zero value is usable.
type ClientConfig struct {
	// Revision of the frames: 1 for v0.7, 2 since January 2026; 0 means 2.
	Revision uint8
	// MaxMessageBytes is the largest whole frame; 0 means 32 MiB.
	MaxMessageBytes int
	// MaxConns is how many connections one worker gets; 0 means 100. A further one is
	// made only while all have Inflight requests without ack.
	MaxConns int
	// Inflight is how many requests one connection has without ack; 0 means 1024.
	// When all connections are full, requests are refused with CodeOverloaded.
	Inflight int
	// ConnectTimeout bounds a dial, with its wait for its turn; 0 means 5 s.
	ConnectTimeout time.Duration
	// AckTimeout bounds the wait for an ack; 0 means 5 s. After it the connection is
	// given up, since no later ack can come before.
	AckTimeout time.Duration
	// DialLimit is how many dials run at once, over all workers; 0 means 64.
	DialLimit int
	// HostTTL is how long the connections to an unused worker are kept, up to half as
	// long again; 0 means 300 s.
	HostTTL time.Duration
	// MaxHosts is how many workers have connections at once; 0 means 4096. Requests to
	// further ones are refused with CodeOverloaded until one is let go.
	MaxHosts int
}

// Validate reports all wrong fields at once.
func (c ClientConfig) Validate() error {
	var errs []error
	if c.Revision > 2 {
		errs = append(errs, fmt.Errorf("dynplane: ClientConfig.Revision is %d; want 0 for 2, 1 or 2", c.Revision))
	}
	for name, n := range map[string]int{"MaxMessageBytes": c.MaxMessageBytes, "MaxConns": c.MaxConns, "Inflight": c.Inflight,
		"DialLimit": c.DialLimit, "MaxHosts": c.MaxHosts, "ConnectTimeout": int(c.ConnectTimeout), "AckTimeout": int(c.AckTimeout), "HostTTL": int(c.HostTTL)} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("dynplane: ClientConfig.%s is %d; want 0 for the default, or more", name, n))
		}
	}
	return errors.Join(errs...)
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Client is the router's side. All methods are safe for concurrent use.
type Client struct {
	cfg   ClientConfig
	dials chan struct{}   // a place for each dial
	ctx   context.Context //nolint:containedctx // of the dials, which belong to no caller
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu      sync.Mutex
	hosts   map[string]*host
	closed  bool
	sweeper *time.Timer
}

var _ planes.RequestClient = (*Client)(nil)

// NewClient returns a Client. It does no I/O.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	or(&cfg.Revision, 2)
	or(&cfg.MaxMessageBytes, 32<<20)
	or(&cfg.MaxConns, 100)
	or(&cfg.Inflight, 1024)
	or(&cfg.ConnectTimeout, 5*time.Second)
	or(&cfg.AckTimeout, 5*time.Second)
	or(&cfg.DialLimit, 64)
	or(&cfg.HostTTL, 300*time.Second)
	or(&cfg.MaxHosts, 4096)
	c := &Client{cfg: cfg, dials: make(chan struct{}, cfg.DialLimit), hosts: make(map[string]*host)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Capabilities is what the plane can do with default limits: items come elsewhere.
func Capabilities() planes.Capabilities {
	return planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 32<<20 - envelope.MaxControlBytes - 128<<10}
}

// Send delivers env and waits for its ack.
func (c *Client) Send(ctx context.Context, to planes.Address, env *planes.Envelope) error {
	path := to.Path
	if path == "" {
		path = env.Request.Route
	}
	fault := func(code planes.Code, phase planes.Phase, why string, err error) error {
		return &planes.Error{Code: code, Phase: phase, Op: "send", Route: env.Request.Route, Target: to.String(), Reason: why, Err: err}
	}
	if to.Kind != planes.AddressTCP || to.Host == "" || to.Port == 0 {
		return fault(planes.CodeUnsupported, planes.PhaseNotStarted, "no tcp address", nil)
	}
	frame, err := c.frame(path, env)
	if err != nil {
		var e *planes.Error
		if errors.As(err, &e) {
			return err
		}
		return fault(planes.CodeRefused, planes.PhaseNotStarted, "the request cannot be encoded", err)
	}
	if len(frame) > c.cfg.MaxMessageBytes {
		return fault(planes.CodeTooLarge, planes.PhaseNotStarted, fmt.Sprintf("a frame of %d bytes; want at most %d", len(frame), c.cfg.MaxMessageBytes), nil)
	}
	l, err := c.conn(ctx, to.HostPort())
	if err != nil {
		var e *planes.Error
		if errors.As(err, &e) {
			return fault(e.Code, planes.PhaseNotStarted, e.Reason, e.Err)
		}
		code := planes.CodeTransport
		if ctx.Err() != nil {
			code = planes.CodeOf(ctx.Err())
		}
		return fault(code, planes.PhaseNotStarted, "", err)
	}
	p := &pending{frame: frame, done: make(chan result, 1)}
	l.out <- p // never full: it has room for all that were admitted
	due := time.Now().Add(c.cfg.AckTimeout)
	timeout := time.NewTimer(c.cfg.AckTimeout)
	defer timeout.Stop()
	select {
	case r := <-p.done:
		return r.asError(fault)
	case <-ctx.Done():
		phase := l.giveUp(p)
		if phase != planes.PhaseNotStarted {
			// Nobody waits for the ack, and yet no later one can come before it.
			time.AfterFunc(time.Until(due), func() { l.overdue(p, c.cfg.AckTimeout) })
		}
		return fault(planes.CodeOf(ctx.Err()), phase, "before the worker's ack", ctx.Err())
	case <-timeout.C:
		phase := l.giveUp(p)
		l.fail(fmt.Errorf("no ack within %v", c.cfg.AckTimeout))
		return fault(planes.CodePeerLost, phase, fmt.Sprintf("no ack within %v", c.cfg.AckTimeout), nil)
	}
}

// frame encodes a request with its headers.
func (c *Client) frame(path string, env *planes.Envelope) ([]byte, error) {
	payload, err := envelope.Append(nil, env, envelope.CodecBytes)
	if err != nil {
		return nil, err
	}
	m := dynwire.Request{Path: []byte(path), Payload: payload}
	if c.cfg.Revision >= 2 {
		headers := map[string]string{envelope.EndpointPath: path}
		envelope.Headers(env.ID, env.Request, time.Now(), func(name, value string) { headers[name] = value })
		if m.Headers, err = json.Marshal(headers); err != nil {
			return nil, err
		}
	}
	return m.Append(make([]byte, 0, m.Size(c.cfg.Revision)), c.cfg.Revision)
}

// result is what became of a request.
type result struct {
	rejection []byte
	err       error
	phase     planes.Phase
}

func (r result) asError(fault func(planes.Code, planes.Phase, string, error) error) error {
	switch {
	case r.err != nil:
		return fault(planes.CodeTransport, r.phase, "", r.err)
	case len(r.rejection) == 0:
		return nil
	}
	code := planes.CodeRefused
	switch {
	case bytes.HasPrefix(r.rejection, []byte("Server overloaded:")):
		code = planes.CodeOverloaded
	case bytes.HasPrefix(r.rejection, []byte("Server unavailable: unknown endpoint")):
		code = planes.CodeNotFound
	}
	err := fault(code, planes.PhaseNotStarted, string(r.rejection[:min(len(r.rejection), 1024)]), nil)
	err.(*planes.Error).Origin = planes.OriginPeer //nolint:errorlint,forcetypeassert // made by fault
	return err
}

// host is one worker.
type host struct {
	conns   []*conn
	turn    int
	dialing *dial
	last    time.Time
}

type dial struct {
	done chan struct{}
	err  error
}

// conn returns a connection with room for one more request, which it has admitted.
func (c *Client) conn(ctx context.Context, addr string) (*conn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, &planes.Error{Code: planes.CodeCancelled, Reason: "the client is closed"}
		}
		h := c.hosts[addr]
		if h == nil {
			if len(c.hosts) >= c.cfg.MaxHosts {
				c.mu.Unlock()
				return nil, &planes.Error{Code: planes.CodeOverloaded, Reason: "connections to as many workers as are allowed"}
			}
			h = &host{}
			c.hosts[addr] = h
			if c.sweeper == nil {
				c.sweeper = time.AfterFunc(c.cfg.HostTTL/2, c.sweep)
			}
		}
		h.last = time.Now()
		for range h.conns {
			h.turn = (h.turn + 1) % len(h.conns)
			if l := h.conns[h.turn]; l.admit() {
				c.mu.Unlock()
				return l, nil
			}
		}
		d := h.dialing
		if d == nil {
			if len(h.conns) >= c.cfg.MaxConns {
				c.mu.Unlock()
				return nil, &planes.Error{Code: planes.CodeOverloaded, Reason: "every connection has as many requests without ack as are allowed"}
			}
			d = &dial{done: make(chan struct{})}
			h.dialing = d
			c.wg.Go(func() { c.dial(addr, h, d) })
		}
		c.mu.Unlock()
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// dial makes a connection to h, for everybody who waits for d.
func (c *Client) dial(addr string, h *host, d *dial) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.ConnectTimeout)
	defer cancel()
	defer close(d.done)
	var nc net.Conn
	select {
	case c.dials <- struct{}{}:
		var dialer net.Dialer
		nc, d.err = dialer.DialContext(ctx, "tcp", addr)
		<-c.dials
	case <-ctx.Done():
		d.err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.dialing = nil
	if d.err != nil {
		return
	}
	l := newConn(nc, c.cfg.Inflight, func(l *conn) { c.forget(h, l) })
	if c.closed {
		l.fail(net.ErrClosed)
	}
	h.conns = append(h.conns, l)
	c.wg.Go(l.writeLoop)
	c.wg.Go(l.readLoop)
}

func (c *Client) forget(h *host, l *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range h.conns {
		if other == l {
			h.conns = append(h.conns[:i:i], h.conns[i+1:]...)
			return
		}
	}
}

// sweep closes the connections to workers that were unused for too long.
func (c *Client) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for addr, h := range c.hosts {
		idle := h.dialing == nil && time.Since(h.last) >= c.cfg.HostTTL
		for _, l := range h.conns {
			idle = idle && l.idle()
		}
		if idle {
			delete(c.hosts, addr)
			for _, l := range h.conns {
				l.fail(net.ErrClosed)
			}
		}
	}
	if c.sweeper = nil; len(c.hosts) > 0 {
		c.sweeper = time.AfterFunc(c.cfg.HostTTL/2, c.sweep)
	}
}

// Close fails what is under way and closes every connection.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	if c.sweeper != nil {
		c.sweeper.Stop()
	}
	for _, h := range c.hosts {
		for _, l := range h.conns {
			l.fail(net.ErrClosed)
		}
	}
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	return nil
}
