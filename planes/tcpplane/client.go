package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// ClientConfig configures a Client. Every field but Addr has a usable zero value.
type ClientConfig struct {
	// Addr is the server's "host:port".
	Addr string
	// Group runs the connections; nil makes one with defaults, which the client
	// then closes. A given group stays open.
	Group *netpoll.Group
	// Conns is the number of connections that calls are spread over; 0 means 1,
	// which is the fastest for one server because calls share writes.
	Conns int
	// DialTimeout bounds the dial and the handshake together; 0 means 5 s.
	DialTimeout time.Duration
	// Limits bounds each connection.
	Limits Limits
	// Instance and Epoch are announced to the server; 0 says nothing.
	Instance, Epoch uint64
	// Logger gets one line per connection that ends with a fault; nil discards.
	Logger *slog.Logger
}

// Validate reports all wrong fields at once.
func (c ClientConfig) Validate() error {
	var errs []error
	if c.Addr == "" {
		errs = append(errs, errors.New(`tcpplane: ClientConfig.Addr is empty; want "host:port"`))
	}
	if c.Conns < 0 || c.Conns > 1024 {
		errs = append(errs, fmt.Errorf("tcpplane: ClientConfig.Conns is %d; want 0 for 1, or up to 1024", c.Conns))
	}
	if c.DialTimeout < 0 {
		errs = append(errs, fmt.Errorf("tcpplane: ClientConfig.DialTimeout is %v; want 0 for 5 s, or more", c.DialTimeout))
	}
	return errors.Join(append(errs, c.Limits.Validate())...)
}

// Client calls the routes of one server. It dials when it is first used and again
// whenever a connection is lost. All methods are safe for concurrent use.
type Client struct {
	cfg   ClientConfig
	conns *configs
	group *netpoll.Group
	owned bool
	log   *slog.Logger
	slots []slot
	turn  atomic.Uint32

	accepted bool  // the peer has dialled: nothing is dialled here
	only     *link // the connection then

	mu     sync.Mutex
	links  map[*link]struct{}
	past   mux.Stats
	closed bool
	dials  sync.WaitGroup

	dialing  context.Context //nolint:containedctx // of all dials, which belong to no caller
	endDials context.CancelFunc
}

// slot is the place of one connection. Callers read link; dialing is for the one
// who makes a new one, and those who wait for it.
type slot struct {
	link    atomic.Pointer[link]
	mu      sync.Mutex
	dialing *dialing
}

// dialing is one dial under way, shared by everybody who wants the slot.
type dialing struct {
	done chan struct{}
	link *link
	err  error
}

// ErrClientClosed is the cause of calls on a client that was closed.
var ErrClientClosed = errors.New("tcpplane: client closed")

// NewClient returns a Client. It does no I/O beyond starting the loops of its group.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Conns == 0 {
		cfg.Conns = 1
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 5 * time.Second
	}
	c := &Client{cfg: cfg, group: cfg.Group, log: cfg.Logger, slots: make([]slot, cfg.Conns), links: make(map[*link]struct{})}
	c.conns = cfg.Limits.configs(mux.Dialer, cfg.Instance, cfg.Epoch)
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.group == nil {
		g, err := netpoll.New(netpoll.Config{Logger: cfg.Logger})
		if err != nil {
			return nil, fmt.Errorf("tcpplane: start the loops: %w", err)
		}
		c.group, c.owned = g, true
	}
	c.dialing, c.endDials = context.WithCancel(context.Background())
	return c, nil
}

// slot returns the slot whose turn it is.
func (c *Client) slot() *slot {
	if len(c.slots) == 1 {
		return &c.slots[0]
	}
	return &c.slots[c.turn.Add(1)%uint32(len(c.slots))] // unsigned: it wraps
}

