package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/wireplane/wireplane/discovery"
)

type registration struct {
	s    *Store
	done chan struct{}
	ops  sync.Mutex // one operation on the key at a time

	mu    sync.Mutex
	rec   discovery.Record
	dirty bool // rec is not known to be in etcd
	lost  bool // it was, and the lease was lost
	err   error
}

// Register implements discovery.Store.
func (s *Store) Register(ctx context.Context, i discovery.Instance) (discovery.Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	i.LastHeartbeat = time.Now()
	if i.Epoch == 0 {
		i.Epoch = uint64(i.LastHeartbeat.UnixMilli())
	}
	if i.ID == 0 {
		i.ID = uint64(s.lease)
		for s.has(discovery.Key(&i)) {
			i.ID = rand.Uint64()
		}
	}
	rec, err := discovery.NewRecord(i)
	if err != nil {
		return nil, err
	}
	r := &registration{s: s, rec: rec, done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, discovery.ErrClosed
	}
	old := s.regs[rec.Key]
	s.mu.Unlock()
	if old != nil {
		was := old.Instance()
		if was.Epoch >= i.Epoch {
			return nil, conflict(&rec.Instance, was.Epoch)
		}
		old.end(conflict(&was, i.Epoch))
	}
	r.ops.Lock()
	defer r.ops.Unlock()
	s.keepKey(rec.Key)
	if err := s.put(ctx, rec, true); err != nil {
		if !errors.Is(err, discovery.ErrConflict) {
			s.leave(rec.Key) // it may be written for all that
		}
		return nil, err
	}
	s.mu.Lock()
	if s.closed { // meanwhile: the lease ends
		s.mu.Unlock()
		return nil, discovery.ErrClosed
	}
	s.regs[rec.Key] = r
	s.stat.Registrations++
	s.mu.Unlock()
	if f := s.c.Observer.Registered; f != nil {
		f(&rec.Instance)
	}
	return r, nil
}

func (s *Store) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.regs[key] != nil
}

func conflict(i *discovery.Instance, epoch uint64) error {
	return fmt.Errorf("%w: %s of epoch %d; the other's is %d", discovery.ErrConflict, i, i.Epoch, epoch)
}

// put writes rec under the lease: where there is nothing, what is ours, or an instance
// of a lower epoch. A first writer of the same epoch as another's is refused.
func (s *Store) put(ctx context.Context, rec discovery.Record, first bool) error {
	var refused error
	err := s.do(ctx, "put", func(ctx context.Context) error {
		write := clientv3.OpPut(rec.Key, string(rec.Value), clientv3.WithLease(s.lease))
		free := clientv3.Compare(clientv3.CreateRevision(rec.Key), "=", 0)
		for range 10 {
			resp, err := s.cli.Txn(ctx).If(free).Then(write).Else(clientv3.OpGet(rec.Key)).Commit()
			if err != nil || resp.Succeeded {
				return err
			}
			kvs := resp.Responses[0].GetResponseRange().Kvs
			if len(kvs) == 0 {
				free = clientv3.Compare(clientv3.CreateRevision(rec.Key), "=", 0)
				continue
			}
			kv := kvs[0]
			other, err := discovery.ParseRecord(rec.Key, kv.Value)
			if err == nil && kv.Lease != int64(s.lease) && (other.Epoch > rec.Instance.Epoch || first && other.Epoch == rec.Instance.Epoch) {
				refused = conflict(&rec.Instance, other.Epoch)
				return nil
			}
			free = clientv3.Compare(clientv3.ModRevision(rec.Key), "=", kv.ModRevision)
		}
		return fmt.Errorf("key %s changes too fast", rec.Key)
	})
	if err != nil {
		return fmt.Errorf("discovery/etcd: %s is not written: %w", rec.Key, err)
	}
	return refused
}

// lose says that the record is gone with its lease.
func (r *registration) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dirty, r.lost = true, true
}

