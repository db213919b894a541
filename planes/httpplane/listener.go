package httpplane

import (
	"context"
	"crypto/tls"
	"encoding/json"
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

// ResponseTransport is the transport of the ConnectionInfo of an attached answer.
const ResponseTransport = "http_response"

// attachInfo is its Info.
type attachInfo struct {
	Subject string `json:"subject"`
	Token   string `json:"token"`
}

// ListenerConfig configures a ResponseListener. The zero value listens nowhere and is
// mounted as an http.Handler.
type ListenerConfig struct {
	// Addr is where it listens, as "0.0.0.0:8082"; "" means nowhere, unless Listener is
	// given.
	Addr string
	// Listener is used in place of Addr and closed by Close; nil means none.
	Listener net.Listener
	// Root is the path before the subjects; "" means "/v1/rpc/response".
	Root string
	// AdvertiseHost is as for ServerConfig; "" means the listener's.
	AdvertiseHost string
	// TLS makes it speak TLS; nil means clear text.
	TLS *tls.Config
	// Format is used for routers that accept any; the zero value is SSE.
	Format itemstream.Format
	// AttachTimeout is how long an answer waits for its router, and a router for its
	// answer; 0 means 10 s.
	AttachTimeout time.Duration
	// Grace is how long an answer whose router was cut off waits for it to come back;
	// 0 means 2 s.
	Grace time.Duration
	// ReplayBytes and ReplayItems bound what an answer holds of what was written, for a
	// router that comes back; 0 means 256 KiB and 1024. What is older cannot be resumed.
	// What was written last, up to 64 KiB or one item, is held in any case.
	ReplayBytes, ReplayItems int
	// Heartbeat is the longest silence in an answer; 0 means 15 s.
	Heartbeat time.Duration
	// StatusDelay is as for ServerConfig; 0 means 50 ms.
	StatusDelay time.Duration
	// StallTimeout is how long a router may take nothing; 0 means 30 s.
	StallTimeout time.Duration
	// MaxConns is the number of connections; 0 means 4096.
	MaxConns int
	// MaxStreams is the number of answers, and of routers that wait for one; 0 means 4096.
	MaxStreams int
	// Logger gets faults of connections; nil discards.
	Logger *slog.Logger
}

func (c ListenerConfig) withDefaults() ListenerConfig {
	def(&c.Root, "/v1/rpc/response")
	c.Root = "/" + strings.Trim(c.Root, "/")
	def(&c.AttachTimeout, 10*time.Second)
	def(&c.Grace, 2*time.Second)
	def(&c.ReplayBytes, 256<<10)
	def(&c.ReplayItems, 1024)
	def(&c.Heartbeat, 15*time.Second)
	def(&c.StatusDelay, 50*time.Millisecond)
	def(&c.StallTimeout, 30*time.Second)
	def(&c.MaxConns, 4096)
	def(&c.MaxStreams, 4096)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports all wrong fields at once.
func (c ListenerConfig) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"AttachTimeout", int64(c.AttachTimeout)}, {"Grace", int64(c.Grace)}, {"ReplayBytes", int64(c.ReplayBytes)},
		{"ReplayItems", int64(c.ReplayItems)}, {"Heartbeat", int64(c.Heartbeat)}, {"StatusDelay", int64(c.StatusDelay)},
		{"StallTimeout", int64(c.StallTimeout)}, {"MaxConns", int64(c.MaxConns)}, {"MaxStreams", int64(c.MaxStreams)},
	} {
		errs = positive(errs, "ListenerConfig."+f.name, f.value)
	}
	if c.Format > itemstream.Binary {
		errs = append(errs, fmt.Errorf("httpplane: ListenerConfig.Format is %v; want sse, ndjson or binary", c.Format))
	}
	return errors.Join(errs...)
}

// ListenerStat counts what a ResponseListener did.
type ListenerStat struct {
	Streams                               int    // answers that wait or run
	Attached, Resumed                     uint64 // GETs that got an answer, again
	Unknown, Duplicate, Late, Denied, Old uint64 // GETs that were turned away
	Unclaimed                             uint64 // answers for which nobody came
}

// ResponseListener is the worker's side of attached answers: a
// [planes.ResponseClient], which listens, and an [http.Handler]. An answer waits until
// the router attaches to it with GET {root}/{subject}. All methods are safe for
// concurrent use.
type ResponseListener struct {
	cfg    ListenerConfig
	base   string
	http   *http.Server
	ln     net.Listener
	done   chan struct{}
	closed chan struct{}
	once   sync.Once

	attached, resumed, unknown, duplicate, late, denied, old, unclaimed atomic.Uint64

	mu      sync.Mutex
	streams map[string]*outgoing     // by subject
	waiting map[string]chan struct{} // GETs before their answer, by subject; closed when it comes
	gone    map[string]struct{}      // subjects that are over
	order   []string                 // of gone, oldest first; at most maxGone
}

const maxGone = 4096

var (
	_ planes.ResponseClient = (*ResponseListener)(nil)
	_ planes.Advertiser     = (*ResponseListener)(nil)
	_ http.Handler          = (*ResponseListener)(nil)
)

