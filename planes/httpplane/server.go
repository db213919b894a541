package httpplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// ServerConfig configures a Server. The zero value is a server that does not listen
// and is mounted as an http.Handler.
type ServerConfig struct {
	// Addr is where the server listens, as "0.0.0.0:8081"; "" means nowhere, unless
	// Listener is given.
	Addr string
	// Listener is used in place of Addr; the server closes it. nil means none.
	Listener net.Listener
	// Root is the path before the routes; "" means "/v1/rpc".
	Root string
	// AdvertiseHost is the host, or host:port, that callers shall use; "" means that of
	// the listener, and where that is every address, the first of this machine.
	AdvertiseHost string
	// TLS makes the server speak TLS; nil means clear text.
	TLS *tls.Config
	// Format is used for callers that accept any; the zero value is SSE.
	Format itemstream.Format
	// MaxBodyBytes is the largest request taken; 0 means 16 MiB.
	MaxBodyBytes int
	// BudgetBytes bounds the bodies, and headers beyond 32 KiB, of all requests that are
	// held at once; 0 means 256 MiB. Requests beyond it are refused with CodeOverloaded.
	BudgetBytes int64
	// BodyTimeout is how long a caller may take to send a request; 0 means 30 s.
	BodyTimeout time.Duration
	// Heartbeat is the longest silence in an answer; 0 means 15 s.
	Heartbeat time.Duration
	// StatusDelay is how long the status of an answer waits for a first item or an
	// error, which then has a status of its own; 0 means 50 ms.
	StatusDelay time.Duration
	// StallTimeout is how long a reader may take nothing before its call ends with
	// CodeSlowConsumer; 0 means 30 s.
	StallTimeout time.Duration
	// MaxConns is the number of connections; further ones wait to be accepted. 0 means
	// 4096.
	MaxConns int
	// MaxCalls is the number of requests under way; further ones are refused with
	// CodeOverloaded. 0 means 4096.
	MaxCalls int
	// MaxStreamsPerConn is the number of calls on one HTTP/2 connection; 0 means 250.
	MaxStreamsPerConn int
	// Logger gets a line for each panic and fault of a connection; nil discards.
	Logger *slog.Logger
}

func (c ServerConfig) withDefaults() ServerConfig {
	def(&c.Root, "/v1/rpc")
	c.Root = "/" + strings.Trim(c.Root, "/")
	def(&c.MaxBodyBytes, 16<<20)
	def(&c.BudgetBytes, 256<<20)
	def(&c.BodyTimeout, 30*time.Second)
	def(&c.Heartbeat, 15*time.Second)
	def(&c.StatusDelay, 50*time.Millisecond)
	def(&c.StallTimeout, 30*time.Second)
	def(&c.MaxConns, 4096)
	def(&c.MaxCalls, 4096)
	def(&c.MaxStreamsPerConn, 250)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Validate reports all wrong fields at once.
func (c ServerConfig) Validate() error {
	c = c.withDefaults()
	var errs []error
	errs = positive(errs, "ServerConfig.MaxBodyBytes", int64(c.MaxBodyBytes))
	errs = positive(errs, "ServerConfig.BudgetBytes", c.BudgetBytes)
	errs = positive(errs, "ServerConfig.BodyTimeout", int64(c.BodyTimeout))
	errs = positive(errs, "ServerConfig.Heartbeat", int64(c.Heartbeat))
	errs = positive(errs, "ServerConfig.StatusDelay", int64(c.StatusDelay))
	errs = positive(errs, "ServerConfig.StallTimeout", int64(c.StallTimeout))
	errs = positive(errs, "ServerConfig.MaxConns", int64(c.MaxConns))
	errs = positive(errs, "ServerConfig.MaxCalls", int64(c.MaxCalls))
	errs = positive(errs, "ServerConfig.MaxStreamsPerConn", int64(c.MaxStreamsPerConn))
	if c.Format > itemstream.Binary {
		errs = append(errs, fmt.Errorf("httpplane: ServerConfig.Format is %v; want sse, ndjson or binary", c.Format))
	}
	if u, err := url.Parse(c.Root); err != nil || u.Path != c.Root {
		errs = append(errs, fmt.Errorf("httpplane: ServerConfig.Root is %.200q; want a plain path such as /v1/rpc", c.Root))
	}
	return errors.Join(errs...)
}

func positive(errs []error, field string, v int64) []error {
	if v < 0 {
		return append(errs, fmt.Errorf("httpplane: %s is %d; want 0 for the default, or more", field, v))
	}
	return errs
}

// ServerStat counts what a Server did; all but Calls and BodyBytes only grow.
type ServerStat struct {
	Calls     int64  // under way
	BodyBytes int64  // of requests that are held
	Answered  uint64 // plain requests whose answer was delivered to its terminal
	Broken    uint64 // plain requests whose reader went away or was too slow
	Taken     uint64 // envelopes that were accepted
	Refused   uint64 // requests that ended before a handler ran
	Panics    uint64 // contained panics of handlers
}

// Server is the worker's side of the HTTP request plane. It is a
// [planes.RequestServer] and an [http.Handler]. All methods are safe for concurrent
// use.
type Server struct {
	cfg  ServerConfig
	base string // scheme://host:port, "" when it does not listen
	ln   net.Listener
	http *http.Server
	idle fresh

	dispatcher atomic.Pointer[planes.Dispatcher]
	draining   atomic.Bool
	calls      atomic.Int64
	bodies     atomic.Int64
	answered, broken, taken, refusedN,
	panics atomic.Uint64

	mu      sync.Mutex
	streams map[string]context.CancelCauseFunc // by name; of calls under way
	closed  chan struct{}
	once    sync.Once
	busy    sync.WaitGroup
}

var (
	_ planes.RequestServer = (*Server)(nil)
	_ planes.Advertiser    = (*Server)(nil)
	_ http.Handler         = (*Server)(nil)
)

// NewServer checks cfg and listens, if cfg says where. Requests that come before Serve
// wait in the listener; those that a mounted server gets are refused.
func NewServer(cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), streams: map[string]context.CancelCauseFunc{}, closed: make(chan struct{})}
	ln, base, err := listen(cfg.Listener, cfg.Addr, cfg.AdvertiseHost, cfg.TLS != nil, s.cfg.MaxConns)
	if err != nil {
		return nil, err
	}
	s.ln, s.base = ln, base
	s.http = newHTTPServer(s, s.cfg.TLS, s.cfg.MaxStreamsPerConn, maxHeaderBytes, s.cfg.Logger)
	s.idle.watch(s.http)
	return s, nil
}

