package router

import (
	"math/rand/v2"

	"github.com/wireplane/wireplane/planes"
)

// Policy picks one of the instances that are equally healthy.
type Policy uint8

// The policies.
const (
	// RoundRobin takes them in turn.
	RoundRobin Policy = iota
	// Random takes any.
	Random
	// LeastInFlight takes the one with the fewest calls of this router, all compared.
	LeastInFlight
	// PowerOfTwo takes the one with fewer calls of this router out of two at random,
	// which is nearly as good at a fixed cost.
	PowerOfTwo
)

// Policies names the policies, as in configuration.
var Policies = map[string]Policy{
	"round-robin": RoundRobin, "random": Random, "least-in-flight": LeastInFlight, "power-of-two": PowerOfTwo,
}

// String returns the name in Policies.
func (p Policy) String() string {
	for name, q := range Policies {
		if p == q {
			return name
		}
	}
	return "unknown"
}

// filter is what an instance must pass to be picked.
type filter struct {
	tried    []*node // not these
	registry *planes.TransportRegistry
	require  planes.Capabilities
}

// pick chooses an instance that was not tried yet and can be called: of the best health
// that has one, preferring those that are not inhibited. It returns nil if there is none.
func (e *endpoint) pick(p Policy, f *filter) *node {
	v := e.view.Load()
	for _, free := range [...]bool{true, false} {
		for _, tier := range [...][2]int{{0, v.healthy}, {v.healthy, v.fair}, {v.fair, len(v.nodes)}} {
			if n := e.pickOf(v.nodes[tier[0]:tier[1]], p, f, free); n != nil {
				return n
			}
		}
	}
	return nil
}

func (f *filter) usable(n *node, free bool) bool {
	for _, t := range f.tried {
		if t.instance.ID == n.instance.ID {
			return false
		}
	}
	return (!free || n.free()) && f.registry.Reaches(&n.target, f.require)
}

// pickOf chooses among instances of the same health.
func (e *endpoint) pickOf(nodes []*node, p Policy, f *filter, free bool) *node {
	if len(nodes) == 0 {
		return nil
	}
	at := 0
	switch p {
	case RoundRobin:
		at = int(e.turn.Add(1) % uint32(len(nodes)))
	case Random:
		at = rand.IntN(len(nodes))
	case LeastInFlight:
		return least(nodes, f, free)
	case PowerOfTwo:
		at = rand.IntN(len(nodes))
		if len(nodes) > 1 {
			other := rand.IntN(len(nodes) - 1)
			if other >= at {
				other++
			}
			if f.usable(nodes[other], free) && (nodes[other].inFlight.Load() < nodes[at].inFlight.Load() || !f.usable(nodes[at], free)) {
				return nodes[other]
			}
		}
	}
	for i := range nodes {
		if n := nodes[(at+i)%len(nodes)]; f.usable(n, free) {
			return n
		}
	}
	return nil
}

func least(nodes []*node, f *filter, free bool) *node {
	var best *node
	start := rand.IntN(len(nodes)) // equals are taken in no fixed order
	for i := range nodes {
		n := nodes[(start+i)%len(nodes)]
		if (best == nil || n.inFlight.Load() < best.inFlight.Load()) && f.usable(n, free) {
			if best = n; n.inFlight.Load() <= 0 {
				break // nobody has fewer
			}
		}
	}
	return best
}