// NewResponseListener checks cfg, listens if cfg says where, and serves until Close.
func NewResponseListener(cfg ListenerConfig) (*ResponseListener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &ResponseListener{
		cfg: cfg.withDefaults(), done: make(chan struct{}), closed: make(chan struct{}),
		streams: map[string]*outgoing{}, waiting: map[string]chan struct{}{}, gone: map[string]struct{}{},
	}
	ln, base, err := listen(cfg.Listener, cfg.Addr, cfg.AdvertiseHost, cfg.TLS != nil, l.cfg.MaxConns)
	if err != nil {
		return nil, err
	}
	l.base, l.ln = base, ln
	l.http = newHTTPServer(l, cfg.TLS, 250, heavy, l.cfg.Logger)
	go func() {
		defer close(l.done)
		if err := serve(context.Background(), l.http, ln, l.closed); err != nil {
			l.cfg.Logger.Error("the response server ended", "error", err)
		}
	}()
	return l, nil
}

// Address returns the URL below which the answers of route are.
func (l *ResponseListener) Address(route string) planes.Address {
	if l.base == "" {
		return planes.Address{}
	}
	return planes.Address{Kind: planes.AddressHTTP, URL: l.base + (&url.URL{Path: l.cfg.Root + "/" + route}).EscapedPath()}
}

// Advertise returns the endpoint for the discovery record.
func (l *ResponseListener) Advertise(route string, _ uint64) planes.Endpoint {
	return planes.Endpoint{
		Transport: planes.HTTP, Address: l.Address(route),
		Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true},
		Metadata:     map[string]string{"formats": "sse,ndjson,binary"},
	}
}

// Stat returns the counters.
func (l *ResponseListener) Stat() ListenerStat {
	l.mu.Lock()
	n := len(l.streams)
	l.mu.Unlock()
	return ListenerStat{
		Streams: n, Attached: l.attached.Load(), Resumed: l.resumed.Load(), Unknown: l.unknown.Load(), Duplicate: l.duplicate.Load(),
		Late: l.late.Load(), Denied: l.denied.Load(), Old: l.old.Load(), Unclaimed: l.unclaimed.Load(),
	}
}

// Close ends every answer and closes the server.
func (l *ResponseListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.mu.Lock()
	streams := make([]*outgoing, 0, len(l.streams))
	for _, s := range l.streams {
		streams = append(streams, s)
	}
	l.mu.Unlock()
	for _, s := range streams {
		s.fail(errDraining)
	}
	if l.ln != nil {
		_ = l.ln.Close()
	}
	_ = l.http.Close()
	<-l.done
	return nil
}

// Open registers the answer and waits until the router attaches to it.
func (l *ResponseListener) Open(ctx context.Context, env *planes.Envelope) (planes.StreamWriter, error) {
	fault := func(code planes.Code, format string, args ...any) error {
		return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "attach", Route: env.Request.Route, Reason: fmt.Sprintf(format, args...)}
	}
	var info attachInfo
	if env.Reply.Transport != ResponseTransport {
		return nil, fault(planes.CodeUnsupported, "reply over %.40q; want %s", env.Reply.Transport, ResponseTransport)
	}
	if err := json.Unmarshal([]byte(env.Reply.Info), &info); err != nil || info.Subject == "" || len(info.Subject) > 128 ||
		strings.Contains(info.Subject, "/") || len(info.Token) < 16 || len(info.Token) > 128 {
		return nil, fault(planes.CodeProtocol, "the connection info names no subject and token")
	}
	s := newOutgoing(l, info)
	if code, why := l.enlist(s); code != planes.CodeOK {
		return nil, fault(code, "%s", why)
	}
	t := time.NewTimer(l.cfg.AttachTimeout)
	defer t.Stop()
	var err error
	select {
	case <-s.attached:
		return s, nil
	case <-t.C:
		err = fault(planes.CodePeerLost, "nobody attached to the answer within %v", l.cfg.AttachTimeout)
	case <-ctx.Done():
		err = fault(planes.CodeOf(ctx.Err()), "nobody attached to the answer: %v", context.Cause(ctx))
	case <-l.closed:
		err = fault(planes.CodeDraining, "the response server was closed")
	}
	if !s.abandon() {
		return s, nil // the router came at the last moment
	}
	l.unclaimed.Add(1)
	l.remove(s)
	return nil, err
}

func (l *ResponseListener) enlist(s *outgoing) (planes.Code, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return planes.CodeDraining, "the response server was closed"
	default:
	}
	if _, over := l.gone[s.info.Subject]; over || l.streams[s.info.Subject] != nil {
		return planes.CodeProtocol, "the subject was used before"
	}
	if len(l.streams) >= l.cfg.MaxStreams {
		return planes.CodeOverloaded, fmt.Sprintf("%d answers are under way", l.cfg.MaxStreams)
	}
	l.streams[s.info.Subject] = s
	if c := l.waiting[s.info.Subject]; c != nil {
		delete(l.waiting, s.info.Subject)
		close(c)
	}
	return planes.CodeOK, ""
}

// remove forgets an answer that is over; its subject is remembered for a while.
func (l *ResponseListener) remove(s *outgoing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[s.info.Subject] != s {
		return
	}
	delete(l.streams, s.info.Subject)
	l.gone[s.info.Subject] = struct{}{}
	if l.order = append(l.order, s.info.Subject); len(l.order) > maxGone {
		delete(l.gone, l.order[0])
		l.order = l.order[1:]
	}
}
