package stack

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynenv"
	"github.com/wireplane/wireplane/planes/worker"
)

// Options is what both sides are built from.
type Options struct {
	Config *dynenv.Config
	// Pairs are the combinations of transports that are used; nil means those that the
	// settings choose, see Chosen.
	Pairs []worker.Pair
	// Observer is told about calls.
	Observer planes.Observer
	// Metrics is told about the call-home pool of a worker; nil is told nothing.
	Metrics *Metrics
	// Instance is the id of a worker in discovery.
	Instance uint64
	Logger   *slog.Logger
	// Loopback makes every server listen on loopback with a free port, whatever the
	// settings say: for a demonstration within one process.
	Loopback bool
}

// Stack is the transports of one process.
type Stack struct {
	Registry *planes.TransportRegistry
	Dialer   *callhome.Dialer // of a worker that answers by call-home
	closers  []func() error

	accepted, acceptedResponses atomic.Uint64
}

func (s *Stack) onClose(f func() error) { s.closers = append(s.closers, f) }

// Close gives everything up that was built, the last first.
func (s *Stack) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// Chosen returns the combinations that the settings choose, the preferred first: what
// DYN_REQUEST_PLANE and DYN_RESPONSE_PLANE say, with the released wire beside the
// multiplexed one where WIREPLANE_TCP_WIRE allows both.
func Chosen(c *dynenv.Config) []worker.Pair {
	overHTTP := c.ResponsePlane.Mode != "tcp"
	switch c.RequestPlane.Mode {
	case "http":
		if overHTTP {
			return []worker.Pair{{Request: planes.HTTP, Response: planes.Exchange}, {Request: planes.HTTP, Response: planes.HTTP}}
		}
		return []worker.Pair{{Request: planes.HTTP, Response: planes.TCP}}
	case "tcp":
		response := planes.TCP
		if overHTTP {
			response = planes.HTTP
		}
		var list []worker.Pair
		if c.TCPRequest.Wire != "dynamo" {
			if !overHTTP {
				list = append(list, worker.Pair{Request: planes.TCP, Response: planes.Exchange})
			}
			list = append(list, worker.Pair{Request: planes.TCP, Response: response})
		}
		if c.TCPRequest.Wire != "mux" {
			list = append(list, worker.Pair{Request: planes.DynamoTCP, Response: response})
		}
		return list
	}
	if overHTTP {
		return []worker.Pair{{Request: planes.NATS, Response: planes.HTTP}}
	}
	return []worker.Pair{{Request: planes.NATS, Response: planes.TCP}}
}

// needs says which transports a list of combinations takes.
type needs struct{ request, response map[planes.TransportID]bool }

func needsOf(pairs []worker.Pair) (needs, error) {
	n := needs{make(map[planes.TransportID]bool), make(map[planes.TransportID]bool)}
	for _, p := range pairs {
		switch p.Request {
		case planes.TCP, planes.DynamoTCP, planes.HTTP, planes.H2C, planes.NATS:
		default:
			return n, fmt.Errorf("combination %s: no request transport %q; there are tcp, dynamo-tcp, http, h2c and nats", p, p.Request)
		}
		switch p.Response {
		case planes.Exchange:
			if p.Request == planes.DynamoTCP || p.Request == planes.NATS {
				return n, fmt.Errorf("combination %s: %s carries no answers; want %s+tcp or %s+http", p, p.Request, p.Request, p.Request)
			}
		case planes.TCP, planes.HTTP:
		default:
			return n, fmt.Errorf("combination %s: no response transport %q; there are exchange, tcp and http", p, p.Response)
		}
		n.request[p.Request] = true
		n.response[p.Response] = true
	}
	return n, nil
}

// Check says what is wrong with a list of combinations, or returns nil.
func Check(pairs []worker.Pair) error {
	_, err := needsOf(pairs)
	return err
}

func (o *Options) pairs() []worker.Pair {
	if o.Pairs != nil {
		return o.Pairs
	}
	return Chosen(o.Config)
}

// rank gives the transports of the chosen combinations their priority: in the order of
// the combinations, and what was not chosen behind.
func rank(pairs []worker.Pair, request bool, id planes.TransportID) int {
	for i, p := range pairs {
		if request && p.Request == id || !request && p.Response == id {
			return i
		}
	}
	return 100
}

// failed closes what was built so far and returns err.
func (s *Stack) failed(err error) (*Stack, error) {
	return nil, errors.Join(err, s.Close())
}
