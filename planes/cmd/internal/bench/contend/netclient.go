package contend

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// muxClient is the client of both echoes: callers block, one goroutine for each
// connection reads, and whichever caller finds nobody writing writes for all.
type muxClient struct {
	conns []*muxConn
}

func newMuxClient(ctx context.Context, addr, _ string, w bench.Workload) (bench.Client, error) {
	conns, err := dial(ctx, addr, w.Conns)
	if err != nil {
		return nil, err
	}
	c := &muxClient{}
	for i, nc := range conns {
		c.conns = append(c.conns, newMuxConn(nc, shapeOf(w), share(w.Inflight, w.Conns, i)))
	}
	return c, nil
}

// Run has one goroutine for each call in flight.
func (c *muxClient) Run(_ context.Context, m *bench.Meter) error {
	var callers int
	for _, mc := range c.conns {
		callers += len(mc.slots)
	}
	done := make(chan error, callers)
	for _, mc := range c.conns {
		go mc.read()
		for i := range mc.slots {
			go func() { done <- m.Loop(func() (int, error) { return mc.call(uint32(i)) }) }()
		}
	}
	var first error
	for range callers {
		if err := <-done; err != nil && first == nil {
			first = err
			_ = c.Close()
		}
	}
	return first
}

// Close closes the connections.
func (c *muxClient) Close() error {
	for _, mc := range c.conns {
		_ = mc.nc.Close()
	}
	return nil
}

// muxConn is one connection. Each caller owns one slot; the stream number on the
// wire is the slot's index.
type muxConn struct {
	nc    net.Conn
	shape rawfloor.Shape
	slots []slot
	err   atomic.Pointer[error] // why the connection failed

	mu      sync.Mutex
	request []byte // one request; its stream number is set under mu
	pend    []byte // guarded by mu: requests that nobody has written yet
	spare   []byte // guarded by mu: the other buffer
	writing bool   // guarded by mu: a caller is writing
}

// slot belongs to the caller except between its request and the token in done.
type slot struct {
	done  chan struct{}
	dst   []byte
	items int
}

func newMuxConn(nc net.Conn, s rawfloor.Shape, callers int) *muxConn {
	mc := &muxConn{nc: nc, shape: s, slots: make([]slot, callers), request: rawfloor.AppendRequest(nil, s, 0)}
	for i := range mc.slots {
		mc.slots[i] = slot{done: make(chan struct{}, 1), dst: make([]byte, s.Payload+rawfloor.BodyBytes)}
	}
	return mc
}

// call sends one request and waits for its whole answer.
func (mc *muxConn) call(i uint32) (int, error) {
	s := &mc.slots[i]
	s.items = 0
	mc.mu.Lock()
	rawfloor.SetStream(mc.request, i)
	mc.pend = append(mc.pend, mc.request...)
	lead := !mc.writing
	mc.writing = true
	mc.mu.Unlock()
	if lead {
		if err := mc.lead(); err != nil {
			return 0, err
		}
	}
	<-s.done
	if err := mc.err.Load(); err != nil {
		return 0, *err
	}
	return s.items, nil
}

// lead writes until nothing is pending. It lets the other callers run once first:
// they are about to add their requests to the same write.
func (mc *muxConn) lead() error {
	if len(mc.slots) > 1 {
		runtime.Gosched()
	}
	for {
		mc.mu.Lock()
		b := mc.pend
		if len(b) == 0 {
			mc.writing = false
			mc.mu.Unlock()
			return nil
		}
		mc.pend = mc.spare[:0]
		mc.spare = nil
		mc.mu.Unlock()
		if _, err := mc.nc.Write(b); err != nil {
			return fmt.Errorf("contend: %w", err)
		}
		mc.mu.Lock()
		mc.spare = b
		mc.mu.Unlock()
	}
}

// read takes answers in until the connection fails, and then wakes every caller.
func (mc *muxConn) read() {
	buf := make([]byte, max(readBufferBytes, 2*(mc.shape.Payload+rawfloor.HeaderBytes+rawfloor.BodyBytes)))
	have := 0
	for {
		n, err := mc.nc.Read(buf[have:])
		if err != nil {
			mc.fail(err)
			return
		}
		have += n
		used := 0
		for have-used >= rawfloor.HeaderBytes {
			size := rawfloor.FrameLen(buf[used:])
			if used+size > have {
				break
			}
			if !mc.frame(buf[used : used+size]) {
				mc.fail(fmt.Errorf("answer to stream %d, which nobody opened", rawfloor.Stream(buf[used:])))
				return
			}
			used += size
		}
		have = copy(buf, buf[used:have])
	}
}

// frame gives one frame to the caller that waits for it.
func (mc *muxConn) frame(b []byte) bool {
	i := int(rawfloor.Stream(b))
	if i >= len(mc.slots) {
		return false
	}
	s := &mc.slots[i]
	s.items++
	copy(s.dst, b[rawfloor.HeaderBytes:])
	if mc.shape.StreamItems == 0 || rawfloor.Last(b) {
		s.done <- struct{}{}
	}
	return true
}

// fail gives err to every caller, now or at its next call.
func (mc *muxConn) fail(err error) {
	err = fmt.Errorf("contend: %w", err)
	mc.err.Store(&err)
	for i := range mc.slots {
		select {
		case mc.slots[i].done <- struct{}{}:
		default:
		}
	}
}
