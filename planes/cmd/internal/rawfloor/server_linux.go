package rawfloor

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 256 << 10 // bytes of one read; more does not pay, the caches are near
	runBytes   = 64 << 10  // of blobs in one write, unless one blob is larger
	maxConns   = 1 << 12   // bound on descriptors
)

// Server is the server side of the floor. One goroutine, locked to its thread,
// does all reading and writing; another one accepts. Serve is called once; Close
// may be called from anywhere, at any time.
type Server struct {
	shape Shape
	poll  *poller
	run   []byte // blobs back to back, stream workload only
	blob  int    // bytes of one blob, the answer to a request; 0 for unary
	conns [maxConns]atomic.Pointer[serverConn]

	closing atomic.Bool
	made    int64 // reads and writes so far; the loop's
	calls   atomic.Int64

	mu       sync.Mutex
	serving  bool // guarded by mu: the loop owns poll
	released bool // guarded by mu: poll is closed
}

// serverConn belongs to the loop from the moment that it is registered.
type serverConn struct {
	fd      int
	buf     []byte
	have    int // bytes read and not yet given back
	from    int // of these, bytes already echoed
	until   int // of these, bytes of whole frames
	owed    int // stream workload: bytes still to write
	at      int // stream workload: position in the run
	waiting bool
}

// NewServer returns a server for shape s. It fails when the shape is outside the
// limits or the kernel has no descriptors left.
func NewServer(s Shape) (*Server, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	srv := &Server{shape: s, poll: poll}
	if s.StreamItems > 0 {
		srv.blob = s.AnswerBytes()
		for ok := true; ok; ok = len(srv.run)+srv.blob <= runBytes {
			srv.run = AppendAnswer(srv.run, s, 0)
		}
	}
	return srv, nil
}

// Serve accepts connections from ln and answers them until Close. It takes over
// ln and closes it.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return ln.Close()
	}
	s.serving = true
	s.mu.Unlock()
	accepted := make(chan error, 1)
	go func() { accepted <- s.accept(ln) }()
	err := s.loop()
	_ = ln.Close()
	if aerr := <-accepted; err == nil {
		err = aerr
	}
	s.release()
	return err
}

// Close makes Serve return, which closes all connections. It does not wait for
// that, may be called more than once, and releases a server that never served.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	switch {
	case s.released:
	case s.serving:
		s.poll.wake()
	default:
		s.released = true
		s.poll.close()
	}
	return nil
}

// Syscalls returns how many system calls the loop has made so far, up to the last
// wake-up. It is safe from any goroutine.
func (s *Server) Syscalls() int64 { return s.calls.Load() }

func (s *Server) accept(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			if s.closing.Load() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("rawfloor: accept: %w", err)
		}
		fd, err := takeFD(c)
		if err != nil {
			return err
		}
		if fd >= maxConns {
			_ = unix.Close(fd)
			continue
		}
		size := max(readBuffer, 2*s.shape.RequestBytes())
		s.conns[fd].Store(&serverConn{fd: fd, buf: make([]byte, size)})
		if err := s.poll.ctl(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
			return err
		}
	}
}

func (s *Server) loop() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !s.closing.Load() {
		events, err := s.poll.wait(-1)
		if err != nil {
			return err
		}
		for i := range events {
			fd := int(events[i].Fd)
			if fd == s.poll.wakefd {
				continue
			}
			c := s.conns[fd].Load()
			if err := s.serve(c); err != nil {
				s.drop(c)
			}
		}
		s.calls.Store(s.made + s.poll.calls)
	}
	return nil
}

// serve does one round of reading and answering on c.
func (s *Server) serve(c *serverConn) error {
	if !c.waiting {
		s.made++
		n, err := rawRead(c.fd, c.buf[c.have:])
		if err != nil {
			return err
		}
		c.have += n
		frames, used, err := Walk(c.buf[:c.have])
		if err != nil {
			return err
		}
		c.until = used
		if s.blob > 0 {
			c.owed += frames * s.blob
			c.from = used
		}
	}
	var err error
	if s.blob > 0 {
		err = s.writeBlobs(c)
	} else {
		err = s.writeEcho(c)
	}
	if err != nil {
		return err
	}
	return s.settle(c)
}

// writeEcho gives whole frames back.
func (s *Server) writeEcho(c *serverConn) error {
	for c.from < c.until {
		s.made++
		n, err := rawWrite(c.fd, c.buf[c.from:c.until])
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		c.from += n
	}
	return nil
}

// writeBlobs writes what is owed, as many blobs at once as the run holds.
func (s *Server) writeBlobs(c *serverConn) error {
	for c.owed > 0 {
		s.made++
		n, err := rawWrite(c.fd, s.run[c.at:min(len(s.run), c.at+c.owed)])
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		c.owed -= n
		if c.at += n; c.at == len(s.run) {
			c.at = 0
		}
	}
	return nil
}

// settle drops what was answered from the buffer and, when the kernel took less
// than everything, waits for room instead of for input.
func (s *Server) settle(c *serverConn) error {
	stuck := c.owed > 0 || c.from < c.until
	if !stuck {
		c.at = 0
		if c.from > 0 {
			c.have = copy(c.buf, c.buf[c.from:c.have])
			c.from, c.until = 0, 0
		}
		if c.have == len(c.buf) {
			return ErrFrame
		}
	}
	if stuck == c.waiting {
		return nil
	}
	c.waiting = stuck
	events := uint32(unix.EPOLLIN)
	if stuck {
		events = unix.EPOLLOUT
	}
	return s.poll.ctl(unix.EPOLL_CTL_MOD, c.fd, events)
}

func (s *Server) drop(c *serverConn) {
	s.conns[c.fd].Store(nil)
	_ = unix.Close(c.fd)
}

func (s *Server) release() {
	for i := range s.conns {
		if c := s.conns[i].Load(); c != nil {
			s.drop(c)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	s.poll.close()
}
