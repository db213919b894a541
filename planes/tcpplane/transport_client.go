package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
	"github.com/wireplane/wireplane/pool/buf"
)

// EnvelopeHeader marks a call whose request is an envelope: its answer goes elsewhere,
// and a clean end without an item says that it was taken ([mux-envelope-1]).
const EnvelopeHeader = "wireplane-envelope"

var envelopeHeaders = []planes.Header{{Name: EnvelopeHeader, Value: "1"}}

var (
	_ planes.RequestClient = (*RequestClient)(nil)
	_ planes.Exchanger     = (*RequestClient)(nil)
	_ planes.RequestServer = (*RequestServer)(nil)
	_ planes.StreamReader  = (*Stream)(nil)
)

// RequestCapabilities is what this plane can do as a request transport with default
// limits.
func RequestCapabilities() planes.Capabilities {
	return planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 16 << 20}
}

// RequestClientConfig configures a RequestClient. The zero value is usable.
type RequestClientConfig struct {
	// Group runs the connections; nil makes one with defaults, which the client
	// then closes. A given group stays open.
	Group *netpoll.Group
	// Limits bounds each connection.
	Limits Limits
	// DialTimeout bounds the dial and the handshake together; 0 means 5 s.
	DialTimeout time.Duration
	// AckTimeout bounds Send's wait until a worker has taken an envelope; 0 means 5 s.
	AckTimeout time.Duration
	// MaxTargets is how many workers have a connection at once; 0 means 4096. For one
	// more the longest unused one is closed; if all have calls, the call is refused
	// with CodeOverloaded.
	MaxTargets int
	// IdleTargetTTL is how long a connection without calls is kept, up to half as long
	// again; 0 means 5 min.
	IdleTargetTTL time.Duration
	// Logger gets one line per connection that ends with a fault; nil discards.
	Logger *slog.Logger
}

// Validate reports all wrong fields at once.
func (c RequestClientConfig) Validate() error {
	var errs []error
	if c.MaxTargets < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: RequestClientConfig.MaxTargets is %d; want 0 for 4096, or more", c.MaxTargets))
	}
	if c.DialTimeout < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: RequestClientConfig.DialTimeout is %v; want 0 for 5 s, or more", c.DialTimeout))
	}
	if c.AckTimeout < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: RequestClientConfig.AckTimeout is %v; want 0 for 5 s, or more", c.AckTimeout))
	}
	if c.IdleTargetTTL < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: RequestClientConfig.IdleTargetTTL is %v; want 0 for 5 min, or more", c.IdleTargetTTL))
	}
	return errors.Join(append(errs, c.Limits.Validate())...)
}

// RequestClient is the router's side of the plane as a request transport: one Client
// for each worker that was called lately. All methods are safe for concurrent use.
type RequestClient struct {
	cfg   RequestClientConfig
	group *netpoll.Group
	owned bool

	mu      sync.Mutex
	targets map[hostPort]*target
	closed  bool
	sweeper *time.Timer
	closing sync.WaitGroup
}

type hostPort struct {
	host string
	port uint16
}

// target is one worker. using counts calls that are being opened; those that run are
// the client's streams.
type target struct {
	client *Client
	using  atomic.Int64
	last   atomic.Int64 // when it was used, on the monotonic clock
}

func (t *target) done() {
	t.last.Store(int64(monotonic()))
	t.using.Add(-1)
}

// idleFor returns for how long the target has had no call, 0 while it has one.
func (t *target) idleFor(now time.Duration) time.Duration {
	if t.using.Load() > 0 || t.client.Stats().Streams > 0 {
		t.last.Store(int64(now))
		return 0
	}
	return now - time.Duration(t.last.Load())
}

// NewRequestClient returns a RequestClient. It does no I/O beyond starting the loops
// of its group.
func NewRequestClient(cfg RequestClientConfig) (*RequestClient, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxTargets == 0 {
		cfg.MaxTargets = 4096
	}
	if cfg.AckTimeout == 0 {
		cfg.AckTimeout = 5 * time.Second
	}
	if cfg.IdleTargetTTL == 0 {
		cfg.IdleTargetTTL = 5 * time.Minute
	}
	r := &RequestClient{cfg: cfg, group: cfg.Group, targets: make(map[hostPort]*target)}
	if r.group == nil {
		g, err := netpoll.New(netpoll.Config{Logger: cfg.Logger})
		if err != nil {
			return nil, fmt.Errorf("tcpplane: start the loops: %w", err)
		}
		r.group, r.owned = g, true
	}
	return r, nil
}

// Exchange calls the route that to's Path names, or req's Route if there is none, and
// returns the stream of its answer.
func (r *RequestClient) Exchange(ctx context.Context, to planes.Address, req *planes.Request) (planes.StreamReader, error) {
	t, err := r.target(to, req.Route)
	if err != nil {
		return nil, err
	}
	defer t.done()
	if to.Path != "" && to.Path != req.Route {
		named := *req
		named.Route = to.Path
		req = &named
	}
	s, err := t.client.Stream(ctx, req)
	if err != nil {
		return nil, err // not s: it would be an interface that is not nil
	}
	return s, nil
}

