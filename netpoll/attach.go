package netpoll

import (
	"errors"
	"net"

	"github.com/wireplane/wireplane/netpoll/internal/gnetloop"
)

// Attach hands a connected net.Conn over to the group, in every case: after an error it is closed. It returns when
// OnOpen has returned; the connection may be closed again by then. It must not be called from a handler's method.
func (g *Group) Attach(nc net.Conn, h Handler) (*Conn, error) {
	if h == nil {
		nc.Close()
		return nil, errors.New("netpoll: nil handler")
	}
	c := g.newConn(nc)
	return c, g.enrol(nc, c, h)
}

func (g *Group) newConn(nc net.Conn) *Conn {
	c := &Conn{group: g, local: ownAddr(nc.LocalAddr()), remote: ownAddr(nc.RemoteAddr()), driver: DriverNet}
	if g.loop != nil && gnetloop.Pollable(nc) {
		c.driver = DriverLoop
	}
	c.core.Init((*events)(c), &g.shared)
	return c
}

// enrol gives c to its driver. After an error nc is closed and c was never open.
func (g *Group) enrol(nc net.Conn, c *Conn, h Handler) error {
	c.handler = h
	c.producer, _ = h.(Producer)
	c.writable, _ = h.(Writable)
	e := g.net
	if c.driver == DriverLoop {
		e = g.loop
	} else if g.config.Driver == DriverLoop {
		nc.Close()
		return ErrNotPollable
	}
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		nc.Close()
		return net.ErrClosed
	}
	g.conns[c] = struct{}{}
	g.mu.Unlock()
	if err := e.Attach(nc, &c.core); err != nil {
		g.count.enrolErrors.Add(1)
		c.core.CloseWith(err)
		g.remove(c)
		return err
	}
	return nil
}

// ownAddr returns a copy of address objects that a driver may change while it takes the connection over.
func ownAddr(a net.Addr) net.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a != nil && a.Zone != "" {
			own := *a
			return &own
		}
	case *net.UnixAddr:
		if a != nil {
			own := *a
			return &own
		}
	}
	return a
}
