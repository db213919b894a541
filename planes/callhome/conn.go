package callhome

import (
	"net"
	"sync"
)

// conn is a connection that the worker dialled, with the response that has it now.
// Its reader runs as long as the connection does: while it is idle, too, so that a
// close by the router is known before the connection is used again.
type conn struct {
	d  *Dialer
	nc net.Conn
	fr frames

	mu  sync.Mutex
	cur *writer
	err error
}

func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// lend makes the connection w's.
func (c *conn) lend(w *writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.cur = w
	}
	return c.err
}

// read takes the router's control frames.
func (c *conn) read() {
	for {
		header, body, err := c.fr.next(c.nc)
		if err == nil {
			c.mu.Lock()
			w := c.cur
			c.mu.Unlock()
			if w == nil {
				err = errFrame // nothing is due on an idle connection
			} else {
				err = w.control(c, header, body)
			}
		}
		if err != nil {
			c.lost(err)
			return
		}
	}
}

// lost ends the connection, and the response on it unless that is complete.
func (c *conn) lost(err error) {
	_ = c.nc.Close()
	c.mu.Lock()
	w := c.cur
	c.cur = nil
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.d.mu.Lock()
	delete(c.d.conns, c)
	c.d.mu.Unlock()
	if w != nil {
		w.connLost(c, err)
	}
}
