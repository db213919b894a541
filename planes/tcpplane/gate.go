package tcpplane

import (
	"slices"
	"sync"
	"time"

	"github.com/wireplane/wireplane/pool/buf"
)

// gate bounds how many goroutine handlers run at once, and how many calls wait.
//
// It keeps the goroutines of handlers that have ended for the next ones: a new
// goroutine starts with so small a stack that encoding the answer makes it grow,
// which costs several times what starting it does.
type gate struct {
	max, maxQueued int

	mu      sync.Mutex
	running int
	queue   []*serverCall // from head on, first come first served
	head    int
	idle    []*worker // last in, first out
	low     int       // fewest idle workers since the last trim
	trimmer *time.Timer
	closed  bool
}

// worker is a goroutine that runs handlers, and the memory it lends them: in for
// requests, out for answers.
type worker struct {
	next    chan *serverCall
	in, out []byte
}

// maxKept is the largest buffer that a worker keeps for its next call.
const maxKept = 64 << 10

func newWorker() *worker { return &worker{next: make(chan *serverCall, 1)} }

// tidy lets go of buffers that a large call has left.
func (w *worker) tidy() {
	if cap(w.in) > maxKept {
		w.in = nil
	}
	if cap(w.out) > maxKept {
		w.out = nil
	}
}

const (
	maxIdle   = 1024            // parked goroutines, at most
	trimEvery = 5 * time.Second // those that nobody needed for so long end
)

// enter takes a call with its request message, of which it keeps a copy. It runs c
// if there is room and reports true, or queues it behind place others; ok is false
// when the queue is full, place calls long.
func (g *gate) enter(c *serverCall, msg []byte) (run bool, place int, ok bool) {
	g.mu.Lock()
	if g.running < g.max {
		g.running++
		var w *worker
		if n := len(g.idle) - 1; n >= 0 {
			w = g.idle[n]
			g.idle[n] = nil
			g.idle = g.idle[:n]
			g.low = min(g.low, n)
		}
		g.mu.Unlock()
		if w == nil {
			w = newWorker()
			go g.work(w)
		}
		w.in = append(w.in[:0], msg...) // the worker waits: its memory is free
		c.req.Payload = w.in
		w.next <- c
		return true, 0, true
	}
	defer g.mu.Unlock()
	place = len(g.queue) - g.head
	if place >= g.maxQueued {
		return false, place, false
	}
	if g.head > 64 && g.head > len(g.queue)/2 {
		n := copy(g.queue, g.queue[g.head:])
		clear(g.queue[n:])
		g.queue, g.head = g.queue[:n], 0
	}
	c.waited = true
	if len(msg) > 0 {
		c.payload = buf.Get(len(msg))
		c.payload.Append(msg)
		c.req.Payload = c.payload.Bytes()
	}
	g.queue = append(g.queue, c)
	return false, place, true
}

// work runs calls until the worker is not needed any more. A handler that ends its
// goroutine takes the worker with it, but not the place: that goes on.
func (g *gate) work(w *worker) {
	parked := true
	defer func() {
		if !parked {
			g.replace()
		}
	}()
	for c := range w.next {
		parked = false
		c.serve(w)
		for c = g.leave(); c != nil; c = g.leave() {
			c.started()
			c.serve(w)
		}
		parked = true
		w.tidy()
		if !g.park(w) {
			return
		}
	}
}

// forget takes a call that waits out of the queue, or reports that it does not wait.
func (g *gate) forget(c *serverCall) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue[g.head:], c)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, g.head+i, g.head+i+1) // clears the last place
	if g.head == len(g.queue) {
		g.queue, g.head = g.queue[:0], 0
	}
	return true
}

// replace passes on the place of a worker that is ending.
func (g *gate) replace() {
	if c := g.leave(); c != nil {
		w := newWorker()
		w.next <- c
		go g.work(w)
	}
}

// leave gives the place of a finished handler to the next call, which it returns.
func (g *gate) leave() *serverCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.head == len(g.queue) {
		g.running--
		return nil
	}
	c := g.queue[g.head]
	g.queue[g.head] = nil
	g.head++
	if g.head == len(g.queue) {
		g.queue, g.head = g.queue[:0], 0
	}
	return c
}

// park keeps w for the next call, or reports that it should end.
func (g *gate) park(w *worker) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.idle) >= maxIdle {
		return false
	}
	if len(g.idle) == 0 && g.trimmer == nil {
		g.trimmer = time.AfterFunc(trimEvery, g.trim)
	}
	g.idle = append(g.idle, w)
	return true
}

// trim ends the workers that were idle all the time since the last trim, the
// longest idle first.
func (g *gate) trim() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	n := min(g.low, len(g.idle))
	for _, w := range g.idle[:n] {
		close(w.next)
	}
	rest := copy(g.idle, g.idle[n:])
	clear(g.idle[rest:])
	g.idle = g.idle[:rest]
	g.low = rest
	g.trimmer = nil
	if rest > 0 {
		g.trimmer = time.AfterFunc(trimEvery, g.trim)
	}
}

// close ends the parked workers; running ones end with their handlers.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.trimmer != nil {
		g.trimmer.Stop()
	}
	for _, w := range g.idle {
		close(w.next)
	}
	g.idle = nil
}
