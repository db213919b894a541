package discovery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// CacheConfig configures a Cache. The zero value is usable.
type CacheConfig struct {
	// Query selects what is watched; zero is everything.
	Query Query
	// HeartbeatTimeout drops an instance whose last heartbeat is older, while the store
	// is in step; 0 means never. Instances that tell no heartbeat stay.
	HeartbeatTimeout time.Duration
	// FlapLimit is how often an instance may vanish within FlapWindow before its coming
	// and going is held back until the window is over; 0 means 2, below 0 any number.
	FlapLimit int
	// FlapWindow is that window; 0 means 5 s.
	FlapWindow time.Duration
	// Observer is told of hits, misses and discoveries; nil functions are not called.
	Observer Observer
}

// Cache is a view of a Store in memory. Reads take no lock, and go on while the store's
// backend is away. All methods are safe for concurrent use.
type Cache struct {
	c      CacheConfig
	w      Watcher
	cancel context.CancelFunc
	ready  chan struct{}
	done   chan struct{}

	paths        atomic.Pointer[map[string]*Set]
	hits, misses atomic.Uint64
	damped       atomic.Uint64

	mu   sync.Mutex
	subs map[*func(Change)]struct{}

	// The rest belongs to the goroutine of run.
	known map[string]*cached
}

type cached struct {
	now    *Instance // as the store has it, nil when gone
	shown  *Instance // as the cache shows it
	losses []time.Time
	held   bool // a timer will look again
}

// Set is the instances of one path, sorted by ID, never changed. Targets are theirs,
// by index.
type Set struct {
	Instances []Instance
	Targets   []planes.Target
	// Version grows with each change of the path.
	Version uint64
}

// Change tells what became of the instances of a path. A heartbeat is no change.
type Change struct {
	Path                    string
	Added, Removed, Updated []Instance
}

