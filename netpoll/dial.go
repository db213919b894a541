package netpoll

import (
	"context"
	"errors"
	"net"
)

// Dial connects and hands the connection to the group. ctx bounds the connecting only. It returns when OnOpen has
// returned and must not be called from a handler's method: it waits for a loop.
func (g *Group) Dial(ctx context.Context, network, addr string, h Handler) (*Conn, error) {
	if h == nil {
		return nil, errors.New("netpoll: nil handler")
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c, err := g.Attach(nc, h)
	if err != nil {
		return nil, err
	}
	g.count.dialled.Add(1)
	return c, nil
}
