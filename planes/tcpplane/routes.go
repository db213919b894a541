package tcpplane

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/wireplane/wireplane/planes"
)

// UnaryHandler answers a unary call in a goroutine of its own: it may block. It
// appends the response to dst and returns the extended slice; req, its slices and
// dst are borrowed until it returns.
type UnaryHandler func(ctx context.Context, req *planes.Request, dst []byte) ([]byte, error)

// route is one registered handler; exactly one of the three is set.
type route struct {
	name   string
	inline planes.InlineHandler
	unary  UnaryHandler
	stream planes.Handler
}

// routeTable maps routes to handlers. Look-ups take no lock: the map is copied on
// every change.
type routeTable struct {
	mu sync.Mutex
	m  atomic.Pointer[map[string]*route]
}

func (t *routeTable) get(name []byte) *route {
	m := t.m.Load()
	if m == nil {
		return nil
	}
	return (*m)[string(name)]
}

func (t *routeTable) add(r *route) {
	if n := len(r.name); n == 0 || n > 1024 {
		panic(fmt.Sprintf("tcpplane: a route has 1 to 1024 bytes, this one %d", n))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := map[string]*route{}
	if old := t.m.Load(); old != nil {
		m = maps.Clone(*old)
	}
	if m[r.name] != nil {
		panic(fmt.Sprintf("tcpplane: route %q is registered twice", r.name))
	}
	m[r.name] = r
	t.m.Store(&m)
}

// Handle registers a handler that may send any number of items and block. It
// panics, as all of these do, if the route is empty, too long or taken.
func (s *Server) Handle(name string, h planes.Handler) { s.routes.add(&route{name: name, stream: h}) }

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(name string, h planes.HandlerFunc) { s.Handle(name, h) }

// HandleUnary registers a handler that answers with one item and may block.
func (s *Server) HandleUnary(name string, h UnaryHandler) {
	s.routes.add(&route{name: name, unary: h})
}

// HandleInline registers a handler that answers on the event loop and must not
// block: it is the fastest, and while it runs every connection of its loop waits.
func (s *Server) HandleInline(name string, h planes.InlineHandler) {
	s.routes.add(&route{name: name, inline: h})
}
