package netpoll

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll/internal/core"
	"github.com/wireplane/wireplane/netpoll/internal/gnetloop"
	"github.com/wireplane/wireplane/netpoll/internal/netloop"
)

// engine is a driver: it takes a connected net.Conn over, blocking until the open event was delivered. When it fails it
// has closed the net.Conn and delivered no event.
type engine interface {
	Attach(nc net.Conn, c *core.Conn) error
	// Stop ends the driver; every connection has ended before.
	Stop()
}

// Group is a set of loops and the connections on them, accepted, dialled or attached. It is made by [New] and must be
// ended by Shutdown or Close. All methods are safe for concurrent use; those that wait must not be called by a handler.
type Group struct {
	config Config
	shared core.Shared
	count  counters
	loop   engine // nil without an event loop
	net    engine

	mu        sync.Mutex
	conns     map[*Conn]struct{}
	listeners map[net.Listener]struct{}
	closing   bool          // no new connection
	empty     chan struct{} // closed when closing and no connection is left; made when closing begins

	done     chan struct{} // closed when closing begins
	freed    chan struct{} // a token when a connection ended, for a Serve that waits for descriptors
	stopOnce sync.Once
	watch    chan struct{} // closed to stop the watchdog
	watched  sync.WaitGroup
}

// New starts the loops. It fails if config is invalid (see Config.Validate) or the loops cannot be started.
func New(config Config) (*Group, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	g := &Group{
		config:    config.withDefaults(),
		conns:     make(map[*Conn]struct{}),
		listeners: make(map[net.Listener]struct{}),
		done:      make(chan struct{}),
		freed:     make(chan struct{}, 1),
		watch:     make(chan struct{}),
	}
	g.shared.Limits = core.Limits{
		MaxUnread: g.config.MaxUnreadBytes,
		HighWater: g.config.HighWaterBytes,
		LowWater:  g.config.LowWaterBytes,
		MaxQueue:  g.config.MaxQueueBytes,
	}
	if err := g.startEngines(); err != nil {
		return nil, err
	}
	g.startWatchdog()
	return g, nil
}

func (g *Group) startEngines() error {
	netRead, loopRead := g.config.ReadBufferBytes, g.config.ReadBufferBytes
	if netRead == 0 {
		netRead, loopRead = DefaultNetReadBytes, DefaultReadBufferBytes
	}
	g.net = netloop.New(netRead)
	if g.config.Driver == DriverNet || (g.config.Driver == DriverAuto && !gnetloop.Supported) {
		return nil
	}
	loop, err := gnetloop.New(g.config.Loops, loopRead, g.config.Logger)
	if err != nil {
		return err
	}
	g.loop = loop
	return nil
}

// startWatchdog starts the goroutine that advances the clock and looks at every connection once a tick.
func (g *Group) startWatchdog() {
	tick := g.config.tick()
	g.shared.IdleTicks = ticks(g.config.IdleTimeout, tick)
	g.shared.StallTicks = ticks(g.config.WriteTimeout, tick)
	g.shared.DrainTicks = g.shared.StallTicks
	if g.shared.DrainTicks == 0 {
		g.shared.DrainTicks = ticks(drainTimeoutWithoutWatch, tick)
	}
	g.watched.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		var batch []*Conn
		for {
			select {
			case <-g.watch:
				return
			case <-ticker.C:
			}
			now := g.shared.Now.Add(1)
			batch = g.snapshot(batch[:0])
			for _, c := range batch {
				c.core.Tick(now)
			}
			clear(batch)
		}
	})
}

// snapshot appends the open connections to dst.
func (g *Group) snapshot(dst []*Conn) []*Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		dst = append(dst, c)
	}
	return dst
}

// remove forgets a connection that has ended.
func (g *Group) remove(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	g.signalEmptyLocked()
	select {
	case g.freed <- struct{}{}:
	default:
	}
}

func (g *Group) signalEmptyLocked() {
	if g.closing && len(g.conns) == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Shutdown stops accepting, lets every connection flush as by CloseAfterFlush(net.ErrClosed) and waits until each had its
// OnClose; then the loops stop. When ctx ends first it does what Close does and returns ctx's error.
func (g *Group) Shutdown(ctx context.Context) error {
	empty := g.beginClose()
	for _, c := range g.snapshot(nil) {
		c.CloseAfterFlush(net.ErrClosed)
	}
	select {
	case <-empty:
		g.stop()
		return nil
	case <-ctx.Done():
		g.Close()
		return ctx.Err()
	}
}

// Close closes listeners and connections at once, waits until each connection had its OnClose, and stops the loops. The
// result is always nil.
func (g *Group) Close() error {
	empty := g.beginClose()
	for _, c := range g.snapshot(nil) {
		c.Close()
	}
	<-empty
	g.stop()
	return nil
}

// beginClose refuses new connections and returns a channel that is closed when none is left.
func (g *Group) beginClose() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closing {
		g.closing = true
		close(g.done)
		for ln := range g.listeners {
			ln.Close()
		}
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.signalEmptyLocked()
	return empty
}

func (g *Group) stop() {
	g.stopOnce.Do(func() {
		close(g.watch)
		g.watched.Wait()
		if g.loop != nil {
			g.loop.Stop()
		}
		g.net.Stop()
	})
}

func (g *Group) handlerPanicked(c *Conn, p *PanicError) {
	g.count.panics.Add(1)
	g.config.Logger.Error("handler panicked", "peer", addrString(c.remote), "panic", p.Value, "stack", string(p.Stack))
}

func addrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
