package natsplane

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// ConnConfig says how to reach NATS. The zero value is a server on this machine without
// authentication.
type ConnConfig struct {
	// URL is one server or several with commas between them, as
	// "nats://host:4222" or "tls://host:4222"; "" means nats://localhost:4222.
	URL string
	// Name is what the servers show for this connection; "" means wireplane.
	Name string
	// User and Password authenticate; both "" means by none of the two.
	User, Password string
	// Token authenticates; "" means by no token.
	Token string
	// NKeySeed is the seed of an nkey ("SU..."); "" means by no nkey.
	NKeySeed string
	// CredsFile is the path of a credentials file; "" means by none.
	CredsFile string
	// TLS is used where a server asks for it, and required if it is set; nil means
	// the system's roots for tls:// and none otherwise.
	TLS *tls.Config
	// DialTimeout bounds one attempt to connect; 0 means 2 s.
	DialTimeout time.Duration
	// ReconnectWait is the pause between attempts at one server, with up to half of it
	// added at random; 0 means 500 ms. Attempts never end.
	ReconnectWait time.Duration
	// WriteTimeout bounds how long a server that reads nothing can hold up a sender;
	// 0 means 10 s. The connection is then made anew.
	WriteTimeout time.Duration
	// Lazy makes Dial return at once and connect in the background; false means that
	// Dial fails if no server can be reached.
	Lazy bool
	// Logger hears of lost and regained connections; nil discards.
	Logger *slog.Logger
}

// Validate reports every mistake of c at once.
func (c *ConnConfig) Validate() error {
	var errs []error
	for _, u := range strings.Split(c.url(), ",") {
		if u = strings.TrimSpace(u); !strings.HasPrefix(u, "nats://") && !strings.HasPrefix(u, "tls://") {
			errs = append(errs, fmt.Errorf("natsplane: URL %.300q; want nats://host:port or tls://host:port", u))
		}
	}
	var ways []string
	for _, w := range []struct {
		name string
		set  bool
	}{
		{"User and Password", c.User != "" || c.Password != ""}, {"Token", c.Token != ""},
		{"NKeySeed", c.NKeySeed != ""}, {"CredsFile", c.CredsFile != ""},
	} {
		if w.set {
			ways = append(ways, w.name)
		}
	}
	if len(ways) > 1 {
		errs = append(errs, fmt.Errorf("natsplane: %s are set; want one way to authenticate", strings.Join(ways, ", ")))
	}
	if c.Password != "" && c.User == "" {
		errs = append(errs, errors.New("natsplane: Password without User; want both"))
	}
	if c.NKeySeed != "" {
		if _, err := nkeys.FromSeed([]byte(c.NKeySeed)); err != nil {
			errs = append(errs, fmt.Errorf("natsplane: NKeySeed: %w; want a seed as nk prints it", err))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"DialTimeout", c.DialTimeout}, {"ReconnectWait", c.ReconnectWait}, {"WriteTimeout", c.WriteTimeout}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("natsplane: %s %v; want 0 for the default, or more", d.name, d.value))
		}
	}
	return errors.Join(errs...)
}

func (c *ConnConfig) url() string {
	if c.URL == "" {
		return nats.DefaultURL
	}
	return c.URL
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Conn is one connection to the NATS servers that comes back: after a server is gone,
// and also after a server has closed it for good, as a server does to whoever publishes
// more than a limit that was lowered meanwhile. Nothing is kept for later while it is
// away. All methods are safe for concurrent use.
type Conn struct {
	cfg  ConnConfig
	opts []nats.Option
	log  *slog.Logger

	mu      sync.Mutex
	nc      *nats.Conn // nil until the first connection
	up      map[*Server]struct{}
	closing bool
	redials int
	lost    chan struct{} // closed, and replaced, when the connection is lost
	stop    chan struct{} // closed by Close
	loops   sync.WaitGroup
}

// Dial connects to NATS. The caller closes the Conn after the clients and servers that
// use it. An error is final: nothing goes on in the background.
func Dial(cfg ConnConfig) (*Conn, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Conn{cfg: cfg, log: orDefault(cfg.Logger, slog.New(slog.DiscardHandler)),
		up: make(map[*Server]struct{}), stop: make(chan struct{}), lost: make(chan struct{})}
	c.opts = c.options()
	if cfg.Lazy {
		c.loops.Go(c.redial)
		return c, nil
	}
	if _, err := c.connect(); err != nil {
		close(c.stop)
		return nil, fmt.Errorf("natsplane: connect to %s: %w", cfg.redacted(), err)
	}
	return c, nil
}

// redacted is the URL without what may stand before an @.
func (c *ConnConfig) redacted() string {
	urls := strings.Split(c.url(), ",")
	for i, u := range urls {
		scheme, rest, _ := strings.Cut(u, "://")
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = "***" + rest[at:]
		}
		urls[i] = scheme + "://" + rest
	}
	return strings.Join(urls, ",")
}

