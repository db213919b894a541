package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

// Config configures a Worker. Only Registry must be set.
type Config struct {
	// Registry holds the transports. The worker serves each request transport that has
	// a Server, and shuts it down; the clients of response transports stay their owner's.
	Registry *planes.TransportRegistry
	// Store is where instances are registered; nil registers nowhere.
	Store discovery.Store
	// Instance is the id of this process in discovery; 0 chooses one at random.
	Instance uint64
	// Offers names the ways to call this worker that are advertised, the preferred
	// first; nil advertises every combination that the registry has, in the order of
	// its priorities.
	Offers []Pair
	// Released makes the first offer's record one that released readers understand,
	// where there is such a form; ours then stands beside it.
	Released bool
	// MaxInFlight is how many handlers run at once; 0 means 4096.
	MaxInFlight int
	// MaxQueued is how many calls may wait for one of them; 0 means 4096, negative none.
	MaxQueued int
	// RetryAfter is the advice to refused callers; 0 means 100 ms.
	RetryAfter time.Duration
	// OpenTimeout bounds the making of a response stream; 0 means 10 s.
	OpenTimeout time.Duration
	// Observer is told about calls, from this side; the zero value is told nothing.
	Observer planes.Observer
	// Logger gets what an operator should know; nil discards.
	Logger *slog.Logger
}

// Pair is a combination of transports; Response may be planes.Exchange.
type Pair struct{ Request, Response planes.TransportID }

// ParsePair reads "tcp+exchange" and the like.
func ParsePair(s string) (Pair, error) {
	q, r, ok := strings.Cut(s, "+")
	if !ok || q == "" || r == "" {
		return Pair{}, fmt.Errorf(`worker: combination %.60q; want REQUEST+RESPONSE, such as "tcp+exchange"`, s)
	}
	return Pair{planes.TransportID(q), planes.TransportID(r)}, nil
}

// String returns "tcp+exchange" and the like.
func (p Pair) String() string { return string(p.Request) + "+" + string(p.Response) }

// Validate reports all wrong fields at once.
func (c Config) Validate() error {
	var errs []error
	if c.Registry == nil {
		errs = append(errs, errors.New("worker: Config.Registry is nil; want the registry of the transports"))
	}
	if c.MaxInFlight < 0 {
		errs = append(errs, fmt.Errorf("worker: Config.MaxInFlight is %d; want 0 for 4096, or more", c.MaxInFlight))
	}
	if c.RetryAfter < 0 {
		errs = append(errs, fmt.Errorf("worker: Config.RetryAfter is %v; want 0 for 100 ms, or more", c.RetryAfter))
	}
	if c.OpenTimeout < 0 {
		errs = append(errs, fmt.Errorf("worker: Config.OpenTimeout is %v; want 0 for 10 s, or more", c.OpenTimeout))
	}
	return errors.Join(errs...)
}

// Worker serves endpoints. All methods are safe for concurrent use.
type Worker struct {
	cfg Config
	log *slog.Logger
	ctx context.Context //nolint:containedctx // of all handlers, which belong to no caller of ours
	end context.CancelCauseFunc

	routes   atomic.Pointer[map[string]*endpoint]
	gate     gate
	draining chan struct{}

	mu      sync.Mutex
	started bool
	drained bool
	servers map[planes.RequestServer]planes.TransportID // set by Start, then as it is
	serving sync.WaitGroup
	fault   chan error
	regs    []discovery.Registration
}

// endpoint is one route.
type endpoint struct {
	path    string
	handler planes.Handler
}

// ErrDraining is the cause of the contexts of handlers that a shutdown cut short.
var ErrDraining = errors.New("worker: shut down")

// New returns a Worker without endpoints. It does no I/O.
func New(cfg Config) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	for cfg.Instance == 0 {
		cfg.Instance = rand.Uint64() >> 1
	}
	if cfg.RetryAfter == 0 {
		cfg.RetryAfter = 100 * time.Millisecond
	}
	if cfg.OpenTimeout == 0 {
		cfg.OpenTimeout = 10 * time.Second
	}
	w := &Worker{cfg: cfg, log: cfg.Logger, draining: make(chan struct{}), fault: make(chan error, 1)}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.gate.init(cfg.MaxInFlight, cfg.MaxQueued)
	w.routes.Store(&map[string]*endpoint{})
	w.ctx, w.end = context.WithCancelCause(context.Background())
	return w, nil
}

