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
	any    bool // it takes every route that has no handler; name is empty
	soft   bool // a stop of the caller leaves the context alone
}

// routeTable maps routes to handlers. Look-ups take no lock: the map is copied on
// every change.
type routeTable struct {
	mu  sync.Mutex
	m   atomic.Pointer[map[string]*route]
	any atomic.Pointer[route]
}

func (t *routeTable) get(name []byte) *route {
	if m := t.m.Load(); m != nil {
		if r := (*m)[string(name)]; r != nil {
			return r
		}
	}
	if len(name) == 0 || len(name) > maxRoute {
		return nil
	}
	return t.any.Load()
}

// maxRoute is the longest route, in bytes.
const maxRoute = 1024

func (t *routeTable) add(r *route) {
	if n := len(r.name); n == 0 || n > maxRoute {
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

// HandleStream is Handle for a handler that tells a stop of the caller from an end: the
// stop leaves its context and its Sends alone and closes [Streamer].Stopped, while a
// cancel, a deadline or a lost connection ends the context. Its ResponseWriter is a
// Streamer.
func (s *Server) HandleStream(name string, h planes.Handler) {
	s.routes.add(&route{name: name, stream: h, soft: true})
}

// Streamer is what the ResponseWriter of a handler of HandleStream implements as well.
type Streamer interface {
	planes.ResponseWriter
	// SendContext is Send that waits until ctx ends, too. If that is within an item,
	// all further Sends fail, and the call ends with CodeInternal at best.
	SendContext(ctx context.Context, item []byte) error
	// Stopped returns a channel that is closed when the caller asks for an early end.
	Stopped() <-chan struct{}
	// Reason returns what ended the context, else the request for an early end, else
	// nil. Its Scope tells whether the whole connection was lost.
	Reason() *planes.Error
}

// HandleUnary registers a handler that answers with one item and may block.
func (s *Server) HandleUnary(name string, h UnaryHandler) {
	s.routes.add(&route{name: name, unary: h})
}

// HandleInline registers a handler that answers on the event loop and must not
// block: it is the fastest, and while it runs every connection of its loop waits.
func (s *Server) HandleInline(name string, h planes.InlineHandler) {
	s.routes.add(&route{name: name, inline: h})
}

// HandleAny registers the handler of all routes that have none of their own: it finds
// the caller's route, 1 to 1024 bytes, in the request, and decides whether the call is
// taken. So the caller is told that its call runs only when w's Begin is called (see
// [Beginner]) or the first item is sent. Until then an *planes.Error with PhaseNotStarted
// refuses the call: the caller may repeat it elsewhere. A second HandleAny replaces the
// first.
func (s *Server) HandleAny(h planes.Handler) { s.routes.any.Store(&route{stream: h, any: true}) }

// Beginner is what the ResponseWriter of every handler of this plane implements as well.
type Beginner interface {
	// Begin tells the caller that the handler runs, unless it knows.
	Begin() error
}
