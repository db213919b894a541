package dynplane

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// maxReason is the longest rejection that is read, in bytes; a worker that sends more
// does not speak this protocol.
const maxReason = 64 << 10

// pending is a request without ack.
type pending struct {
	frame   []byte
	written bool // some of it may have been; guarded by conn.mu
	gone    bool // nobody waits for it
	acked   bool // guarded by conn.mu
	done    chan result
}

// conn is one connection of a client. Requests are written by one goroutine and their
// acks read by another, in the same order.
type conn struct {
	nc     net.Conn
	out    chan *pending
	done   chan struct{}
	forget func(*conn)

	mu       sync.Mutex
	inflight int // admitted and without ack
	limit    int
	fifo     []*pending // written, the oldest first
	err      error
}

func newConn(nc net.Conn, limit int, forget func(*conn)) *conn {
	return &conn{nc: nc, out: make(chan *pending, limit), done: make(chan struct{}), limit: limit, forget: forget}
}

// admit takes one more request unless the connection is full or lost.
func (l *conn) admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.inflight >= l.limit {
		return false
	}
	l.inflight++
	return true
}

func (l *conn) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inflight == 0
}

// giveUp says that nobody waits for p any more, and how far it may have come.
func (l *conn) giveUp(p *pending) planes.Phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.gone = true
	if !p.written {
		p.frame = nil // it waits in the queue for nothing
	}
	return phaseOf(p)
}

// overdue ends the connection if p was not acked.
func (l *conn) overdue(p *pending, after time.Duration) {
	l.mu.Lock()
	acked := p.acked
	l.mu.Unlock()
	if !acked {
		l.fail(fmt.Errorf("no ack within %v", after))
	}
}

func phaseOf(p *pending) planes.Phase {
	if p.written {
		return planes.PhaseMaybe
	}
	return planes.PhaseNotStarted
}

// fail ends the connection. Its loops tell the requests that are left.
func (l *conn) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	close(l.done)
	_ = l.nc.Close()
	l.inflight -= len(l.fifo)
	for _, p := range l.fifo {
		p.done <- result{err: err, phase: planes.PhaseMaybe}
	}
	l.fifo = nil
}

// begin puts p into the order of acks, just before it is written.
func (l *conn) begin(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.gone:
		l.inflight--
		return false
	case l.err != nil:
		l.inflight--
		p.done <- result{err: l.err, phase: planes.PhaseNotStarted}
		return false
	}
	p.written = true
	l.fifo = append(l.fifo, p)
	return true
}

func (l *conn) writeLoop() {
	w := bufio.NewWriterSize(l.nc, 64<<10)
	for {
		select {
		case p := <-l.out:
			var err error
			if l.begin(p) {
				_, err = w.Write(p.frame)
				p.frame = nil
			}
			if err == nil && len(l.out) == 0 {
				err = w.Flush()
			}
			if err != nil {
				l.fail(err)
			}
		case <-l.done:
			l.forget(l)
			l.leave()
			return
		}
	}
}

// leave fails the requests that were admitted and never written; it waits for those
// whose sender is about to queue them.
func (l *conn) leave() {
	for {
		l.mu.Lock()
		left := l.inflight
		l.mu.Unlock()
		if left <= 0 {
			return
		}
		p := <-l.out
		l.mu.Lock()
		l.inflight--
		l.mu.Unlock()
		p.done <- result{err: l.err, phase: planes.PhaseNotStarted}
	}
}

func (l *conn) readLoop() {
	r := bufio.NewReaderSize(l.nc, 4096)
	for {
		reason, err := readAck(r)
		if err == nil {
			err = l.ack(reason)
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

// readAck returns the next ack; an empty one says that the request was taken.
func readAck(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxReason {
		return nil, fmt.Errorf("an ack of %d bytes; the peer does not speak this protocol", n)
	}
	if n == 0 {
		return nil, nil
	}
	reason := make([]byte, n)
	_, err := io.ReadFull(r, reason)
	return reason, err
}

var errUnasked = errors.New("an ack without a request")

func (l *conn) ack(reason []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fifo) == 0 {
		return errUnasked
	}
	p := l.fifo[0]
	l.fifo[0] = nil
	l.fifo = l.fifo[1:]
	l.inflight--
	p.acked = true
	p.done <- result{rejection: reason}
	return nil
}