// Instance returns the id of this process.
func (w *Worker) Instance() uint64 { return w.cfg.Instance }

// Handle adds an endpoint, before Start. The path is namespace/component/endpoint as
// in discovery.Instance.
func (w *Worker) Handle(path string, h planes.Handler) error {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return fmt.Errorf("worker: path %.100q; want namespace/component/endpoint", path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := *w.routes.Load()
	switch {
	case w.started:
		return fmt.Errorf("worker: path %q comes after Start", path)
	case h == nil:
		return fmt.Errorf("worker: path %q without a handler", path)
	case old[path] != nil:
		return fmt.Errorf("worker: path %q is there already", path)
	}
	next := make(map[string]*endpoint, len(old)+1)
	for k, v := range old {
		next[k] = v
	}
	next[path] = &endpoint{path: path, handler: h}
	w.routes.Store(&next)
	return nil
}

// HandleFunc is Handle for a function.
func (w *Worker) HandleFunc(path string, h planes.HandlerFunc) error { return w.Handle(path, h) }

// Start serves the request transports and then registers the endpoints. ctx bounds
// Start only. If it fails, what was begun is undone; the Worker is then of no further use.
func (w *Worker) Start(ctx context.Context) error {
	w.mu.Lock()
	if w.started || w.drained {
		w.mu.Unlock()
		return errors.New("worker: Start comes once")
	}
	w.started = true
	w.servers = make(map[planes.RequestServer]planes.TransportID)
	for _, t := range w.cfg.Registry.Requests() {
		if _, there := w.servers[t.Server]; t.Server != nil && !there {
			w.servers[t.Server] = t.ID
		}
	}
	routes := *w.routes.Load()
	if len(routes) > 0 {
		for s, id := range w.servers {
			w.serving.Go(func() { w.serve(s, id) })
		}
	}
	w.mu.Unlock()
	if err := w.start(ctx, routes); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return errors.Join(err, w.Shutdown(stop))
	}
	return nil
}

// serve runs a request transport until it is shut down. One that is registered under
// several ids is counted under the first.
func (w *Worker) serve(s planes.RequestServer, id planes.TransportID) {
	err := s.Serve(w.ctx, &dispatcher{w: w, id: id})
	if err == nil {
		return
	}
	w.log.Error("request transport failed", "transport", id, "err", err)
	select {
	case w.fault <- fmt.Errorf("worker: request transport %q: %w", id, err):
	default:
	}
}

func (w *Worker) start(ctx context.Context, routes map[string]*endpoint) error {
	if len(routes) == 0 {
		return errors.New("worker: no endpoint; Handle comes before Start")
	}
	if len(w.servers) == 0 {
		return fmt.Errorf("worker: the registry has no request transport with a server: %w", planes.ErrNoTransport)
	}
	for s := range w.servers {
		if r, ok := s.(planes.Readier); ok {
			select {
			case <-r.Ready():
			case <-ctx.Done():
				return fmt.Errorf("worker: while waiting for a request transport: %w", context.Cause(ctx))
			case err := <-w.fault:
				return err
			}
		}
	}
	for _, e := range routes {
		for s := range w.servers {
			if b, ok := s.(planes.RouteBinder); ok {
				if err := b.Bind(ctx, e.path, w.cfg.Instance); err != nil {
					return fmt.Errorf("worker: bind %q: %w", e.path, err)
				}
			}
		}
	}
	if w.cfg.Store == nil {
		return nil
	}
	for _, e := range routes {
		i, err := w.instance(e.path)
		if err != nil {
			return err
		}
		reg, err := w.cfg.Store.Register(ctx, i)
		if err != nil {
			return fmt.Errorf("worker: register %q: %w", e.path, err)
		}
		w.mu.Lock()
		late := w.drained // Shutdown came while this registered
		if !late {
			w.regs = append(w.regs, reg)
		}
		w.mu.Unlock()
		if late {
			return errors.Join(errors.New("worker: shut down while it started"), reg.Deregister(ctx))
		}
	}
	return nil
}