// Serve hands requests to d until ctx ends, which closes every connection, or until
// Shutdown.
func (s *Server) Serve(ctx context.Context, d planes.Dispatcher) error {
	s.dispatcher.Store(&d)
	return serve(ctx, s.http, s.ln, s.closed)
}

// Shutdown refuses new requests with CodeDraining, waits until those that run have
// ended or ctx has, and closes. It returns ctx's error in the latter case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	defer s.idle.end()()
	err := s.http.Shutdown(ctx)
	if s.ln == nil {
		err = waitFor(ctx, &s.busy)
	}
	if err != nil {
		s.mu.Lock()
		for _, cancel := range s.streams {
			cancel(errDraining)
		}
		s.mu.Unlock()
	}
	s.once.Do(func() { close(s.closed) })
	if s.ln != nil {
		_ = s.ln.Close()
	}
	_ = s.http.Close()
	return err
}

// Address returns the URL of a route; instance does not matter, since servers have
// ports of their own. It is zero for a server that does not listen and has no
// AdvertiseHost.
func (s *Server) Address(route string, _ uint64) planes.Address {
	if s.base == "" {
		return planes.Address{}
	}
	return planes.Address{Kind: planes.AddressHTTP, URL: s.base + (&url.URL{Path: s.cfg.Root + "/" + route}).EscapedPath()}
}

// Advertise returns the endpoint for the discovery record.
func (s *Server) Advertise(route string, instance uint64) planes.Endpoint {
	return planes.Endpoint{
		Transport: planes.HTTP, Address: s.Address(route, instance), Capabilities: s.Capabilities(),
		Metadata: map[string]string{"formats": "sse,ndjson,binary", "protocols": "http/1.1,h2c"},
	}
}

// Capabilities returns what the server can do.
func (s *Server) Capabilities() planes.Capabilities {
	return planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: int64(s.cfg.MaxBodyBytes)}
}

// Stat returns the counters.
func (s *Server) Stat() ServerStat {
	return ServerStat{
		Calls: s.calls.Load(), BodyBytes: s.bodies.Load(), Answered: s.answered.Load(), Broken: s.broken.Load(),
		Taken: s.taken.Load(), Refused: s.refusedN.Load(), Panics: s.panics.Load(),
	}
}
