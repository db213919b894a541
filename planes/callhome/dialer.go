package callhome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/pool"
)

// Mode says in which modes a Dialer answers.
type Mode uint8

// The modes of a Dialer.
const (
	Auto   Mode = iota // the best that both offer: mux, else pooled, where the pool is on
	Single             // one socket a response
	Pooled             // pooled where the router offers it
	Mux                // multiplexed where the router offers it, else as Auto
)

// DialerConfig configures a Dialer. The zero value is usable.
type DialerConfig struct {
	// Mode says which modes are used; 0 means Auto.
	Mode Mode
	// PoolDisabled makes Auto the same as Single; false means that the pool is on.
	PoolDisabled bool
	// Instance is the id in this worker's discovery record, which it announces on
	// multiplexed connections; 0 means that it has none, and ModeMux is not offered.
	Instance uint64
	// Group runs the multiplexed connections; nil makes one with defaults at the first,
	// which the Dialer then closes. A given group stays open.
	Group *netpoll.Group
	// DialTimeout bounds a dial; 0 means 5 s.
	DialTimeout time.Duration
	// EndTimeout is the wait for the router's close or answer after the end of a
	// response; 0 means 10 s.
	EndTimeout time.Duration
	// MeetTimeout is how long a multiplexed answer and the router's stream for it wait
	// for each other; 0 means 10 s.
	MeetTimeout time.Duration
	// StallTimeout is how long a router may take nothing of what was sent before the
	// response ends with CodeSlowConsumer; 0 means 1 min.
	StallTimeout time.Duration
	// MaxPerTarget bounds the pooled connections to a router; 0 means 50. A response
	// above it waits.
	MaxPerTarget int
	// MinIdle is how many idle connections a router in use is kept at; 0 means none.
	MinIdle int
	// IdleTimeout is how long a pooled or multiplexed connection may be idle; 0 means
	// 5 min.
	IdleTimeout time.Duration
	// MaxLifetime is the mean age at which it gets no more work; 0 means 1 h.
	MaxLifetime time.Duration
	// MaxItemBytes is the largest item sent; 0 means 16 MiB.
	MaxItemBytes int
	// Items wraps items for released routers; nil sends them as they are.
	Items ItemCodec
	// PoolObserver is told of pool events by router address, multiplexed connections
	// and the responses over them included; the zero value is not.
	PoolObserver pool.Observer[string]
	// Logger gets responses that are lost after their end; nil discards.
	Logger *slog.Logger
}

