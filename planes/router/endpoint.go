package router

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

// node is one instance, and what the router has seen of it. It lives as long as the
// instance, through changes of its record.
type node struct {
	instance  discovery.Instance
	target    planes.Target
	inFlight  *atomic.Int64
	inhibited *atomic.Int64 // monotonic nanoseconds until which it is left alone
}

// began is where this process counts time from.
var began = time.Now()

func now() int64 { return int64(time.Since(began)) }

func (n *node) free() bool {
	until := n.inhibited.Load()
	return until == 0 || now() >= until
}

func (n *node) inhibit(d time.Duration) {
	if d > 0 {
		n.inhibited.Store(now() + int64(d))
	}
}

// view is the instances of an endpoint at one time, by health and then by id. It is
// replaced, never changed.
type view struct {
	nodes   []*node
	healthy int // so many at the front are healthy
	fair    int // so many at the front are healthy or degraded
}

// endpoint is what the router knows about one path.
type endpoint struct {
	path   string
	cancel context.CancelFunc
	watch  discovery.Watcher
	view   atomic.Pointer[view]
	turn   atomic.Uint32

	discovered func(*discovery.Instance) // of Config.Discovery; it must not block

	mu      sync.Mutex
	known   map[uint64]*node
	synced  bool
	changed chan struct{} // closed at the next change
	gone    chan struct{} // closed when the watch has ended
}

func newEndpoint(path string, w discovery.Watcher, cancel context.CancelFunc) *endpoint {
	e := &endpoint{path: path, watch: w, cancel: cancel, known: make(map[uint64]*node), changed: make(chan struct{}), gone: make(chan struct{})}
	e.view.Store(new(view))
	return e
}

// follow keeps the view up to date until ctx ends.
func (e *endpoint) follow(ctx context.Context, log *slog.Logger) {
	defer close(e.gone)
	defer func() { _ = e.watch.Close() }()
	for {
		events, err := e.watch.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				log.Warn("the watch of an endpoint has ended", "path", e.path, "err", err)
			}
			return
		}
		e.apply(events)
	}
}

// empty reports whether discovery has said that there is no instance.
func (e *endpoint) empty() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.synced && len(e.known) == 0
}

func (e *endpoint) apply(events []discovery.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range events {
		switch ev := &events[i]; ev.Op {
		case discovery.Snapshot:
			old := e.known
			e.known = make(map[uint64]*node, len(ev.Instances))
			for k := range ev.Instances {
				e.put(old, &ev.Instances[k])
			}
			e.synced = true
		case discovery.Put:
			e.put(e.known, &ev.Instance)
		case discovery.Delete:
			delete(e.known, ev.Instance.ID)
		}
	}
	v := &view{nodes: make([]*node, 0, len(e.known))}
	for _, n := range e.known {
		v.nodes = append(v.nodes, n)
	}
	slices.SortFunc(v.nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.instance.Health.Status, b.instance.Health.Status), cmp.Compare(a.instance.ID, b.instance.ID))
	})
	for _, n := range v.nodes {
		if n.instance.Health.Status == discovery.Healthy {
			v.healthy++
		}
		if n.instance.Health.Status <= discovery.Degraded {
			v.fair++
		}
	}
	e.view.Store(v)
	close(e.changed)
	e.changed = make(chan struct{})
}

// put notes an instance. A new life of it starts with a clean record; a heartbeat
// changes nothing.
func (e *endpoint) put(old map[uint64]*node, i *discovery.Instance) {
	n := &node{instance: *i, target: target(i), inFlight: new(atomic.Int64), inhibited: new(atomic.Int64)}
	before := old[i.ID]
	if before == nil && e.discovered != nil {
		e.discovered(i)
	}
	if before != nil {
		n.inFlight = before.inFlight
		if before.instance.Epoch == i.Epoch {
			n.inhibited = before.inhibited
		}
	}
	e.known[i.ID] = n
}

// target returns the ways to call an instance. Of two offers of the same transports the
// one that says more counts: a record in a released form stands beside ours.
func target(i *discovery.Instance) planes.Target {
	t := i.Target()
	var offers []planes.Offer
	for _, o := range t.Offers {
		at := slices.IndexFunc(offers, func(x planes.Offer) bool {
			return x.Request.Transport == o.Request.Transport && x.Response.Transport == o.Response.Transport &&
				x.Request.Address.HostPort() == o.Request.Address.HostPort()
		})
		switch {
		case at < 0:
			offers = append(offers, o)
		case len(o.Response.Metadata)+len(o.Request.Metadata) > len(offers[at].Response.Metadata)+len(offers[at].Request.Metadata):
			offers[at] = o
		}
	}
	t.Offers = offers
	return t
}

// wait returns once there is an instance, or discovery has said that there is none and
// the patience is over.
func (e *endpoint) wait(ctx context.Context, patience time.Duration) error {
	if len(e.view.Load().nodes) > 0 {
		return nil
	}
	longest := patience
	if patience == 0 {
		longest = 5 * time.Second
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		e.mu.Lock()
		there, synced, changed := len(e.known) > 0, e.synced, e.changed
		e.mu.Unlock()
		if there || synced && patience == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-e.gone:
			return refused(planes.CodeTransport, e.path, "discovery is not watched any more", discovery.ErrClosed)
		case <-timer.C:
			if synced {
				return nil
			}
			return refused(planes.CodeTransport, e.path, "discovery has not answered", nil)
		case <-ctx.Done():
			return refused(planes.CodeOf(ctx.Err()), e.path, "while waiting for an instance", context.Cause(ctx))
		}
	}
}
