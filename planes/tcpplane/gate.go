package tcpplane

import "sync"

// gate bounds how many goroutine handlers run at once, and how many calls wait.
type gate struct {
	max, maxQueued int

	mu      sync.Mutex
	running int
	queue   []*serverCall // from head on, first come first served
	head    int
}

// enter reports whether c may run now, or else its place in the queue: the number
// of calls before it. ok is false when the queue is full.
func (g *gate) enter(c *serverCall) (run bool, place int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.max {
		g.running++
		return true, 0, true
	}
	place = len(g.queue) - g.head
	if place >= g.maxQueued {
		return false, place, false
	}
	if g.head > 64 && g.head > len(g.queue)/2 {
		g.queue = append(g.queue[:0], g.queue[g.head:]...)
		g.head = 0
	}
	g.queue = append(g.queue, c)
	return false, place, true
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
