package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// Who dials need not be who calls: a connection is the same in both directions once
// the HELLOs are in. AcceptClient calls over a connection that the peer dialled, and
// Server.Dial serves the peer at an address.

var errNoRedial = errors.New("tcpplane: the peer dialled this connection, which is gone")

// AcceptClient returns a Client that calls the peer which dialled nc, after the
// handshake with it, for which it waits until ctx or cfg.DialTimeout ends. It owns nc
// in every case. When the connection is lost, all further calls fail with
// CodeTransport: only the peer can dial again. cfg.Addr is for errors, "" being the
// peer's address, and cfg.Conns is not used.
func AcceptClient(ctx context.Context, nc net.Conn, cfg ClientConfig) (*Client, error) {
	if cfg.Addr == "" {
		cfg.Addr = nc.RemoteAddr().String()
	}
	cfg.Conns = 1
	c, err := NewClient(cfg)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	c.accepted = true
	c.conns = cfg.Limits.configs(mux.Accepter, cfg.Instance, cfg.Epoch)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	l := newLink(c, mux.Dialer, c.log) // which calls, as a dialler does
	c.slots[0].link.Store(l)
	c.only = l
	if _, err = c.group.Attach(nc, l); err == nil {
		err = l.awaitReady(ctx)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("tcpplane: handshake with %s: %w", cfg.Addr, err)
	}
	return c, nil
}

// Done returns a channel that is closed when the connection of a Client of
// AcceptClient is gone and its calls are told. It is nil for other clients.
func (c *Client) Done() <-chan struct{} {
	if c.only == nil {
		return nil
	}
	return c.only.gone()
}

// Peer returns what the server has announced on the connection of a Client of
// AcceptClient, and zeros for other clients.
func (c *Client) Peer() (instance, epoch uint64) {
	if c.only == nil {
		return 0, 0
	}
	c.only.mu.Lock()
	defer c.only.mu.Unlock()
	p := c.only.sess.Peer()
	return p.Instance, p.Epoch
}

// Dial serves the routes to the peer at addr, "host:port", over a connection that it
// makes. It returns after the handshake, for which it waits until ctx ends, at most
// 5 s. The channel is closed when the connection is gone; nothing dials again.
func (s *Server) Dial(ctx context.Context, addr string) (<-chan struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l := newLink(s, mux.Dialer, s.log)
	l.own = s.cfg.Limits.configs(mux.Dialer, s.cfg.Instance, s.cfg.Epoch)
	_, err := s.group.Dial(ctx, "tcp", addr, l)
	if err == nil {
		err = l.awaitReady(ctx)
	}
	if err != nil {
		e := refused(err, "dial", "", addr)
		e.Scope = planes.ScopeConnection
		if ctx.Err() != nil {
			e.Code, e.Err = planes.CodeOf(ctx.Err()), ctx.Err()
		}
		return nil, e
	}
	return l.gone(), nil
}

// awaitReady waits until both sides have said HELLO, and closes the connection if
// that does not happen before ctx ends.
func (l *link) awaitReady(ctx context.Context) error {
	select {
	case <-l.ready:
	case <-ctx.Done():
		l.close(&mux.ConnError{Code: planes.CodeTransport, Reason: "no HELLO in time"})
		<-l.gone()
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.sess.Err(); e != nil {
		return e
	}
	return nil
}
