package discovery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// View is the Watcher that stores are made of: the store tells it what the backend
// has, and it works out the events. It keeps the instances, no queue: what changes
// faster than it is read shows its last state. All methods are safe for concurrent use.
type View struct {
	query   Query
	changed chan struct{} // holds one token while Next has something to look at
	done    chan struct{}
	onClose func()
	stop    func() bool // lets go of the context

	mu      sync.Mutex
	entries map[string]*viewEntry
	dirty   []string // keys whose entry is marked dirty, in the order of their first change
	filled  bool     // Fill has been called
	told    bool     // the snapshot was returned
	rev     uint64
	synced  time.Time
	closed  bool
}

type viewEntry struct {
	now, told *Instance // nil: not there
	rev       uint64
	dirty     bool
}

// maxBatch bounds the events of one Next.
const maxBatch = 1024

// NewView returns an empty view of what matches q, which is closed when ctx ends.
// onClose, if not nil, runs once when the view is closed, in any goroutine.
func NewView(ctx context.Context, q Query, onClose func()) *View {
	v := &View{query: q, changed: make(chan struct{}, 1), done: make(chan struct{}), onClose: onClose,
		entries: make(map[string]*viewEntry)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stop = context.AfterFunc(ctx, func() { _ = v.Close() })
	return v
}

// Fill says that all, by key, is what the backend has. The first call makes the
// snapshot; a later one is compared with what is known, and only differences show.
// What does not match the query is left out. The map is read until Fill returns.
func (v *View) Fill(all map[string]Instance, revision uint64, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key, e := range v.entries {
		if _, ok := all[key]; !ok && e.now != nil {
			v.set(key, nil, revision)
		}
	}
	for _, key := range slices.Sorted(keysOf(all)) {
		i := all[key]
		v.set(key, &i, revision)
	}
	v.filled, v.rev, v.synced = true, revision, now
	v.wake()
}

func keysOf(m map[string]Instance) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Put says that the backend has i under key.
func (v *View) Put(key string, i *Instance, revision uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rev = revision
	v.set(key, i, revision)
	v.wake()
}

// Delete says that the backend has nothing under key.
func (v *View) Delete(key string, revision uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rev = revision
	v.set(key, nil, revision)
	v.wake()
}

// Touch says that nothing is missing as of now.
func (v *View) Touch(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.filled {
		v.synced = now
	}
}

// Has reports whether there is an instance under key.
func (v *View) Has(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[key]
	return e != nil && e.now != nil
}

// Known returns what the view holds, by key.
func (v *View) Known() map[string]Instance {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make(map[string]Instance, len(v.entries))
	for key, e := range v.entries {
		if e.now != nil {
			all[key] = *e.now
		}
	}
	return all
}

func (v *View) set(key string, i *Instance, revision uint64) {
	if v.closed || i != nil && !v.query.Match(i) {
		return
	}
	e := v.entries[key]
	switch {
	case e == nil && i == nil:
		return
	case e == nil:
		e = &viewEntry{}
		v.entries[key] = e
	case i != nil && e.now != nil && i.Equal(e.now):
		return
	}
	e.now, e.rev = i, revision
	if !e.dirty {
		e.dirty = true
		v.dirty = append(v.dirty, key)
	}
}

func (v *View) wake() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// Next implements Watcher.
func (v *View) Next(ctx context.Context) ([]Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		events, err := v.take()
		if len(events) > 0 || err != nil {
			return events, err
		}
		select {
		case <-v.changed:
		case <-v.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (v *View) take() ([]Event, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return nil, ErrClosed
	case !v.filled:
		return nil, nil
	case !v.told:
		v.told = true
		return []Event{{Op: Snapshot, Instances: v.snapshot(), Revision: v.rev}}, nil
	}
	var events []Event
	n := 0
	for ; n < len(v.dirty) && len(events) < maxBatch; n++ {
		key := v.dirty[n]
		e := v.entries[key]
		e.dirty = false
		switch {
		case e.now == nil && e.told != nil:
			events = append(events, Event{Op: Delete, Instance: *e.told, Revision: e.rev})
		case e.now != nil && (e.told == nil || !e.now.Equal(e.told)):
			events = append(events, Event{Op: Put, Instance: *e.now, Revision: e.rev})
		}
		e.told = e.now
		if e.now == nil {
			delete(v.entries, key)
		}
	}
	v.dirty = append(v.dirty[:0], v.dirty[n:]...)
	return events, nil
}

func (v *View) snapshot() []Instance {
	all := make([]Instance, 0, len(v.entries))
	for key, e := range v.entries {
		e.dirty, e.told = false, e.now
		if e.now == nil {
			delete(v.entries, key)
			continue
		}
		all = append(all, *e.now)
	}
	v.dirty = v.dirty[:0]
	SortByKey(all)
	return all
}

// SortByKey sorts instances as their keys are.
func SortByKey(all []Instance) {
	slices.SortFunc(all, func(a, b Instance) int { return strings.Compare(Key(&a), Key(&b)) })
}

// Synced implements Watcher.
func (v *View) Synced() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.synced
}

// Done is closed when the view is.
func (v *View) Done() <-chan struct{} { return v.done }

// Close implements Watcher.
func (v *View) Close() error {
	v.mu.Lock()
	was := v.closed
	v.closed = true
	stop := v.stop
	v.mu.Unlock()
	if !was {
		stop()
		close(v.done)
		if v.onClose != nil {
			v.onClose()
		}
	}
	return nil
}
