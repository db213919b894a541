package etcd

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/wireplane/wireplane/discovery"
)

// listing is what the cluster had at a revision.
type listing struct {
	all     map[string]discovery.Instance
	keys    int64 // under the present prefix, bad ones included
	rev     int64
	cluster uint64
}

// read lists both layouts at one revision.
func (s *Store) read(ctx context.Context, q discovery.Query) (listing, error) {
	l := listing{all: make(map[string]discovery.Instance)}
	err := s.do(ctx, "list", func(ctx context.Context) error {
		now, err := s.cli.Get(ctx, q.KeyPrefix(), clientv3.WithPrefix())
		if err != nil {
			return err
		}
		old, err := s.cli.Get(ctx, discovery.OldPrefix, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision))
		if err != nil {
			return err
		}
		l.rev, l.cluster, l.keys = now.Header.Revision, now.Header.ClusterId, now.Count
		for _, kv := range append(now.Kvs, old.Kvs...) {
			if i, ok := s.parse(kv); ok {
				l.all[string(kv.Key)] = i
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("discovery/etcd: list: %w", err)
	}
	return l, err
}

// maxBad bounds the memory of what was skipped; beyond it a record may be told twice.
const maxBad = 1024

func (s *Store) parse(kv *mvccpb.KeyValue) (discovery.Instance, bool) {
	key := string(kv.Key)
	i, err := discovery.ParseRecord(key, kv.Value)
	s.mu.Lock()
	if err == nil {
		delete(s.bad, key)
		s.mu.Unlock()
		return i, true
	}
	told := s.bad[key] == kv.ModRevision
	if !told {
		if len(s.bad) >= maxBad {
			clear(s.bad)
		}
		s.bad[key] = kv.ModRevision
		s.stat.BadRecords++
	}
	s.mu.Unlock()
	if !told {
		if f := s.c.Observer.BadRecord; f != nil {
			f(key, err)
		}
		s.c.Logger.Warn("discovery/etcd: record skipped", "key", key, "err", err)
	}
	return i, false
}

// List implements discovery.Store.
func (s *Store) List(ctx context.Context, q discovery.Query) ([]discovery.Instance, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, discovery.ErrClosed
	}
	l, err := s.read(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []discovery.Instance
	for _, i := range l.all {
		if q.Match(&i) {
			all = append(all, i)
		}
	}
	discovery.SortByKey(all)
	return all, nil
}

// Watch implements discovery.Store.
func (s *Store) Watch(ctx context.Context, q discovery.Query) (discovery.Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, discovery.ErrClosed
	}
	var v *discovery.View
	v = discovery.NewView(ctx, q, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.views, v)
	})
	s.views[v] = struct{}{}
	s.wg.Go(func() {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		go func() { // ends with ctx, which ends with this watch
			select {
			case <-v.Done():
				cancel()
			case <-ctx.Done():
			}
		}()
		(&watch{s: s, v: v, q: q}).run(ctx)
		_ = v.Close()
	})
	return v, nil
}

// watch keeps one view in step. It belongs to its goroutine.
type watch struct {
	s       *Store
	v       *discovery.View
	q       discovery.Query
	rev     int64 // up to which the view is known to be whole
	cluster uint64
	away    bool      // the cluster did not answer, since the last list
	hold    time.Time // until when what is missing is kept
}

func (w *watch) run(ctx context.Context) {
	for wait := 50 * time.Millisecond; ctx.Err() == nil; {
		l, err := w.s.read(ctx, w.q)
		if err != nil {
			w.away = true
			sleep(ctx, discovery.Jitter(wait, 0.5))
			wait = min(2*wait, 2*time.Second)
			continue
		}
		wait = 50 * time.Millisecond
		w.fill(l)
		w.follow(ctx, l)
		w.s.mu.Lock()
		w.s.stat.Resyncs++
		w.s.mu.Unlock()
	}
}

// fill brings the view to l. A cluster that was away, or is another, may have lost its
// memory; then what is missing is held.
func (w *watch) fill(l listing) {
	if w.cluster != 0 && (w.away || l.rev < w.rev || l.cluster != w.cluster) {
		w.hold = time.Now().Add(w.s.c.DeleteGrace)
	}
	w.away, w.rev, w.cluster = false, l.rev, l.cluster
	if time.Now().Before(w.hold) {
		for key, i := range w.v.Known() {
			if _, ok := l.all[key]; !ok {
				l.all[key] = i
				w.s.held()
			}
		}
	}
	w.v.Fill(l.all, uint64(l.rev), time.Now())
}

func (s *Store) held() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.Held++
}

// follow applies events until everything must be read anew.
func (w *watch) follow(ctx context.Context, l listing) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(l.rev + 1)}
	events := w.s.cli.Watch(clientv3.WithRequireLeader(ctx), w.q.KeyPrefix(), options...)
	old := w.s.cli.Watch(clientv3.WithRequireLeader(ctx), discovery.OldPrefix, options...)
	probe := time.NewTicker(w.s.c.Probe)
	defer probe.Stop()
	again := discovery.Jitter(w.s.c.Reconcile, 0.2)
	if left := time.Until(w.hold); left > 0 {
		again = min(again, left+time.Millisecond)
	}
	reconcile := time.NewTimer(again)
	defer reconcile.Stop()
	keys, odd := l.keys, 0
	for {
		var resp clientv3.WatchResponse
		var ok bool
		select {
		case resp, ok = <-events:
			for _, e := range resp.Events {
				if e.IsCreate() {
					keys++
				} else if e.Type == clientv3.EventTypeDelete {
					keys--
				}
			}
		case resp, ok = <-old:
		case <-reconcile.C:
			return
		case <-ctx.Done():
			return
		case <-probe.C:
			count, good := w.ask(ctx)
			if !good {
				return
			}
			if count == keys {
				odd = 0
				w.v.Touch(time.Now())
			} else if odd++; odd > 1 { // once it may be an event under way
				return
			}
			continue
		}
		if !ok || resp.Err() != nil { // compacted, or without a leader
			return
		}
		w.apply(resp)
	}
}

func (w *watch) apply(resp clientv3.WatchResponse) {
	for _, e := range resp.Events {
		key, rev := string(e.Kv.Key), uint64(e.Kv.ModRevision)
		if e.Type == clientv3.EventTypePut {
			if i, ok := w.s.parse(e.Kv); ok {
				w.v.Put(key, &i, rev)
				continue
			}
		}
		// Leases may have expired before those who live found the cluster again.
		if time.Now().Before(w.hold) && w.v.Has(key) {
			w.s.held()
			continue
		}
		w.v.Delete(key, rev)
	}
	w.rev = max(w.rev, resp.Header.Revision)
	w.v.Touch(time.Now())
}

// ask asks how many keys there are; it reports false if the cluster is away, was away,
// or is not what it was, so that the watch may be silent for ever.
func (w *watch) ask(ctx context.Context) (int64, bool) {
	var resp *clientv3.GetResponse
	err := w.s.do(ctx, "get", func(ctx context.Context) (err error) {
		resp, err = w.s.cli.Get(ctx, w.q.KeyPrefix(), clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err
	})
	if err != nil {
		w.away = true
		return 0, false
	}
	return resp.Count, resp.Header.Revision >= w.rev && resp.Header.ClusterId == w.cluster
}
