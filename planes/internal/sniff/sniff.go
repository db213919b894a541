package sniff

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// Max is the most bytes that Peek looks at.
const Max = 64

// Peek waits for the first n bytes of nc, at most Max, and returns a copy of them with
// the connection to use from then on: nc itself where the bytes could stay where they
// are, else one that gives them again. It waits until ctx ends, for which it sets the
// read deadline of nc, and removes it at the end. On error the bytes that came until
// then are returned; a peer that closes before it has sent one is io.EOF. One that
// closes after fewer than n may be noticed only when ctx ends. nc is never closed.
func Peek(ctx context.Context, nc net.Conn, n int) ([]byte, net.Conn, error) {
	if n < 1 || n > Max {
		return nil, nc, fmt.Errorf("sniff: %d bytes; want 1 to %d", n, Max)
	}
	if err := ctx.Err(); err != nil {
		return nil, nc, err
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = nc.SetReadDeadline(time.Unix(1, 0)) // whatever waits returns
		close(stopped)
	})
	b, out, err := peek(nc, n)
	if !stop() {
		<-stopped
		if err != nil {
			err = ctx.Err()
		}
	}
	if e := nc.SetReadDeadline(time.Time{}); e != nil && err == nil {
		err = e
	}
	return b, out, err
}

// read is the portable way: the bytes are taken and given again.
func read(nc net.Conn, n int) ([]byte, net.Conn, error) {
	b := make([]byte, n)
	m, err := io.ReadFull(nc, b)
	b = b[:m]
	if m == 0 {
		return nil, nc, err
	}
	return b[:m:m], &again{Conn: nc, front: append([]byte(nil), b...)}, err
}

// again is a connection whose first bytes were read already.
type again struct {
	net.Conn
	front []byte
}

// Read gives the bytes in front first.
func (a *again) Read(p []byte) (int, error) {
	if len(a.front) > 0 {
		n := copy(p, a.front)
		a.front = a.front[n:]
		return n, nil
	}
	return a.Conn.Read(p)
}
