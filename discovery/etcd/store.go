package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/wireplane/wireplane/discovery"
)

// Config configures Open. Endpoints is compulsory.
type Config struct {
	discovery.Config
	// Endpoints are the URLs of the cluster; none is an error.
	Endpoints []string
	// Username and Password authenticate; "" means without.
	Username, Password string
	// TLS is the client's side of TLS; nil means none, or the system's for https.
	TLS *tls.Config
	// StartupTimeout bounds the tries of Open to reach the cluster; 0 means 120 s.
	StartupTimeout time.Duration
	// OpTimeout bounds each operation; 0 means 5 s.
	OpTimeout time.Duration
	// Probe is how often a watch asks whether the cluster still is where it was; 0 means
	// a third of the TTL.
	Probe time.Duration
	// Reconcile is how often a watch reads everything anew, with +-20 % jitter; 0 means
	// 5 min.
	Reconcile time.Duration
	// DeleteGrace is how long a watch holds what goes missing once the cluster is back,
	// be it by a delete that was meant; 0 means twice the TTL, at least 30 s.
	DeleteGrace time.Duration
	// RejoinSpread is the time over which workers come back after the cluster was away,
	// each at a random point; 0 means 5 s.
	RejoinSpread time.Duration
}

func (c Config) withDefaults() Config {
	c.Config = c.WithDefaults()
	for _, d := range []struct {
		at *time.Duration
		by time.Duration
	}{
		{&c.StartupTimeout, 120 * time.Second}, {&c.OpTimeout, 5 * time.Second}, {&c.Probe, c.TTL / 3},
		{&c.Reconcile, 5 * time.Minute}, {&c.DeleteGrace, max(2*c.TTL, 30*time.Second)}, {&c.RejoinSpread, 5 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.by
		}
	}
	return c
}

// Store is a discovery.Store over etcd.
type Store struct {
	c     Config
	cli   *clientv3.Client
	lease clientv3.LeaseID
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup

	sweeping sync.Mutex // one removal of what is stale at a time

	mu     sync.Mutex
	regs   map[string]*registration // by key
	views  map[*discovery.View]struct{}
	bad    map[string]int64    // revision of what was skipped
	stale  map[string]struct{} // keys that may be under the lease and shall not be
	stat   discovery.Stat
	closed bool
}

var _ discovery.Store = (*Store)(nil)

// Open connects to a cluster and takes a lease, trying until ctx or the startup timeout
// ends. The store must be closed.
func Open(ctx context.Context, c Config) (*Store, error) {
	c = c.withDefaults()
	if len(c.Endpoints) == 0 {
		return nil, errors.New("discovery/etcd: no endpoints")
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, Username: c.Username, Password: c.Password, TLS: c.TLS,
		DialTimeout: c.OpTimeout, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: zap.NewNop(), // what it says is in the errors too
		// The default waits for up to 2 min once the cluster was away for long, and leases
		// expire a TTL after it is back.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: min(2*time.Second, c.TTL/5)},
			MinConnectTimeout: c.OpTimeout,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("discovery/etcd: %w", err)
	}
	s := &Store{c: c, cli: cli, lease: clientv3.LeaseID(rand.Int64N(1<<63-2) + 1),
		regs: make(map[string]*registration), views: make(map[*discovery.View]struct{}), bad: make(map[string]int64), stale: make(map[string]struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(ctx, c.StartupTimeout)
	defer cancel()
	begun, told := time.Now(), false
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err = s.grant(ctx)
		if err == nil {
			break
		}
		if !told && time.Since(begun) > time.Second && ctx.Err() == nil {
			told = true
			s.c.Logger.Warn("discovery/etcd: no answer yet; trying on", "endpoints", c.Endpoints, "for", c.StartupTimeout, "err", err)
		}
		if !sleep(ctx, discovery.Jitter(wait, 0.5)) {
			s.stop()
			_ = cli.Close()
			return nil, fmt.Errorf("discovery/etcd: %v does not answer: %w", c.Endpoints, err)
		}
	}
	s.wg.Go(s.keep)
	return s, nil
}

// sleep reports whether ctx lived that long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// do runs one operation with its bound, counts it and reports it.
func (s *Store) do(ctx context.Context, op string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.OpTimeout)
	defer cancel()
	start := time.Now()
	err := f(clientv3.WithRequireLeader(ctx))
	if o := s.c.Observer.BackendOp; o != nil {
		o(op, time.Since(start), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.ctx.Err() == nil {
		s.stat.Errors++
		if s.stat.Connected {
			s.c.Logger.Warn("discovery/etcd: trouble", "op", op, "err", err)
		}
	}
	s.stat.Connected = err == nil
	return err
}

// grant takes the lease, always of the same id.
func (s *Store) grant(ctx context.Context) error {
	return s.do(ctx, "grant", func(ctx context.Context) error {
		ttl := int64((s.c.TTL + time.Second - 1) / time.Second)
		_, err := clientv3.RetryLeaseClient(s.cli).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: ttl, ID: int64(s.lease)})
		if errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseExist) {
			return nil // the answer to an earlier try was lost
		}
		return err
	})
}

