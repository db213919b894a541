package netloop

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

const (
	writeBytes = 64 << 10              // bound of one Write on the net.Conn, so that progress is seen
	lastReads  = 20 * time.Millisecond // how long input is discarded after a drain
)

// Engine starts connections; it holds no goroutine of its own.
type Engine struct {
	readBytes int
	conns     sync.WaitGroup
}

// New returns an engine whose connections read into buffers of readBytes.
func New(readBytes int) *Engine { return &Engine{readBytes: readBytes} }

// Attach takes nc over and returns when the open event was delivered.
func (e *Engine) Attach(nc net.Conn, c *core.Conn) error {
	t := &transport{c: c, nc: nc, kick: make(chan struct{}, 1), quit: make(chan struct{})}
	c.Bind(t, false)
	opened := make(chan struct{})
	e.conns.Go(func() { t.run(e.readBytes, opened) })
	<-opened
	return nil
}

// Stop waits until every connection has ended; the caller closed them before.
func (e *Engine) Stop() { e.conns.Wait() }

type transport struct {
	c    *core.Conn
	nc   net.Conn
	kick chan struct{} // capacity 1: a flush is due
	quit chan struct{}
	once sync.Once
}

func (t *transport) run(readBytes int, opened chan<- struct{}) {
	t.c.Opened()
	close(opened)
	writerDone := make(chan struct{})
	go func() {
		defer close(writerDone)
		t.writeLoop()
	}()
	t.Kick()
	if t.c.Closing() {
		t.Shut(false)
	}
	err := t.readLoop(make([]byte, readBytes))
	if errors.Is(err, io.EOF) {
		// The peer will send no more; what is queued for it still goes out, within the drain bound.
		t.c.Drain(io.EOF)
	} else {
		t.c.CloseWith(err)
	}
	<-writerDone
	t.nc.Close()
	t.c.Finish(err)
}

func (t *transport) readLoop(buf []byte) error {
	for {
		n, err := t.nc.Read(buf)
		if n > 0 {
			t.c.Feed(buf[:n])
			if t.c.Due() {
				t.Kick()
			}
		}
		if err != nil {
			return err
		}
	}
}

func (t *transport) writeLoop() {
	for {
		select {
		case <-t.kick:
			// One yield lets goroutines that are about to send do so: their bytes share this flush.
			runtime.Gosched()
			t.c.RunDue()
			t.c.Resume()
		case <-t.quit:
			return
		}
	}
}

// Kick implements core.Transport.
func (t *transport) Kick() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// Shut implements core.Transport. After a drain the peer is told the end and the reader goes on for a moment, discarding;
// it closes at its end.
func (t *transport) Shut(flushed bool) {
	t.once.Do(func() {
		close(t.quit)
		if half, ok := t.nc.(interface{ CloseWrite() error }); ok && flushed {
			_ = half.CloseWrite() // the close that follows does as well
		}
		if !flushed || t.nc.SetReadDeadline(time.Now().Add(lastReads)) != nil {
			t.nc.Close()
		}
	})
}

// Arm implements core.Transport: a net.Conn never reports would-block, so only a spent budget leads here.
func (t *transport) Arm() error {
	t.Kick()
	return nil
}

// WriteSome implements core.Transport.
func (t *transport) WriteSome(p []byte) (int, error) {
	n, err := t.nc.Write(p[:min(len(p), writeBytes)])
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	// The watchdog interrupted the write to see how far it got.
	t.nc.SetWriteDeadline(time.Time{})
	if n == 0 && t.c.StalledFor() {
		return 0, core.ErrWriteStalled
	}
	return n, nil
}

// Stalled implements core.Transport: it interrupts the write, which then tells progress from a stall.
func (t *transport) Stalled() {
	if t.nc.SetWriteDeadline(time.Unix(1, 0)) != nil {
		t.c.CloseWith(core.ErrWriteStalled)
	}
}

// Unacked implements core.Transport: a net.Conn does not tell.
func (t *transport) Unacked() int { return 0 }
