package rawfloor

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// waitMillis bounds a wait of the client, so that it notices the end of the
// measurement when no answer comes any more.
const waitMillis = 50

// Client is the client side of the floor: one thread that keeps a fixed number of
// requests in flight by sending as many new ones as answers came with each read.
// Except for Syscalls it belongs to one goroutine.
type Client struct {
	shape    Shape
	poll     *poller
	conns    []*clientConn
	byFD     [maxConns]*clientConn
	requests []byte // as many requests as one connection has in flight
	size     int    // bytes of one request
	answer   int    // frames of one answer
	base     time.Time
	made     int64 // reads and writes so far
	calls    atomic.Int64
}

// clientConn is one connection of the client.
type clientConn struct {
	fd       int
	inflight int
	buf      []byte
	have     int
	frames   int // frames of an answer that is not complete yet
	unsent   int // bytes of requests that the kernel has not taken
	waiting  bool
	batches  []batch // ring, oldest at head
	head     int
	count    int
}

// batch is a number of requests that were sent at the same moment.
type batch struct {
	n  int
	at time.Duration
}

// NewClient takes over conns, which must be TCP, and spreads inflight requests
// over them. It closes conns when it fails.
func NewClient(s Shape, inflight int, conns ...net.Conn) (*Client, error) {
	c, err := newClient(s, inflight, conns)
	if err != nil {
		for _, nc := range conns {
			_ = nc.Close()
		}
		if c != nil {
			_ = c.Close()
		}
		return nil, err
	}
	return c, nil
}

func newClient(s Shape, inflight int, conns []net.Conn) (*Client, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(conns) == 0 || inflight < len(conns) {
		return nil, fmt.Errorf("rawfloor: %d requests in flight over %d connections", inflight, len(conns))
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	c := &Client{shape: s, poll: poll, base: time.Now(), size: s.RequestBytes(), answer: max(1, s.StreamItems)}
	per := (inflight + len(conns) - 1) / len(conns)
	for range per {
		c.requests = AppendRequest(c.requests, s, 0)
	}
	for i, nc := range conns {
		share := inflight / len(conns)
		if i < inflight%len(conns) {
			share++
		}
		if err := c.add(nc, share); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *Client) add(nc net.Conn, share int) error {
	fd, err := takeFD(nc)
	if err != nil {
		return err
	}
	if fd >= maxConns {
		_ = unix.Close(fd)
		return errors.New("rawfloor: too many connections")
	}
	size := max(readBuffer, 2*(HeaderBytes+BodyBytes+c.shape.Payload))
	cc := &clientConn{fd: fd, inflight: share, buf: make([]byte, size), batches: make([]batch, share+1)}
	c.conns = append(c.conns, cc)
	c.byFD[fd] = cc
	return c.poll.ctl(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN)
}

// Run keeps the requests in flight until obs says stop, and leaves the answers to
// the last ones unread: the client can only be closed afterwards.
func (c *Client) Run(obs Observer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, cc := range c.conns {
		if err := c.send(cc, cc.inflight, time.Since(c.base)); err != nil {
			return err
		}
	}
	for obs.Running() {
		events, err := c.poll.wait(waitMillis)
		if err != nil {
			return err
		}
		for i := range events {
			if cc := c.byFD[events[i].Fd]; cc != nil {
				if err := c.turn(cc, obs); err != nil {
					return err
				}
			}
		}
		c.calls.Store(c.made + c.poll.calls)
	}
	return nil
}

// turn reads once, and sends one request for every answer that is now complete.
func (c *Client) turn(cc *clientConn, obs Observer) error {
	if cc.waiting {
		if err := c.flush(cc); err != nil {
			return err
		}
	}
	c.made++
	n, err := rawRead(cc.fd, cc.buf[cc.have:])
	if err != nil || n == 0 {
		return err
	}
	cc.have += n
	frames, used, err := Walk(cc.buf[:cc.have])
	if err != nil {
		return err
	}
	if used > 0 {
		cc.have = copy(cc.buf, cc.buf[used:cc.have])
	}
	cc.frames += frames
	done := cc.frames
	if c.answer > 1 {
		done = cc.frames / c.answer
	}
	if done == 0 {
		return nil
	}
	cc.frames -= done * c.answer
	now := time.Since(c.base)
	if err := cc.settle(done, now, obs); err != nil {
		return err
	}
	return c.send(cc, done, now)
}

// settle reports the oldest n requests as answered.
func (cc *clientConn) settle(n int, now time.Duration, obs Observer) error {
	for n > 0 {
		if cc.count == 0 {
			return errors.New("rawfloor: more answers than requests")
		}
		b := &cc.batches[cc.head]
		k := min(n, b.n)
		obs.Done(k, now-b.at)
		n -= k
		if b.n -= k; b.n == 0 {
			cc.count--
			if cc.head++; cc.head == len(cc.batches) {
				cc.head = 0
			}
		}
	}
	return nil
}

// send writes n requests and remembers when.
func (c *Client) send(cc *clientConn, n int, now time.Duration) error {
	tail := cc.head + cc.count
	if tail >= len(cc.batches) {
		tail -= len(cc.batches)
	}
	cc.batches[tail] = batch{n: n, at: now}
	cc.count++
	cc.unsent += n * c.size
	return c.flush(cc)
}

// flush writes the unsent requests. All requests look alike, so the bytes that
// are left are always the end of the prebuilt run. When the kernel takes less,
// answers are still read: else both sides could wait for the other one to read.
func (c *Client) flush(cc *clientConn) error {
	for cc.unsent > 0 {
		c.made++
		n, err := rawWrite(cc.fd, c.requests[len(c.requests)-cc.unsent:])
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		cc.unsent -= n
	}
	stuck := cc.unsent > 0
	if stuck == cc.waiting {
		return nil
	}
	cc.waiting = stuck
	events := uint32(unix.EPOLLIN)
	if stuck {
		events = unix.EPOLLOUT | unix.EPOLLIN
	}
	return c.poll.ctl(unix.EPOLL_CTL_MOD, cc.fd, events)
}

// Syscalls returns how many system calls Run has made, up to its last wake-up. It
// is safe from any goroutine.
func (c *Client) Syscalls() int64 { return c.calls.Load() }

// Close closes the connections. It must not be called while Run is running.
func (c *Client) Close() error {
	for _, cc := range c.conns {
		_ = unix.Close(cc.fd)
	}
	c.conns = nil
	c.poll.close()
	return nil
}
