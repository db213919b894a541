package callhome

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// chunk is what is written at once: what is taken of it counts as progress.
const chunk = 256 << 10

var errStalled = errors.New("callhome: the router takes nothing")

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

// write writes b, of which the router must take some within each StallTimeout.
func (c *conn) write(b []byte) error {
	for len(b) > 0 {
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.d.cfg.StallTimeout))
		n, err := c.nc.Write(b[:min(len(b), chunk)])
		b = b[n:]
		switch late := errors.Is(err, os.ErrDeadlineExceeded); {
		case late && n == 0:
			return fmt.Errorf("%w for %v", errStalled, c.d.cfg.StallTimeout)
		case err != nil && !late:
			return err
		}
	}
	return nil
}

// lost ends the connection, and the response on it unless that is complete.
func (c *conn) lost(err error) {
	c.mu.Lock()
	w := c.cur
	c.cur = nil
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.nc.Close() // after it, so that the reason is not that the reader found it closed
	c.d.mu.Lock()
	delete(c.d.conns, c)
	c.d.mu.Unlock()
	if w != nil {
		w.connLost(c, err)
	}
}