// Fault returns a channel that carries the error of a request transport that failed
// while it served, at most one. It is never closed.
func (w *Worker) Fault() <-chan error { return w.fault }

// SetHealth changes what the instances say of themselves.
func (w *Worker) SetHealth(ctx context.Context, h discovery.Health) error {
	w.mu.Lock()
	regs := append([]discovery.Registration(nil), w.regs...)
	w.mu.Unlock()
	var errs []error
	for _, r := range regs {
		errs = append(errs, r.Update(ctx, func(i *discovery.Instance) { i.Health = h }))
	}
	return errors.Join(errs...)
}

// Shutdown drains the worker as the package comment says and returns ctx's error if
// calls had to be cut short. It may be called more than once.
func (w *Worker) Shutdown(ctx context.Context) error {
	w.mu.Lock()
	first := !w.drained
	w.drained = true
	regs, servers := w.regs, w.servers
	w.regs = nil
	w.mu.Unlock()
	errs := deregister(ctx, regs)
	if first {
		w.gate.drain()
		close(w.draining)
		errs = append(errs, w.unbind(ctx, servers)...)
	}
	if err := w.gate.wait(ctx); err != nil {
		errs = append(errs, fmt.Errorf("worker: %d calls were cut short: %w", w.gate.busy(), err))
		w.end(ErrDraining)
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = w.gate.wait(brief) // handlers that heed their context still say why they end
		cancel()
	}
	for s := range servers {
		if err := s.Shutdown(ctx); err != nil && ctx.Err() == nil {
			errs = append(errs, err)
		}
	}
	w.end(ErrDraining)
	w.serving.Wait()
	return errors.Join(errs...)
}

// half bounds a step of the shutdown to half of the time that there is: a store or a
// server that does not answer must not use up the time of the calls that run.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	if until, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(until)/2)
	}
	return context.WithCancel(ctx)
}

// unbind ends what the transports have announced route by route.
func (w *Worker) unbind(ctx context.Context, servers map[planes.RequestServer]planes.TransportID) []error {
	ctx, cancel := half(ctx)
	defer cancel()
	var errs []error
	for s := range servers {
		if b, ok := s.(planes.RouteBinder); ok {
			for path := range *w.routes.Load() {
				errs = append(errs, b.Unbind(ctx, path, w.cfg.Instance))
			}
		}
	}
	return errs
}

// deregister takes the instances out of discovery, all at once. A record that stays
// expires.
func deregister(ctx context.Context, regs []discovery.Registration) []error {
	ctx, cancel := half(ctx)
	defer cancel()
	errs := make([]error, len(regs))
	var all sync.WaitGroup
	for i, r := range regs {
		all.Go(func() {
			// A conflict is a new life of this instance, whose record it is now.
			if err := r.Deregister(ctx); err != nil && !errors.Is(err, discovery.ErrConflict) {
				errs[i] = fmt.Errorf("worker: deregister: %w", err)
			}
		})
	}
	all.Wait()
	return errs
}

// Stat are the counters of a Worker.
type Stat struct {
	Running, Queued int    // now
	Served          uint64 // handlers that have ended
	Refused         uint64 // calls refused for lack of room, or because of a drain
	OpenFailed      uint64 // response streams that could not be made
}

// Stat returns the counters.
func (w *Worker) Stat() Stat { return w.gate.stat() }

type drainKey struct{}

// Draining returns a channel that is closed when the worker of a handler is about to
// shut down: time to finish early, or to say so in an item. It is nil, which blocks for
// ever, outside of handlers of this package.
func Draining(ctx context.Context) <-chan struct{} {
	ch, _ := ctx.Value(drainKey{}).(chan struct{})
	return ch
}
