package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Memory keeps records within a process. Those who share it by pointer find each other,
// each through a Store of its own from Open.
type Memory struct {
	mu      sync.Mutex
	records map[string]*memoryRegistration
	views   map[*View]struct{}
	rev     uint64
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{records: make(map[string]*memoryRegistration), views: make(map[*View]struct{})}
}

// Open returns a store over m.
func (m *Memory) Open(c Config) Store {
	return &memoryStore{m: m, c: c.WithDefaults(), regs: make(map[*memoryRegistration]struct{}), views: make(map[*View]struct{})}
}

type memoryStore struct {
	m *Memory
	c Config

	// Guarded by m.mu.
	regs   map[*memoryRegistration]struct{}
	views  map[*View]struct{}
	stat   Stat
	closed bool
}

type memoryRegistration struct {
	s    *memoryStore
	key  string
	done chan struct{}
	beat *time.Timer // runs the next heartbeat; nil without

	// Guarded by s.m.mu.
	i   Instance
	err error
}

func (s *memoryStore) Register(ctx context.Context, i Instance) (Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := time.Now()
	r, err := s.register(i, start)
	observeOp(&s.c.Observer, "put", start, err)
	if err != nil {
		return nil, err
	}
	if s.c.Observer.Registered != nil {
		now := r.Instance()
		s.c.Observer.Registered(&now)
	}
	return r, nil
}

func (s *memoryStore) register(i Instance, now time.Time) (*memoryRegistration, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if i.Epoch == 0 {
		i.Epoch = uint64(now.UnixMilli())
	}
	i.LastHeartbeat = now
	for pick := i.ID == 0; pick; pick = i.ID == 0 || s.m.records[Key(&i)] != nil {
		i.ID = rand.Uint64()
	}
	rec, err := NewRecord(i)
	if err != nil {
		return nil, err
	}
	r := &memoryRegistration{s: s, key: rec.Key, i: rec.Instance, done: make(chan struct{})}
	if old := s.m.records[r.key]; old != nil {
		if old.i.Epoch >= r.i.Epoch {
			return nil, conflict(&rec.Instance, old.i.Epoch)
		}
		old.end(conflict(&old.i, r.i.Epoch))
	}
	s.m.records[r.key] = r
	s.regs[r] = struct{}{}
	s.stat.Registrations++
	r.tell()
	if s.c.Heartbeat > 0 {
		r.beat = time.AfterFunc(Jitter(s.c.Heartbeat, 0.1), r.heartbeat)
	}
	return r, nil
}

func conflict(i *Instance, epoch uint64) error {
	return fmt.Errorf("%w: %s of epoch %d; the other's is %d", ErrConflict, i, i.Epoch, epoch)
}

// Jitter returns d with a random share of up to +-part of it.
func Jitter(d time.Duration, part float64) time.Duration {
	return d + time.Duration((2*rand.Float64()-1)*part*float64(d))
}

func observeOp(o *Observer, op string, start time.Time, err error) {
	if o.BackendOp != nil {
		o.BackendOp(op, time.Since(start), err)
	}
}

// tell gives every watch what is there now. s.m.mu is held.
func (r *memoryRegistration) tell() {
	r.s.m.rev++
	i := r.i
	for v := range r.s.m.views {
		v.Put(r.key, &i, r.s.m.rev)
	}
}

func (r *memoryRegistration) heartbeat() {
	r.s.m.mu.Lock()
	defer r.s.m.mu.Unlock()
	if r.err != nil {
		return
	}
	r.i.LastHeartbeat = time.Unix(time.Now().Unix(), 0)
	r.tell()
	r.beat.Reset(Jitter(r.s.c.Heartbeat, 0.1))
}

// end makes r a former registration. s.m.mu is held.
func (r *memoryRegistration) end(err error) {
	if r.err != nil {
		return
	}
	r.err = err
	if r.beat != nil {
		r.beat.Stop()
	}
	delete(r.s.regs, r)
	close(r.done)
}

// remove deletes the record as well. s.m.mu is held.
func (r *memoryRegistration) remove() {
	if r.err != nil {
		return
	}
	r.end(ErrClosed)
	m := r.s.m
	delete(m.records, r.key)
	m.rev++
	for v := range m.views {
		v.Delete(r.key, m.rev)
	}
}

func (r *memoryRegistration) Instance() Instance {
	r.s.m.mu.Lock()
	defer r.s.m.mu.Unlock()
	return r.i.Clone()
}

func (r *memoryRegistration) Update(ctx context.Context, f func(*Instance)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.s.m.mu.Lock()
	defer r.s.m.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	rec, err := Updated(&r.i, f, time.Now())
	if err != nil {
		return err
	}
	r.i = rec.Instance
	r.tell()
	return nil
}

// Updated returns the record of i after f, with the names, ID and epoch of i and the
// heartbeat now. i is not changed.
func Updated(i *Instance, f func(*Instance), now time.Time) (Record, error) {
	c := i.Clone()
	if f != nil {
		f(&c)
	}
	c.Namespace, c.Component, c.Endpoint, c.ID, c.Epoch = i.Namespace, i.Component, i.Endpoint, i.ID, i.Epoch
	c.LastHeartbeat = now
	return NewRecord(c)
}

func (r *memoryRegistration) Deregister(context.Context) error {
	r.s.m.mu.Lock()
	defer r.s.m.mu.Unlock()
	if r.err != nil && !errors.Is(r.err, ErrClosed) {
		return r.err
	}
	r.remove()
	return nil
}

func (r *memoryRegistration) Done() <-chan struct{} { return r.done }

func (r *memoryRegistration) Err() error {
	r.s.m.mu.Lock()
	defer r.s.m.mu.Unlock()
	return r.err
}

func (s *memoryStore) List(ctx context.Context, q Query) ([]Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := time.Now()
	defer func() { observeOp(&s.c.Observer, "list", start, nil) }()
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var all []Instance
	for _, r := range s.m.records {
		if q.Match(&r.i) {
			all = append(all, r.i)
		}
	}
	SortByKey(all)
	return all, nil
}

// memoryWatcher is always in step.
type memoryWatcher struct{ *View }

func (w memoryWatcher) Synced() time.Time { return time.Now() }

func (s *memoryStore) Watch(ctx context.Context, q Query) (Watcher, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var v *View
	v = NewView(ctx, q, func() {
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		delete(s.m.views, v)
		delete(s.views, v)
	})
	all := make(map[string]Instance, len(s.m.records))
	for key, r := range s.m.records {
		all[key] = r.i
	}
	v.Fill(all, s.m.rev, time.Now())
	s.m.views[v] = struct{}{}
	s.views[v] = struct{}{}
	return memoryWatcher{v}, nil
}

func (s *memoryStore) Stat() Stat {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	st := s.stat
	st.Registered, st.Watches, st.Connected = len(s.regs), len(s.views), !s.closed
	return st
}

func (s *memoryStore) Close() error {
	s.m.mu.Lock()
	s.closed = true
	for r := range s.regs {
		r.remove()
	}
	views := make([]*View, 0, len(s.views))
	for v := range s.views {
		views = append(views, v)
	}
	s.m.mu.Unlock()
	for _, v := range views {
		_ = v.Close()
	}
	return nil
}