// dialSlot waits for a dial of the slot that is under way, or starts one. The dial
// belongs to nobody in particular: a caller that gives up does not end it.
func (c *Client) dialSlot(ctx context.Context, s *slot) (*link, error) {
	s.mu.Lock()
	if l := s.link.Load(); l != nil {
		s.mu.Unlock()
		return l, nil
	}
	if c.accepted {
		s.mu.Unlock()
		return nil, errNoRedial
	}
	d := s.dialing
	if d == nil {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			s.mu.Unlock()
			return nil, ErrClientClosed
		}
		c.dials.Add(1)
		c.mu.Unlock()
		d = &dialing{done: make(chan struct{})}
		s.dialing = d
		go c.dial(s, d)
	}
	s.mu.Unlock()
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) dial(s *slot, d *dialing) {
	defer c.dials.Done()
	ctx, cancel := context.WithTimeout(c.dialing, c.cfg.DialTimeout)
	defer cancel()
	d.link, d.err = c.dialLink(ctx)
	if d.err != nil && c.dialing.Err() != nil {
		d.err = ErrClientClosed
	}
	s.mu.Lock()
	if d.err == nil {
		s.link.Store(d.link)
		d.link.mu.Lock()
		lost := d.link.sess.Closing()
		d.link.mu.Unlock()
		if lost {
			s.link.CompareAndSwap(d.link, nil)
		}
	}
	s.dialing = nil
	s.mu.Unlock()
	close(d.done)
}

// dialLink dials and waits until both sides have said HELLO.
func (c *Client) dialLink(ctx context.Context) (*link, error) {
	l := newLink(c, mux.Dialer, c.log)
	if _, err := c.group.Dial(ctx, "tcp", c.cfg.Addr, l); err != nil {
		return nil, err
	}
	if err := l.awaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("tcpplane: handshake with %s: %w", c.cfg.Addr, err)
		}
		return nil, err
	}
	return l, nil
}

func (c *Client) config() *configs { return c.conns }

// opened notes a connection.
func (c *Client) opened(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links[l] = struct{}{}
}

// retire takes a connection out of its slot, so that the next call dials.
func (c *Client) retire(l *link) {
	for i := range c.slots {
		c.slots[i].link.CompareAndSwap(l, nil)
	}
}

// closedLink forgets a connection, and logs once if it ended by a fault.
func (c *Client) closedLink(l *link, why *mux.ConnError) {
	c.retire(l)
	st := l.stats()
	c.mu.Lock()
	delete(c.links, l)
	c.past = addStats(c.past, st)
	c.mu.Unlock()
	if why.Code != planes.CodeTransport && why.Code != planes.CodeDraining && why != errClientClosed {
		c.log.Warn("connection ended by a fault", "peer", c.cfg.Addr, "code", why.Code.String(), "origin", why.Origin.String(), "reason", why.Reason)
	}
}

// stop refuses new dials and returns the connections that are open.
func (c *Client) stop() []*link {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.endDials()
	c.dials.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
		c.retire(l)
	}
	return links
}

var errClientClosed = &mux.ConnError{Code: planes.CodeCancelled, Reason: "the client was closed", Err: ErrClientClosed}

// Close ends all calls and closes all connections.
func (c *Client) Close() error {
	links := c.stop()
	for _, l := range links {
		l.close(errClientClosed)
	}
	for _, l := range links {
		<-l.gone()
	}
	if !c.owned {
		return nil
	}
	return c.group.Close()
}

// Shutdown lets the calls that run finish, refuses new ones and closes. When ctx
// ends first, what is left is cancelled and ctx's error is returned.
func (c *Client) Shutdown(ctx context.Context) error {
	var err error
	for _, l := range c.stop() {
		if e := l.waitIdle(ctx); e != nil {
			err = e
		}
	}
	return errors.Join(err, c.Close())
}

// Stats returns the client's counters.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
	}
	past := c.past
	c.mu.Unlock()
	return total(past, links)
}

// GroupStat returns the counters of the group that runs the client's connections.
func (c *Client) GroupStat() netpoll.Stat { return c.group.Stat() }

// GroupStat returns the counters of the group that runs the server's connections.
func (s *Server) GroupStat() netpoll.Stat { return s.group.Stat() }