// Dialer is the worker's side: planes.ResponseClient and planes.Advertiser. All
// methods are safe for concurrent use.
type Dialer struct {
	cfg  DialerConfig
	pool *pool.Pool[string, *conn]
	mux  muxSide
	log  *slog.Logger
	wg   sync.WaitGroup

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

// NewDialer returns a Dialer. It does no I/O.
func NewDialer(cfg DialerConfig) (*Dialer, error) {
	if cfg.Mode > Mux {
		return nil, fmt.Errorf("callhome: DialerConfig.Mode is %d; want Auto, Single, Pooled or Mux", cfg.Mode)
	}
	if cfg.Mode == Mux && cfg.Instance == 0 {
		return nil, errors.New("callhome: DialerConfig.Instance is 0; want this worker's id for Mux")
	}
	if cfg.EndTimeout < 0 || cfg.StallTimeout < 0 || cfg.MeetTimeout < 0 || cfg.MaxItemBytes < 0 {
		return nil, fmt.Errorf("callhome: DialerConfig has EndTimeout %v, StallTimeout %v, MeetTimeout %v and MaxItemBytes %d; want 0 for the default, or more",
			cfg.EndTimeout, cfg.StallTimeout, cfg.MeetTimeout, cfg.MaxItemBytes)
	}
	cfg.DialTimeout, cfg.EndTimeout = or(cfg.DialTimeout, 5*time.Second), or(cfg.EndTimeout, 10*time.Second)
	cfg.MeetTimeout, cfg.MaxItemBytes = or(cfg.MeetTimeout, 10*time.Second), or(cfg.MaxItemBytes, 16<<20)
	cfg.StallTimeout = or(cfg.StallTimeout, time.Minute)
	d := &Dialer{cfg: cfg, log: cfg.Logger, conns: map[*conn]struct{}{}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	p, err := pool.New(pool.Config[string, *conn]{
		Dial: d.dialPooled, Close: func(c *conn) { c.lost(net.ErrClosed) },
		Check:      func(_ context.Context, c *conn) error { return c.failure() },
		CheckAfter: -1, // it costs a look at what the parked reader has found
		MaxPerKey:  cfg.MaxPerTarget, MinIdle: cfg.MinIdle, IdleTimeout: cfg.IdleTimeout, MaxLifetime: cfg.MaxLifetime,
		DialTimeout: cfg.DialTimeout, Observer: cfg.PoolObserver, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("callhome: %w", err)
	}
	d.pool = p
	d.cfg.IdleTimeout = or(cfg.IdleTimeout, 5*time.Minute)
	d.mux.init(d)
	return d, nil
}

func (d *Dialer) pooled() bool {
	return d.cfg.Mode == Pooled || d.cfg.Mode != Single && !d.cfg.PoolDisabled
}

func (d *Dialer) muxed() bool {
	return d.cfg.Mode == Mux || d.cfg.Mode == Auto && !d.cfg.PoolDisabled && d.cfg.Instance != 0
}

// Advertise implements planes.Advertiser.
func (d *Dialer) Advertise(string, uint64) planes.Endpoint {
	modes := ModeSingle
	if d.pooled() {
		modes = ModePooled + "," + ModeSingle
	}
	if d.muxed() {
		modes = ModeMux + "," + modes
	}
	return planes.Endpoint{Transport: planes.TCP, Metadata: map[string]string{MetadataKey: modes},
		Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: d.pooled() || d.muxed(), MaxMessageBytes: int64(d.cfg.MaxItemBytes)}}
}

// Stat returns the counters of the pool.
func (d *Dialer) Stat() pool.Stat { return d.pool.Stat() }

// Each calls f with the pool's counters of each router.
func (d *Dialer) Each(f func(target string, s pool.KeyStat)) { d.pool.Each(f) }

func (d *Dialer) dial(ctx context.Context, addr string) (*conn, error) {
	nd := net.Dialer{Timeout: d.cfg.DialTimeout}
	nc, err := nd.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &conn{d: d, nc: nc, fr: frames{maxItem: maxHeader}}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = nc.Close()
		return nil, net.ErrClosed
	}
	d.conns[c] = struct{}{}
	d.wg.Go(c.read)
	return c, nil
}

// dialPooled is dial for the pool. It says at once that the connection is a pooled one,
// since it may wait long for its first response.
func (d *Dialer) dialPooled(ctx context.Context, addr string) (*conn, error) {
	c, err := d.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(d.cfg.DialTimeout))
	if _, err := c.nc.Write(appendFrame(nil, []byte(`{"stream_type":"idle","mode":"pooled"}`), nil)); err != nil {
		c.lost(err)
		return nil, err
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	return c, nil
}

// Open implements planes.ResponseClient.
func (d *Dialer) Open(ctx context.Context, env *planes.Envelope) (planes.StreamWriter, error) {
	in, err := parseReply(env)
	if err != nil {
		return nil, err
	}
	if in.Token != "" && d.muxed() && has(in.Modes, ModeMux) {
		w, err := d.mux.open(ctx, in)
		if err == nil {
			return w, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, &planes.Error{Code: planes.CodeOf(ctx.Err()), Phase: planes.PhaseNotStarted, Op: "call home", Target: in.Address, Scope: planes.ScopeConnection, Err: err}
		case errors.Is(err, errTwice):
			return nil, &planes.Error{Code: planes.CodeRefused, Phase: planes.PhaseMaybe, Op: "call home", Target: in.Address, Err: err}
		}
		d.mux.fellBack(in.Address, err)
	}
	w := &writer{d: d, addr: in.Address, ours: in.Token != "", ctl: make(chan planes.Control, 2)}
	w.pooled = w.ours && d.pooled() && has(in.Modes, ModePooled)
	h := handshake{Subject: in.Subject, StreamType: in.StreamType, Token: in.Token}
	if w.pooled {
		h.Mode = ModePooled
	}
	if err := w.connect(ctx); err != nil {
		code := planes.CodeTransport
		if ctx.Err() != nil {
			code = planes.CodeOf(ctx.Err())
		}
		return nil, &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "call home", Target: in.Address, Scope: planes.ScopeConnection, Err: err}
	}
	w.mu.Lock()
	w.put(mustJSON(h), nil)
	w.mu.Unlock()
	return w, nil
}

func parseReply(env *planes.Envelope) (*info, error) {
	bad := func(format string, args ...any) error {
		return &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseNotStarted, Origin: planes.OriginPeer, Op: "call home", Reason: fmt.Sprintf(format, args...)}
	}
	if env.Reply.Transport != transportName {
		return nil, bad("reply transport %.40q; want %q", env.Reply.Transport, transportName)
	}
	in := new(info)
	if err := json.Unmarshal([]byte(env.Reply.Info), in); err != nil {
		return nil, bad("connection info: %v", err)
	}
	if _, _, err := net.SplitHostPort(in.Address); err != nil || in.StreamType != "response" || in.Context != env.ID || in.Subject == "" {
		return nil, bad("connection info with address %.80q, stream type %.20q, context %.80q and subject %.40q for request %q",
			in.Address, in.StreamType, in.Context, in.Subject, env.ID)
	}
	return in, nil
}

// Close implements planes.ResponseClient.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	all := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.lost(net.ErrClosed)
	}
	err := d.pool.Close()
	if errors.Is(err, pool.ErrClosed) {
		err = nil
	}
	err = errors.Join(err, d.mux.close())
	d.wg.Wait()
	return err
}