// Send delivers env and waits until the worker has taken it.
func (r *RequestClient) Send(ctx context.Context, to planes.Address, env *planes.Envelope) error {
	t, err := r.target(to, env.Request.Route)
	if err != nil {
		return err
	}
	defer t.done()
	b := buf.Get(len(env.Request.Payload) + 1024)
	defer b.Release()
	msg, err := envelope.Append(b.Bytes(), env, envelope.CodecBytes)
	if err != nil {
		return err
	}
	b.Set(msg)
	req := planes.Request{
		Route: env.Request.Route, Payload: b.Bytes(), Trace: env.Request.Trace, TraceState: env.Request.TraceState,
		CallID: env.Request.CallID, Class: env.Request.Class, Headers: envelopeHeaders, Timeout: env.Request.Timeout,
	}
	if to.Path != "" {
		req.Route = to.Path
	}
	due, ok := ctx.Deadline()
	ours := (!ok || time.Until(due) > r.cfg.AckTimeout) && (req.Timeout <= 0 || req.Timeout > r.cfg.AckTimeout)
	wait, cancel := context.WithTimeout(ctx, r.cfg.AckTimeout)
	defer cancel()
	out, err := t.client.Call(wait, &req, nil)
	if e := (*planes.Error)(nil); errors.As(err, &e) && ours && e.Code == planes.CodeDeadline {
		silent := *e
		silent.Reason = fmt.Sprintf("no ack within %v", r.cfg.AckTimeout)
		if silent.Phase != planes.PhaseNotStarted {
			silent.Code = planes.CodePeerLost
		}
		return &silent
	}
	if err == nil && len(out) > 0 {
		return &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseMaybe, Origin: planes.OriginPeer, Op: "send",
			Route: req.Route, Target: to.HostPort(), Reason: "the worker answers in the call itself: it takes no envelopes"}
	}
	return err
}

// target returns the client for an address, marked as in use until done.
func (r *RequestClient) target(to planes.Address, route string) (*target, error) {
	fault := func(code planes.Code, why string) error {
		return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "dial", Route: route, Target: to.String(), Reason: why}
	}
	if to.Kind != planes.AddressTCP || to.Host == "" || to.Port == 0 {
		return nil, fault(planes.CodeUnsupported, "no address of the tcp plane")
	}
	key := hostPort{to.Host, to.Port}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fault(planes.CodeCancelled, "the client is closed")
	}
	t := r.targets[key]
	if t == nil {
		if len(r.targets) >= r.cfg.MaxTargets && !r.evict() {
			return nil, fault(planes.CodeOverloaded, fmt.Sprintf("calls run to %d workers, as many as are allowed", len(r.targets)))
		}
		c, err := NewClient(ClientConfig{
			Addr: to.HostPort(), Group: r.group, DialTimeout: r.cfg.DialTimeout, Limits: r.cfg.Limits, Logger: r.cfg.Logger,
		})
		if err != nil {
			return nil, fault(planes.CodeInternal, err.Error())
		}
		t = &target{client: c}
		r.targets[key] = t
		if r.sweeper == nil {
			r.sweeper = time.AfterFunc(r.cfg.IdleTargetTTL/2, r.sweep)
		}
	}
	t.using.Add(1)
	return t, nil
}

// evict closes the target that was unused the longest. It runs under r.mu.
func (r *RequestClient) evict() bool {
	now := monotonic()
	var oldest hostPort
	longest := time.Duration(-1)
	for key, t := range r.targets {
		if t.using.Load() > 0 || t.client.Stats().Streams > 0 {
			continue
		}
		if d := t.idleFor(now); d > longest {
			oldest, longest = key, d
		}
	}
	if longest < 0 {
		return false
	}
	r.drop(oldest)
	return true
}

// drop forgets a target and closes it. It runs under r.mu.
func (r *RequestClient) drop(key hostPort) {
	t := r.targets[key]
	delete(r.targets, key)
	r.closing.Go(func() { _ = t.client.Close() })
}

// sweep closes what was idle for too long.
func (r *RequestClient) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	now := monotonic()
	for key, t := range r.targets {
		if t.idleFor(now) >= r.cfg.IdleTargetTTL {
			r.drop(key)
		}
	}
	if r.sweeper = nil; len(r.targets) > 0 {
		r.sweeper = time.AfterFunc(r.cfg.IdleTargetTTL/2, r.sweep)
	}
}

// Targets returns how many workers the client keeps connections to.
func (r *RequestClient) Targets() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.targets)
}

// Close ends all calls and closes all connections. It may be called more than once.
func (r *RequestClient) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		r.closing.Wait()
		return nil
	}
	r.closed = true
	if r.sweeper != nil {
		r.sweeper.Stop()
	}
	for key := range r.targets {
		r.drop(key)
	}
	r.mu.Unlock()
	r.closing.Wait()
	if !r.owned {
		return nil
	}
	return r.group.Close()
}
