package natsplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/wireplane/wireplane/planes"
)

// queueGroup is that of the released runtime.
const queueGroup = "q"

// ServerConfig configures a Server. Its zero value is usable.
type ServerConfig struct {
	// MaxPending bounds the requests of one route that wait for the Dispatcher, which
	// takes them one after another; 0 means 1024. One more is turned away as overloaded.
	MaxPending int
	// MaxPendingBytes bounds the bytes of those; 0 means 64 MiB. The NATS client may hold
	// 64 MiB more for a moment, and drops what is beyond; see ServerStat.Dropped.
	MaxPendingBytes int
	// Logger hears of requests that are turned away, at debug level, and of replies
	// that could not be sent; nil discards.
	Logger *slog.Logger
}

// Server is the worker's side: it subscribes to the subjects of the routes that are
// bound, and hands what comes to a Dispatcher. A request is taken, with an empty reply,
// once the Dispatcher has accepted it. All methods are safe for concurrent use.
type Server struct {
	conn *Conn
	cfg  ServerConfig
	log  *slog.Logger

	// serving is who takes requests now; nil turns them away.
	serving atomic.Pointer[serving]

	mu       sync.Mutex
	bound    map[string]*binding // by subject
	shutdown bool
	done     chan struct{} // closed by the first Shutdown
	ready    chan struct{} // closed by the first Serve
	begin    sync.Once     // of ready

	count counters
}

type serving struct {
	ctx context.Context
	d   planes.Dispatcher
}

type counters struct {
	taken, overloaded, unavailable, malformed, dropped, unreplied atomic.Uint64
}

// ServerStat counts requests since the start of a Server.
type ServerStat struct {
	Taken       uint64 // accepted by the Dispatcher
	Overloaded  uint64 // turned away: by the Dispatcher or beyond the bounds of what waits
	Unavailable uint64 // turned away for any other reason, Malformed among them
	Malformed   uint64 // messages that are no envelope
	Dropped     uint64 // lost by the NATS client because its own queue was full; their callers time out
	Unreplied   uint64 // whose reply could not be sent, so that their callers time out
	Bound       int    // routes now
	Pending     int    // requests that wait for the Dispatcher now
}

var (
	_ planes.RequestServer = (*Server)(nil)
	_ planes.RouteBinder   = (*Server)(nil)
	_ planes.Advertiser    = (*Server)(nil)
)

// NewServer returns a Server on conn, which stays the caller's to close, after Shutdown.
func NewServer(conn *Conn, cfg ServerConfig) *Server {
	s := &Server{conn: conn, cfg: cfg, log: orDefault(cfg.Logger, slog.New(slog.DiscardHandler)),
		bound: make(map[string]*binding), done: make(chan struct{}), ready: make(chan struct{})}
	if s.cfg.MaxPending <= 0 {
		s.cfg.MaxPending = 1024
	}
	if s.cfg.MaxPendingBytes <= 0 {
		s.cfg.MaxPendingBytes = 64 << 20
	}
	conn.mu.Lock()
	conn.up[s] = struct{}{}
	conn.mu.Unlock()
	return s
}

// Capabilities are as for a Client.
func (s *Server) Capabilities() planes.Capabilities { return capabilities(s.conn) }

// Address returns the subject of a route; see Subject.
func (s *Server) Address(route string, instance uint64) planes.Address {
	return planes.Address{Kind: planes.AddressNATS, Subject: Subject(route, instance)}
}

// Advertise returns what a discovery record says about this transport.
func (s *Server) Advertise(route string, instance uint64) planes.Endpoint {
	return planes.Endpoint{Transport: planes.NATS, Address: s.Address(route, instance), Capabilities: s.Capabilities()}
}

// Ready is closed once Serve takes requests (planes.Readier).
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Serve hands requests to d until ctx ends or the server is shut down, and returns nil
// then. Requests that come while nobody serves are turned away as unavailable. Only one
// Serve may run at a time.
func (s *Server) Serve(ctx context.Context, d planes.Dispatcher) error {
	me := &serving{ctx, d}
	if !s.serving.CompareAndSwap(nil, me) {
		return errors.New("natsplane: Serve runs already")
	}
	defer s.serving.CompareAndSwap(me, nil)
	s.begin.Do(func() { close(s.ready) })
	select {
	case <-ctx.Done():
	case <-s.done:
	}
	return nil
}

