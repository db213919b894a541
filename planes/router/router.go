package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

// Config configures a Router. Registry and Store must be set.
type Config struct {
	// Registry holds the transports; it stays its owner's.
	Registry *planes.TransportRegistry
	// Store is where instances are found; it stays its owner's.
	Store discovery.Store
	// Policy picks among instances; the zero value is RoundRobin.
	Policy Policy
	// Retries is how many further instances a call may try; 0 means 3, negative none.
	Retries int
	// RetryShare is how many retries each call earns the router, up to 100 kept; 0
	// means 0.1.
	RetryShare float64
	// Inhibit is how long an instance is left alone after a failure of its own; 0 means
	// 5 s, negative not at all.
	Inhibit time.Duration
	// WaitForInstance is how long a call waits for the first instance of its endpoint
	// to be there; 0 means until discovery has answered once, at most 5 s.
	WaitForInstance time.Duration
	// MaxPaths bounds the endpoints that the router watches at once; calls of further
	// ones fail with CodeOverloaded. 0 means 4096.
	MaxPaths int
	// Discovery is told of endpoints' instances: Discovered for each new one, CacheHit
	// and CacheMiss for each call that found some or none. Other functions are not called.
	Discovery discovery.Observer
	// Logger gets what an operator should know; nil discards.
	Logger *slog.Logger
}

// Validate reports all wrong fields at once.
func (c Config) Validate() error {
	var errs []error
	if c.Registry == nil {
		errs = append(errs, errors.New("router: Config.Registry is nil; want the registry of the transports"))
	}
	if c.Store == nil {
		errs = append(errs, errors.New("router: Config.Store is nil; want a discovery store"))
	}
	if c.Policy > PowerOfTwo {
		errs = append(errs, fmt.Errorf("router: Config.Policy is %d; want RoundRobin, Random, LeastInFlight or PowerOfTwo", c.Policy))
	}
	if c.RetryShare < 0 || c.RetryShare > 1 {
		errs = append(errs, fmt.Errorf("router: Config.RetryShare is %v; want 0 for 0.1, or up to 1", c.RetryShare))
	}
	if c.WaitForInstance < 0 {
		errs = append(errs, fmt.Errorf("router: Config.WaitForInstance is %v; want 0 for up to 5 s, or more", c.WaitForInstance))
	}
	if c.MaxPaths < 0 {
		errs = append(errs, fmt.Errorf("router: Config.MaxPaths is %d; want 0 for 4096, or more", c.MaxPaths))
	}
	return errors.Join(errs...)
}

// Router calls endpoints. All methods are safe for concurrent use.
type Router struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // of the watches, which belong to no caller
	end    context.CancelFunc
	budget budget

	mu       sync.RWMutex
	paths    map[string]*endpoint
	closed   bool
	watching sync.WaitGroup
}

// New returns a Router. It does no I/O until the first call.
func New(cfg Config) (*Router, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Retries == 0:
		cfg.Retries = 3
	case cfg.Retries < 0:
		cfg.Retries = 0
	}
	if cfg.RetryShare == 0 {
		cfg.RetryShare = 0.1
	}
	if cfg.Inhibit == 0 {
		cfg.Inhibit = 5 * time.Second
	}
	if cfg.MaxPaths == 0 {
		cfg.MaxPaths = 4096
	}
	r := &Router{cfg: cfg, log: cfg.Logger, paths: make(map[string]*endpoint)}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.budget.init(cfg.RetryShare)
	r.ctx, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Close ends the watches. Calls under way go on; new ones are refused.
func (r *Router) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.watching.Wait()
	return nil
}

// endpoint returns what is known about a path, and begins to watch it when it is asked
// for the first time.
func (r *Router) endpoint(path string) (*endpoint, error) {
	r.mu.RLock()
	e, closed := r.paths[path], r.closed
	r.mu.RUnlock()
	switch {
	case closed:
		return nil, refused(planes.CodeCancelled, path, "the router is closed", nil)
	case e != nil:
		return e, nil
	case strings.Count(path, "/") != 2:
		return nil, refused(planes.CodeNotFound, path, "a path is namespace/component/endpoint", nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := r.paths[path]; {
	case r.closed:
		return nil, refused(planes.CodeCancelled, path, "the router is closed", nil)
	case e != nil:
		return e, nil
	case len(r.paths) >= r.cfg.MaxPaths && !r.forgetLocked():
		return nil, refused(planes.CodeOverloaded, path, fmt.Sprintf("the router watches %d endpoints already", len(r.paths)), nil)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	w, err := r.cfg.Store.Watch(ctx, discovery.QueryPath(path))
	if err != nil {
		cancel()
		return nil, refused(planes.CodeTransport, path, "discovery cannot be watched", err)
	}
	e = newEndpoint(path, w, cancel)
	e.discovered = r.cfg.Discovery.Discovered
	r.paths[path] = e
	r.watching.Go(func() { e.follow(ctx, r.log) })
	return e, nil
}

// forgetLocked makes room by giving up an endpoint of which discovery has said that it
// has no instances, so that names which nobody serves do not use up the bound.
func (r *Router) forgetLocked() bool {
	for path, e := range r.paths {
		if e.empty() {
			e.cancel()
			delete(r.paths, path)
			return true
		}
	}
	return false
}

func refused(code planes.Code, path, why string, err error) *planes.Error {
	return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "route", Route: path, Reason: why, Err: err}
}

// CacheAge returns how long ago the instances of some endpoint were last known to be
// all there are, the longest of all that are watched; 0 if none is.
func (r *Router) CacheAge() time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var oldest time.Duration
	for _, e := range r.paths {
		if at := e.watch.Synced(); !at.IsZero() {
			oldest = max(oldest, time.Since(at))
		}
	}
	return oldest
}

// Instances returns what is known about an endpoint now, waiting for discovery's first
// answer as a call does.
func (r *Router) Instances(ctx context.Context, path string) ([]discovery.Instance, error) {
	e, err := r.endpoint(path)
	if err != nil {
		return nil, err
	}
	if err := e.wait(ctx, r.cfg.WaitForInstance); err != nil {
		return nil, err
	}
	var list []discovery.Instance
	for _, n := range e.view.Load().nodes {
		list = append(list, n.instance)
	}
	return list, nil
}
