package stack

import (
	"net"
	"sync/atomic"
)

// count makes a listener count what it accepts.
func (s *Stack) count(ln net.Listener, n *atomic.Uint64) net.Listener {
	return &countingListener{ln, n}
}

type countingListener struct {
	net.Listener
	n *atomic.Uint64
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return nc, err
}

// Accepted returns the connections that the stack's servers have accepted: requests at
// a worker, call-homes at a router. AcceptedResponses are those of a worker's response
// server.
func (s *Stack) Accepted() uint64 { return s.accepted.Load() }

// AcceptedResponses is described at Accepted.
func (s *Stack) AcceptedResponses() uint64 { return s.acceptedResponses.Load() }
