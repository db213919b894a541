package planetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// Memory is the id of both transports of a Network.
const Memory planes.TransportID = "memory"

// HomeReply is the ConnectionInfo.Transport of a Network's response transport.
const HomeReply = "memory_home"

// Network connects workers and routers within a process. All methods are safe for
// concurrent use.
type Network struct {
	mu      sync.Mutex
	servers map[string]*Server
	homes   map[string]*Home
	streams map[*pipe]string // those that are open, and the host of their worker
	faults  func(Point) Fault
}

// NewNetwork returns a network without hosts and faults.
func NewNetwork() *Network {
	return &Network{servers: make(map[string]*Server), homes: make(map[string]*Home), streams: make(map[*pipe]string)}
}

// Stage is a point of a call at which a Network asks for faults.
type Stage uint8

// The stages, in the order of a call.
const (
	// StageDial: the router reaches for the worker. A loss refuses it: the call is known
	// not to have started.
	StageDial Stage = iota + 1
	// StageSend: the request travels. A loss leaves the router in doubt; the worker
	// never sees the request.
	StageSend
	// StageAck: the worker has taken the request. A loss leaves the router in doubt.
	StageAck
	// StageHome: the worker reaches for the router to answer. A loss refuses it.
	StageHome
	// StageAnswer: the answer travels. A loss breaks it after Fault.After items.
	StageAnswer
)

// Point is where a call is.
type Point struct {
	Stage Stage
	Host  string // of the worker; at StageHome of the router
	Route string
}

// Fault is what goes wrong at a Point. The zero value is nothing.
type Fault struct {
	// Lose is as the Stage says.
	Lose bool
	// Late makes the failure of an exchange known with the first Recv rather than at
	// once.
	Late bool
	// After is how many items of an answer arrive before it breaks; 0 none.
	After int
	// Delay passes before the stage is over.
	Delay time.Duration
}

// SetFaults lets f decide what goes wrong from now on; nil is nothing. f is called from
// the goroutines of calls.
func (n *Network) SetFaults(f func(Point) Fault) {
	n.mu.Lock()
	n.faults = f
	n.mu.Unlock()
}

func (n *Network) fault(stage Stage, host, route string) Fault {
	n.mu.Lock()
	f := n.faults
	n.mu.Unlock()
	if f == nil {
		return Fault{}
	}
	return f(Point{stage, host, route})
}

// pause lets a fault's delay pass.
func (f Fault) pause(ctx context.Context) {
	if f.Delay <= 0 {
		return
	}
	t := time.NewTimer(f.Delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Streams returns how many answers are open.
func (n *Network) Streams() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.streams)
}

// Crash ends a worker without ceremony: its server is gone, and its streams are broken.
func (n *Network) Crash(host string) {
	n.mu.Lock()
	s := n.servers[host]
	delete(n.servers, host)
	var broken []*pipe
	for p, h := range n.streams {
		if h == host {
			broken = append(broken, p)
		}
	}
	n.mu.Unlock()
	if s != nil {
		s.close()
	}
	for _, p := range broken {
		p.kill(&planes.Error{Code: planes.CodePeerLost, Phase: planes.PhaseMaybe, Scope: planes.ScopeConnection, Reason: "the worker is gone"})
	}
}

func (n *Network) newPipe(host, route, target string, f Fault) *pipe {
	p := &pipe{net: n, route: route, target: target, breakAfter: -1, control: make(chan planes.Control, 2), changed: make(chan struct{})}
	if f.Lose {
		p.breakAfter = f.After
	}
	n.mu.Lock()
	n.streams[p] = host
	n.mu.Unlock()
	return p
}

func (n *Network) forget(p *pipe) {
	n.mu.Lock()
	delete(n.streams, p)
	n.mu.Unlock()
}

func unreached(op, route, target, why string) *planes.Error {
	return &planes.Error{Code: planes.CodeTransport, Phase: planes.PhaseNotStarted, Scope: planes.ScopeConnection, Op: op,
		Route: route, Target: target, Reason: why}
}

func lost(op, route, target, why string) *planes.Error {
	return &planes.Error{Code: planes.CodePeerLost, Phase: planes.PhaseMaybe, Scope: planes.ScopeConnection, Op: op,
		Route: route, Target: target, Reason: why}
}

// gaveUp is the error of a caller whose context ended.
func gaveUp(ctx context.Context, phase planes.Phase, op, route, target string) *planes.Error {
	return &planes.Error{Code: planes.CodeOf(ctx.Err()), Phase: phase, Op: op, Route: route, Target: target,
		Reason: fmt.Sprint(context.Cause(ctx))}
}