// rewrite writes what etcd does not have.
func (r *registration) rewrite() error {
	r.ops.Lock()
	defer r.ops.Unlock()
	r.mu.Lock()
	dirty, lost, rec, err := r.dirty, r.lost, r.rec, r.err
	r.mu.Unlock()
	if !dirty || err != nil {
		return nil
	}
	if err := r.write(r.s.ctx, rec); err != nil {
		return err
	}
	if lost {
		r.mu.Lock()
		r.lost = false
		r.mu.Unlock()
		r.s.mu.Lock()
		r.s.stat.Registrations++
		r.s.mu.Unlock()
		if f := r.s.c.Observer.Registered; f != nil {
			f(&rec.Instance)
		}
	}
	return nil
}

// write puts rec, which becomes the present record whether or not it succeeds. r.ops is
// held.
func (r *registration) write(ctx context.Context, rec discovery.Record) error {
	r.mu.Lock()
	r.rec, r.dirty = rec, true
	r.mu.Unlock()
	err := r.s.put(ctx, rec, false)
	if errors.Is(err, discovery.ErrConflict) {
		r.end(err)
	}
	if err == nil {
		r.mu.Lock()
		r.dirty = false
		r.mu.Unlock()
	}
	return err
}

func (r *registration) Update(ctx context.Context, f func(*discovery.Instance)) error {
	r.ops.Lock()
	defer r.ops.Unlock()
	r.mu.Lock()
	i, err := r.rec.Instance, r.err
	r.mu.Unlock()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	rec, err := discovery.Updated(&i, f, time.Now())
	if err != nil {
		return err
	}
	return r.write(ctx, rec)
}

func (r *registration) end(err error) {
	r.mu.Lock()
	was := r.err
	if was == nil {
		r.err = err
		close(r.done)
	}
	key := r.rec.Key
	r.mu.Unlock()
	r.s.mu.Lock()
	if r.s.regs[key] == r {
		delete(r.s.regs, key)
	}
	r.s.mu.Unlock()
}

func (r *registration) Deregister(ctx context.Context) error {
	r.ops.Lock()
	defer r.ops.Unlock()
	if err := r.Err(); err != nil {
		if errors.Is(err, discovery.ErrClosed) {
			return nil
		}
		return err
	}
	r.mu.Lock()
	key := r.rec.Key
	r.mu.Unlock()
	r.end(discovery.ErrClosed)
	if err := r.s.remove(ctx, key); err != nil {
		r.s.leave(key)
		return fmt.Errorf("discovery/etcd: %s is not deleted; it will be once etcd answers, or expire: %w", key, err)
	}
	return nil
}

// remove deletes a key that is under the lease.
func (s *Store) remove(ctx context.Context, key string) error {
	return s.do(ctx, "delete", func(ctx context.Context) error {
		mine := clientv3.Compare(clientv3.LeaseValue(key), "=", s.lease)
		_, err := s.cli.Txn(ctx).If(mine).Then(clientv3.OpDelete(key)).Commit()
		return err
	})
}

// leave notes a key that sweep shall remove: the lease, which others of this store keep
// alive, would keep it.
func (s *Store) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale[key] = struct{}{}
}

// keepKey ends leave for a key that is about to be written.
func (s *Store) keepKey(key string) {
	s.sweeping.Lock() // a removal under way comes before the write
	defer s.sweeping.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stale, key)
}

// sweep removes what leave has noted.
func (s *Store) sweep() error {
	s.mu.Lock()
	keys := slices.Collect(maps.Keys(s.stale))
	s.mu.Unlock()
	for _, key := range keys {
		if err := s.sweepKey(key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepKey(key string) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	s.mu.Lock()
	_, still := s.stale[key]
	s.mu.Unlock()
	if !still {
		return nil
	}
	if err := s.remove(s.ctx, key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stale, key)
	return nil
}

func (r *registration) Instance() discovery.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec.Instance.Clone()
}

func (r *registration) Done() <-chan struct{} { return r.done }

func (r *registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
