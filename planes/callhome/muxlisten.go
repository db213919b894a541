package callhome

import (
	"context"
	"net"
	"slices"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// maxPerInstance bounds the live connections of one instance that are kept. A worker
// has one; a second is a new one beside one whose loss is not known yet, or that of
// somebody who claims the id.
const maxPerInstance = 4

// muxPeers is the multiplexed connections of workers, and the answers that look for
// one, by instance. Listener.mu guards it.
type muxPeers struct {
	group   *netpoll.Group // nil until it is needed
	owned   bool
	clients map[uint64][]*muxClient // newest last
	seekers map[uint64]map[*pending]struct{}
	n       int
	ever    uint64
}

// muxClient is a connection of a worker, with the worker's address.
type muxClient struct {
	*tcpplane.Client
	peer string
}

// muxed serves a multiplexed connection of a worker until it is gone.
func (l *Listener) muxed(key, nc net.Conn) {
	defer l.drop(key)
	g, err := l.loops()
	if err != nil {
		l.reject(key, "mux", err.Error())
		_ = nc.Close()
		return
	}
	lim := tcpplane.Limits{MaxMessageBytes: min(max(l.cfg.MaxItemBytes, 16<<10), 1<<30)}
	if lim.MaxMessageBytes > 32<<20 {
		lim.BudgetBytes = 2 * lim.MaxMessageBytes
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.HandshakeTimeout)
	accepted, err := tcpplane.AcceptClient(ctx, nc, tcpplane.ClientConfig{Group: g, Limits: lim, DialTimeout: l.cfg.HandshakeTimeout, Logger: l.cfg.Logger})
	cancel()
	if err != nil {
		if l.ctx.Err() == nil {
			l.reject(key, "handshake", err.Error())
		}
		return
	}
	c := &muxClient{accepted, key.RemoteAddr().String()}
	defer func() { _ = c.Close() }()
	id, _ := c.Peer()
	if id == 0 {
		l.reject(key, "handshake", "a multiplexed connection of a worker that announces no instance")
		return
	}
	l.join(id, c)
	select {
	case <-c.Done():
	case <-l.ctx.Done():
	}
	l.leave(id, c)
}

func (l *Listener) loops() (*netpoll.Group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers.group == nil {
		if l.closed {
			return nil, net.ErrClosed
		}
		g, err := netpoll.New(netpoll.Config{Logger: l.cfg.Logger})
		if err != nil {
			return nil, err
		}
		l.peers.group, l.peers.owned = g, true
	}
	return l.peers.group, nil
}

// join makes c the connection of an instance, and wakes the answers that look for one.
func (l *Listener) join(id uint64, c *muxClient) {
	l.mu.Lock()
	p := &l.peers
	var old *muxClient
	all := append(p.clients[id], c)
	if len(all) > maxPerInstance {
		old, all = all[0], slices.Clone(all[1:])
	}
	p.clients[id] = all
	p.n++
	p.ever++
	for x := range p.seekers[id] {
		x.changed()
	}
	l.mu.Unlock()
	if old != nil {
		_ = old.Close() // its goroutine takes the rest
	}
}

func (l *Listener) leave(id uint64, c *muxClient) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.peers
	p.n--
	all := slices.DeleteFunc(slices.Clone(p.clients[id]), func(x *muxClient) bool { return x == c })
	if p.clients[id] = all; len(all) == 0 {
		delete(p.clients, id)
	}
}

// client returns the newest live connection of an instance, or nil.
func (l *Listener) client(id uint64) *muxClient {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range slices.Backward(l.peers.clients[id]) {
		select {
		case <-c.Done():
		default:
			return c
		}
	}
	return nil
}

// seek adds p to those who are told of new connections of its instance; the function
// takes it out.
func (l *Listener) seek(p *pending) func() {
	id := p.x.Instance
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers.seekers[id] == nil {
		l.peers.seekers[id] = map[*pending]struct{}{}
	}
	l.peers.seekers[id][p] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.peers.seekers[id], p)
		if len(l.peers.seekers[id]) == 0 {
			delete(l.peers.seekers, id)
		}
	}
}

// changed tells p that its instance has a new connection.
func (p *pending) changed() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