// NewCache watches s until Close. It returns at once; see Ready.
func NewCache(s Store, c CacheConfig) (*Cache, error) {
	if c.FlapLimit == 0 {
		c.FlapLimit = 2
	}
	if c.FlapWindow <= 0 {
		c.FlapWindow = 5 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	w, err := s.Watch(ctx, c.Query)
	if err != nil {
		cancel()
		return nil, err
	}
	k := &Cache{c: c, w: w, cancel: cancel, ready: make(chan struct{}), done: make(chan struct{}),
		subs: make(map[*func(Change)]struct{}), known: make(map[string]*cached)}
	k.paths.Store(&map[string]*Set{})
	go k.run(ctx)
	return k, nil
}

// Lookup returns the instances of namespace/component/endpoint, whatever their health,
// sorted by ID; nil if there is none. The slice is shared and never changed.
func (k *Cache) Lookup(path string) []Instance {
	if s := k.Set(path); s != nil {
		return s.Instances
	}
	return nil
}

// Set is Lookup with the targets and the version; nil if the path is not known. A path
// without instances is forgotten.
func (k *Cache) Set(path string) *Set {
	s := (*k.paths.Load())[path]
	if s == nil {
		k.misses.Add(1)
		if f := k.c.Observer.CacheMiss; f != nil {
			f()
		}
		return nil
	}
	k.hits.Add(1)
	if f := k.c.Observer.CacheHit; f != nil {
		f()
	}
	return s
}

// Paths returns the paths that have instances, sorted.
func (k *Cache) Paths() []string { return slices.Sorted(maps.Keys(*k.paths.Load())) }

// Ready waits until the store has answered for the first time.
func (k *Cache) Ready(ctx context.Context) error {
	select {
	case <-k.ready:
		return nil
	case <-k.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Age returns how long ago the cache was known to be what the store's backend has;
// below 0 before the first answer.
func (k *Cache) Age() time.Duration {
	t := k.w.Synced()
	if t.IsZero() {
		return -1
	}
	return max(0, time.Since(t))
}

// CacheStat are the counters of a Cache.
type CacheStat struct {
	Instances, Paths int
	Hits, Misses     uint64
	Damped           uint64        // comings and goings that were held back
	Age              time.Duration // see Cache.Age
}

// Stat returns the counters.
func (k *Cache) Stat() CacheStat {
	st := CacheStat{Hits: k.hits.Load(), Misses: k.misses.Load(), Damped: k.damped.Load(), Age: k.Age()}
	for _, s := range *k.paths.Load() {
		st.Paths++
		st.Instances += len(s.Instances)
	}
	return st
}

// OnChange calls f for each change that becomes visible from now on, in order, in a
// goroutine of the cache; f must not block, nor close the cache. The function that is
// returned ends it.
func (k *Cache) OnChange(f func(Change)) (stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.subs[&f] = struct{}{}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.subs, &f)
	}
}

// Close ends the watch. Lookups go on showing what was known last.
func (k *Cache) Close() error {
	k.cancel()
	_ = k.w.Close()
	<-k.done
	return nil
}

func (k *Cache) run(ctx context.Context) {
	defer close(k.done)
	for {
		events, err := k.next(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		for n := range events {
			k.note(&events[n], now)
		}
		k.show(now)
		if len(events) > 0 && events[0].Op == Snapshot {
			close(k.ready)
		}
	}
}

// next waits for events, or for the time to look again at what time alone changes.
func (k *Cache) next(ctx context.Context) ([]Event, error) {
	wait := k.wait(time.Now())
	if wait < 0 {
		return k.w.Next(ctx)
	}
	sub, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	events, err := k.w.Next(sub)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return events, err
}

// wait returns when something may change by itself, below 0 for never.
func (k *Cache) wait(now time.Time) time.Duration {
	wait := time.Duration(-1)
	if k.c.HeartbeatTimeout > 0 {
		wait = max(k.c.HeartbeatTimeout/4, time.Millisecond)
	}
	for _, c := range k.known {
		if c.held {
			left := max(c.losses[0].Add(k.c.FlapWindow).Sub(now), time.Millisecond)
			if wait < 0 || left < wait {
				wait = left
			}
		}
	}
	return wait
}

func (k *Cache) note(e *Event, now time.Time) {
	switch e.Op {
	case Snapshot:
		for n := range e.Instances {
			k.known[Key(&e.Instances[n])] = &cached{now: &e.Instances[n]}
		}
	case Put:
		key := Key(&e.Instance)
		if k.known[key] == nil {
			k.known[key] = &cached{}
		}
		k.known[key].now = &e.Instance
	case Delete:
		if c := k.known[Key(&e.Instance)]; c != nil && c.now != nil {
			c.now = nil
			c.losses = append(c.losses, now)
		}
	}
}

// want returns what shall be shown for c now.
func (k *Cache) want(c *cached, now time.Time, inStep bool) *Instance {
	for len(c.losses) > 0 && now.Sub(c.losses[0]) >= k.c.FlapWindow {
		c.losses = c.losses[1:]
	}
	if extra := len(c.losses) - 1 - max(k.c.FlapLimit, 0); extra > 0 {
		c.losses = c.losses[extra:] // the last ones tell enough
	}
	flaps := k.c.FlapLimit > 0 && len(c.losses) > k.c.FlapLimit && (c.now == nil) != (c.shown == nil)
	if flaps && !c.held {
		k.damped.Add(1)
	}
	if c.held = flaps; flaps {
		return c.shown
	}
	// While the store is out of step heartbeats may only be unseen.
	if c.now != nil && k.c.HeartbeatTimeout > 0 && inStep && !c.now.LastHeartbeat.IsZero() &&
		now.Sub(c.now.LastHeartbeat) > k.c.HeartbeatTimeout {
		return nil
	}
	return c.now
}

// show publishes what differs from what is shown.
func (k *Cache) show(now time.Time) {
	age := now.Sub(k.w.Synced())
	inStep := age < max(k.c.HeartbeatTimeout/2, time.Second)
	changes := make(map[string]*Change)
	beats := make(map[string]bool)
	for key, c := range k.known {
		want := k.want(c, now, inStep)
		old := c.shown
		c.shown = want
		var path string
		switch {
		case want == old: // nothing, or the same record
		case old == nil:
			path = want.Path()
			ch := changeOf(changes, path)
			ch.Added = append(ch.Added, *want)
		case want == nil:
			path = old.Path()
			ch := changeOf(changes, path)
			ch.Removed = append(ch.Removed, *old)
		case !want.SameService(old):
			path = want.Path()
			ch := changeOf(changes, path)
			ch.Updated = append(ch.Updated, *want)
		default:
			beats[want.Path()] = true
		}
		if c.now == nil && c.shown == nil && len(c.losses) == 0 {
			delete(k.known, key)
		}
	}
	for path := range changes {
		beats[path] = true
	}
	if len(beats) > 0 {
		k.publish(beats)
	}
	k.tell(changes)
}

func changeOf(m map[string]*Change, path string) *Change {
	if m[path] == nil {
		m[path] = &Change{Path: path}
	}
	return m[path]
}

func (k *Cache) publish(touched map[string]bool) {
	old := *k.paths.Load()
	next := maps.Clone(old)
	fresh := make(map[string][]Instance)
	for _, c := range k.known {
		if c.shown != nil {
			if path := c.shown.Path(); touched[path] {
				fresh[path] = append(fresh[path], *c.shown)
			}
		}
	}
	for path := range touched {
		all := fresh[path]
		if len(all) == 0 {
			delete(next, path)
			continue
		}
		slices.SortFunc(all, func(a, b Instance) int {
			if a.ID < b.ID {
				return -1
			}
			return 1
		})
		s := &Set{Instances: all, Targets: make([]planes.Target, len(all)), Version: 1}
		for n := range all {
			s.Targets[n] = all[n].Target()
		}
		if was := old[path]; was != nil {
			s.Version = was.Version + 1
		}
		next[path] = s
	}
	k.paths.Store(&next)
}

func (k *Cache) tell(changes map[string]*Change) {
	if len(changes) == 0 {
		return
	}
	k.mu.Lock()
	subs := slices.Collect(maps.Keys(k.subs))
	k.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(changes)) {
		ch := changes[path]
		if f := k.c.Observer.Discovered; f != nil {
			for n := range ch.Added {
				f(&ch.Added[n])
			}
		}
		for _, f := range subs {
			(*f)(*ch)
		}
	}
}
