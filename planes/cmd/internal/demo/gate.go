package demo

import "sync"

// gate holds the streams until all of them are open, so that they are open at the
// same time however short they are.
type gate struct {
	mu      sync.Mutex
	arrived []bool
	left    int
	open    chan struct{} // closed when all have arrived
}

func newGate(streams int) *gate {
	return &gate{arrived: make([]bool, streams), left: streams, open: make(chan struct{})}
}

// arrive notes that a stream is open, or will never be. Only the first time counts.
func (g *gate) arrive(stream int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.arrived[stream] {
		return
	}
	g.arrived[stream] = true
	if g.left--; g.left == 0 {
		close(g.open)
	}
}