// Bind subscribes to the subject of a route. When it returns, the NATS server knows the
// subscription. It fails where there is no connection, or another route of this server
// has the same subject. A subscription outlives lost connections.
func (s *Server) Bind(ctx context.Context, route string, instance uint64) error {
	subject := Subject(route, instance)
	if _, err := planes.NATSAddress(subject); err != nil {
		return fmt.Errorf("natsplane: bind %.300q: %w", route, err)
	}
	b := newBinding(s, route, subject)
	s.mu.Lock()
	old := s.bound[subject]
	switch {
	case s.shutdown:
		s.mu.Unlock()
		return fmt.Errorf("natsplane: bind %.300q: the server is shut down", route)
	case old != nil:
		s.mu.Unlock()
		return fmt.Errorf("natsplane: bind %.300q: its subject %s belongs to route %.300q", route, subject, old.route)
	}
	s.bound[subject] = b
	go b.work()
	s.mu.Unlock()
	nc, err := s.conn.current()
	if err == nil {
		err = b.subscribe(nc)
	}
	if err == nil {
		err = flush(ctx, nc)
	}
	if err != nil {
		_ = s.unbind(ctx, b)
		return fmt.Errorf("natsplane: bind %.300q to %s: %w", route, subject, err)
	}
	return nil
}

// flush waits until the server has seen what was sent, which needs a deadline.
func flush(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, nc.Opts.Timeout)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

// Unbind ends the subscription of a route: no new request comes, and those that have
// come are handed over before it returns, or ctx ends. It does nothing for a route that
// is not bound.
func (s *Server) Unbind(ctx context.Context, route string, instance uint64) error {
	s.mu.Lock()
	b := s.bound[Subject(route, instance)]
	s.mu.Unlock()
	if b == nil || b.route != route {
		return nil
	}
	return s.unbind(ctx, b)
}

func (s *Server) unbind(ctx context.Context, b *binding) error {
	err := b.drain(ctx)
	s.mu.Lock()
	if s.bound[b.subject] == b {
		delete(s.bound, b.subject)
	}
	s.mu.Unlock()
	return err
}

// Shutdown unbinds every route; requests that have come are handed over until ctx ends,
// and turned away after that. Requests that were handed over are the Dispatcher's. It
// returns ctx's error if it had to cut that short. The Conn stays open.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.shutdown
	s.shutdown = true
	all := make([]*binding, 0, len(s.bound))
	for _, b := range s.bound {
		all = append(all, b)
	}
	s.mu.Unlock()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, b := range all {
		wg.Go(func() { errs[i] = s.unbind(ctx, b) })
	}
	wg.Wait()
	if first {
		s.conn.mu.Lock()
		delete(s.conn.up, s)
		s.conn.mu.Unlock()
		close(s.done)
	}
	if nc, err := s.conn.current(); err == nil {
		_ = flush(ctx, nc) // the replies
	}
	return errors.Join(errs...)
}

// rebind subscribes anew on a connection that replaces one that is gone for good.
func (s *Server) rebind(nc *nats.Conn) {
	s.mu.Lock()
	all := make([]*binding, 0, len(s.bound))
	for _, b := range s.bound {
		all = append(all, b)
	}
	s.mu.Unlock()
	for _, b := range all {
		if err := b.subscribe(nc); err != nil {
			s.log.Warn("NATS subscription lost", "subject", b.subject, "err", err)
		}
	}
}

// Stat returns the counters.
func (s *Server) Stat() ServerStat {
	c := &s.count
	st := ServerStat{Taken: c.taken.Load(), Overloaded: c.overloaded.Load(), Unavailable: c.unavailable.Load(),
		Malformed: c.malformed.Load(), Dropped: c.dropped.Load(), Unreplied: c.unreplied.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Bound = len(s.bound)
	for _, b := range s.bound {
		st.Pending += len(b.queue)
		st.Dropped += b.dropped()
	}
	return st
}