// keep keeps the lease alive, takes it anew when it is lost, and beats.
func (s *Store) keep() {
	alive := time.NewTicker(s.c.TTL / 3)
	defer alive.Stop()
	beat := time.NewTimer(discovery.Jitter(max(s.c.Heartbeat, 0), 0.1))
	defer beat.Stop()
	beats := beat.C
	if s.c.Heartbeat < 0 {
		beats = nil
	}
	away := false
	for {
		select {
		case <-alive.C:
			away = s.keepAlive(away)
		case <-beats:
			for _, r := range s.all() {
				_ = r.Update(s.ctx, nil)
			}
			beat.Reset(discovery.Jitter(s.c.Heartbeat, 0.1))
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Store) all() []*registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*registration, 0, len(s.regs))
	for _, r := range s.regs {
		all = append(all, r)
	}
	return all
}

// keepAlive renews the lease and what has not been written; it reports whether the
// cluster is away.
func (s *Store) keepAlive(away bool) bool {
	lost := false
	err := s.do(s.ctx, "keepalive", func(ctx context.Context) error {
		_, err := s.cli.KeepAliveOnce(ctx, s.lease)
		if lost = errors.Is(err, rpctypes.ErrLeaseNotFound); lost {
			return nil
		}
		return err
	})
	if err != nil {
		return true
	}
	if lost {
		s.mu.Lock()
		s.stat.LeasesLost++
		for _, r := range s.regs {
			r.lose()
		}
		clear(s.stale) // they went with it
		s.mu.Unlock()
		s.c.Logger.Warn("discovery/etcd: lease lost; it is taken anew", "lease", int64(s.lease))
		spread := min(time.Second, s.c.RejoinSpread)
		if away {
			spread = s.c.RejoinSpread // everybody comes back now
		}
		if !sleep(s.ctx, rand.N(spread)) || s.grant(s.ctx) != nil {
			return true
		}
	}
	failed := false
	for _, r := range s.all() {
		failed = r.rewrite() != nil || failed
	}
	return s.sweep() != nil || failed
}

// Stat implements discovery.Store.
func (s *Store) Stat() discovery.Stat {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stat
	st.Registered, st.Watches = len(s.regs), len(s.views)
	return st
}

// Lease returns the id of the store's lease, which never changes.
func (s *Store) Lease() int64 { return int64(s.lease) }

// Close implements discovery.Store. It tries for at most the timeout of an operation to
// remove the records; after that they expire.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.c.OpTimeout)
	defer cancel()
	s.stop()
	s.wg.Wait()
	var first error
	for _, r := range s.all() {
		if err := r.Deregister(ctx); err != nil && first == nil && !errors.Is(err, discovery.ErrConflict) {
			first = err
		}
	}
	if first == nil {
		_ = s.do(ctx, "delete", func(ctx context.Context) error {
			_, err := s.cli.Revoke(ctx, s.lease)
			return err
		})
	}
	_ = s.cli.Close()
	return first
}