func (c *Conn) options() []nats.Option {
	cfg := c.cfg
	wait := orDefault(cfg.ReconnectWait, 500*time.Millisecond)
	opts := []nats.Option{
		nats.Name(orDefault(cfg.Name, "wireplane")),
		nats.Timeout(orDefault(cfg.DialTimeout, 2*time.Second)),
		nats.MaxReconnects(-1), nats.ReconnectWait(wait), nats.ReconnectJitter(wait/2, wait/2),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails now
		nats.FlusherTimeout(orDefault(cfg.WriteTimeout, 10*time.Second)), nats.ReconnectOnFlusherError(),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.wake()
			if err != nil {
				c.log.Warn("NATS connection lost", "url", cfg.redacted(), "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.log.Info("NATS connection is back", "server", nc.ConnectedServerName(), "max_payload", nc.MaxPayload())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			c.log.Warn("NATS error", "subject", subject, "err", err)
		}),
		nats.ClosedHandler(c.closed),
	}
	switch {
	case cfg.User != "":
		opts = append(opts, nats.UserInfo(cfg.User, cfg.Password))
	case cfg.Token != "":
		opts = append(opts, nats.Token(cfg.Token))
	case cfg.CredsFile != "":
		opts = append(opts, nats.UserCredentials(cfg.CredsFile))
	case cfg.NKeySeed != "":
		pair, _ := nkeys.FromSeed([]byte(cfg.NKeySeed)) // Validate has seen to it
		public, _ := pair.PublicKey()
		opts = append(opts, nats.Nkey(public, pair.Sign))
	}
	if cfg.TLS != nil {
		opts = append(opts, nats.Secure(cfg.TLS.Clone()))
	}
	return opts
}

// wake ends the waits for replies, which nats.go leaves to time out.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.lost)
	c.lost = make(chan struct{})
}

// connect makes one attempt and tells the servers of a connection that is new.
func (c *Conn) connect() (*nats.Conn, error) {
	nc, err := nats.Connect(c.cfg.url(), c.opts...)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		nc.Close()
		return nil, nats.ErrConnectionClosed
	}
	c.nc = nc
	servers := make([]*Server, 0, len(c.up))
	for s := range c.up {
		servers = append(servers, s)
	}
	c.mu.Unlock()
	for _, s := range servers {
		s.rebind(nc)
	}
	return nc, nil
}

// closed runs when a connection is gone for good. nats.go gives up where a server says
// -ERR; what is wrong with one request must not end all others.
func (c *Conn) closed(nc *nats.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || nc != c.nc {
		return
	}
	c.log.Warn("NATS closed the connection; connecting anew", "url", c.cfg.redacted(), "err", nc.LastError())
	c.redials++
	c.loops.Go(c.redial)
}

func (c *Conn) redial() {
	wait := orDefault(c.cfg.ReconnectWait, 500*time.Millisecond)
	for first := true; ; first = false {
		pause := wait + rand.N(wait/2+1)
		if first {
			pause = rand.N(wait/10 + 1)
		}
		timer := time.NewTimer(pause)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		nc, err := c.connect()
		if err == nil {
			c.log.Info("NATS connected", "server", nc.ConnectedServerName(), "max_payload", nc.MaxPayload())
			return
		}
		c.log.Warn("NATS does not answer", "url", c.cfg.redacted(), "err", err)
	}
}

// lostSignal returns a channel that is closed when the present connection is lost.
func (c *Conn) lostSignal() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// current returns the connection if it can be used now.
func (c *Conn) current() (*nats.Conn, error) {
	c.mu.Lock()
	nc, closing := c.nc, c.closing
	c.mu.Unlock()
	switch {
	case closing:
		return nil, nats.ErrConnectionClosed
	case nc == nil:
		return nil, nats.ErrDisconnected
	case nc.Status() == nats.CLOSED:
		return nil, nats.ErrDisconnected
	case nc.Status() != nats.CONNECTED:
		return nil, nats.ErrConnectionReconnecting
	}
	return nc, nil
}

// MaxPayload returns the largest message in bytes that the server takes, headers
// included, as it said when the connection was made; 0 before the first connection.
func (c *Conn) MaxPayload() int64 {
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	if nc == nil {
		return 0
	}
	return nc.MaxPayload()
}

// Connected reports whether requests can be sent now.
func (c *Conn) Connected() bool {
	_, err := c.current()
	return err == nil
}

// ConnStat counts since Dial.
type ConnStat struct {
	Connected  bool
	Reconnects uint64 // of the present connection, after it was lost
	Redials    int    // after a server closed the connection for good
}

// Stat returns the counters.
func (c *Conn) Stat() ConnStat {
	c.mu.Lock()
	st, nc := ConnStat{Redials: c.redials}, c.nc
	c.mu.Unlock()
	if nc != nil {
		st.Connected = nc.Status() == nats.CONNECTED
		st.Reconnects = nc.Stats().Reconnects
	}
	return st
}

// Close ends the connection and what waits on it. It may be called more than once.
func (c *Conn) Close() error {
	c.mu.Lock()
	nc, first := c.nc, !c.closing
	c.closing = true
	if first {
		close(c.stop)
	}
	c.mu.Unlock()
	if nc != nil {
		nc.Close()
	}
	c.loops.Wait()
	return nil
}
