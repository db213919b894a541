package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Back-off between failing accepts.
const (
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
)

// Serve accepts connections from ln until ctx ends (its error), the group is shut down or closed (net.ErrClosed), or ln
// fails for good (its error). It closes ln. For each connection it calls accept, on its own goroutine and before OnOpen;
// accept returns the connection's handler or an error to close it, must not block for long, and may be called
// concurrently when several Serves share it.
//
// A failure that may pass, such as running out of file descriptors, is retried with a back-off of 5 ms to 1 s, logged
// once per episode, and costs no live connection; the end of a connection cuts the wait short. A connection that cannot be handed to a loop is closed and counted.
func (g *Group) Serve(ctx context.Context, ln net.Listener, accept func(c *Conn) (Handler, error)) error {
	defer ln.Close()
	if err := g.addListener(ln); err != nil {
		return err
	}
	defer g.removeListener(ln)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	backoff := time.Duration(0)
	for {
		nc, err := ln.Accept()
		if err == nil {
			err = g.admit(nc, accept)
		} else {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case g.isClosing():
				return net.ErrClosed
			case !passing(err):
				return err
			}
			g.count.acceptErrors.Add(1)
		}
		switch {
		case err != nil:
			if backoff == 0 {
				g.config.Logger.Warn("accept failed, backing off", "listener", addrString(ln.Addr()), "err", err)
			}
			backoff = g.pause(ctx, min(max(2*backoff, acceptBackoffMin), acceptBackoffMax))
		case backoff > 0:
			g.config.Logger.Info("accepting again", "listener", addrString(ln.Addr()))
			backoff = 0
		}
	}
}

// admit takes one accepted connection in or closes it. It returns an error only if the system lacked what may come back,
// so that the next connections had better wait in the kernel's queue.
func (g *Group) admit(nc net.Conn, accept func(c *Conn) (Handler, error)) error {
	if max := g.config.MaxConns; max > 0 {
		g.mu.Lock()
		full := len(g.conns) >= max
		g.mu.Unlock()
		if full {
			g.count.refused.Add(1)
			nc.Close()
			return nil
		}
	}
	c := g.newConn(nc)
	h, err := g.callAccept(c, accept)
	if err != nil {
		g.count.rejected.Add(1)
		c.core.CloseWith(err)
		nc.Close()
		return nil
	}
	g.count.accepted.Add(1) // before its handler can look
	if err := g.enrol(nc, c, h); err != nil && passing(err) {
		return err
	}
	return nil
}

// callAccept contains panics of the accept function.
func (g *Group) callAccept(c *Conn, accept func(c *Conn) (Handler, error)) (h Handler, err error) {
	defer func() {
		if v := recover(); v != nil {
			g.count.panics.Add(1)
			g.config.Logger.Error("accept function panicked", "peer", addrString(c.remote), "panic", v)
			err = fmt.Errorf("netpoll: accept function panicked: %v", v)
		}
	}()
	h, err = accept(c)
	if h == nil && err == nil {
		err = errors.New("netpoll: accept function returned no handler")
	}
	return h, err
}

// passing reports whether an accept error may go away by itself.
func passing(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EAGAIN, syscall.EINTR,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// pause waits for d, less if ctx ends or the group closes. When a connection ends meanwhile it waits only the shortest
// back-off more, in which its descriptor is closed. It returns the back-off that the next one is to double.
func (g *Group) pause(ctx context.Context, d time.Duration) time.Duration {
	timer := time.NewTimer(d)
	defer timer.Stop()
	freed := g.freed
	for {
		select {
		case <-freed:
			freed = nil
			d = acceptBackoffMin
			timer.Reset(d)
		case <-timer.C:
			return d
		case <-ctx.Done():
			return d
		case <-g.done:
			return d
		}
	}
}

func (g *Group) addListener(ln net.Listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return net.ErrClosed
	}
	g.listeners[ln] = struct{}{}
	return nil
}

func (g *Group) removeListener(ln net.Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.listeners, ln)
}

func (g *Group) isClosing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closing
}
