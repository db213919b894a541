package planes

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

// RegistryConfig configures a TransportRegistry. The zero value is usable.
type RegistryConfig struct {
	// Breaker decides when a transport of an instance is left alone for a while.
	Breaker BreakerConfig
	// Allow says which combinations calls may use, of those that are registered; the
	// response is Exchange for the request's own stream. nil allows all. It must not
	// block.
	Allow func(request, response TransportID) bool
	// Observer is told about calls; the zero value is told nothing.
	Observer Observer
}

// TransportRegistry holds the transports of a process and chooses among them. There is
// no global one: transports are registered by whoever makes the registry, and third
// parties register theirs in the same way. All methods are safe for concurrent use;
// look-ups take no lock.
type TransportRegistry struct {
	cfg      RegistryConfig
	breakers breakers

	mu  sync.Mutex // of changes
	set atomic.Pointer[transports]
}

// transports is one state of a registry; it is replaced, never changed.
type transports struct {
	requests  []RequestTransport // by priority
	responses []ResponseTransport
}

// Errors of a registry.
var (
	// ErrNoTransport: nothing that is registered does what is required.
	ErrNoTransport = errors.New("planes: no transport")
	// ErrRegistered: the id is taken in its plane.
	ErrRegistered = errors.New("planes: a transport of that id is registered")
)

// NewRegistry returns an empty registry.
func NewRegistry(cfg RegistryConfig) (*TransportRegistry, error) {
	if err := cfg.Breaker.Validate(); err != nil {
		return nil, err
	}
	r := &TransportRegistry{cfg: cfg}
	r.breakers.init(cfg.Breaker, cfg.Observer.Breaker)
	r.set.Store(new(transports))
	return r, nil
}

// RegisterRequest adds a request transport. At least one of Client and Server must
// be there, and a Server must be comparable, as pointers are: a worker tells by it
// whether it stands under several ids.
func (r *TransportRegistry) RegisterRequest(t RequestTransport) error {
	if err := checkRegistration(t.Registration, RequestPlane, t.Client == nil && t.Server == nil); err != nil {
		return err
	}
	if t.Server != nil && !reflect.ValueOf(t.Server).Comparable() {
		return fmt.Errorf("planes: request transport %q has a server of type %T, which is not comparable; want a pointer", t.ID, t.Server)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.set.Load()
	if slices.ContainsFunc(old.requests, func(o RequestTransport) bool { return o.ID == t.ID }) {
		return fmt.Errorf("%w: request transport %q", ErrRegistered, t.ID)
	}
	list := append(slices.Clone(old.requests), t)
	slices.SortStableFunc(list, func(a, b RequestTransport) int { return cmp.Compare(a.Priority, b.Priority) })
	r.set.Store(&transports{requests: list, responses: old.responses})
	return nil
}

// RegisterResponse adds a response transport. At least one of Client and Server must
// be there. The id Exchange is not registered: it stands for the request's own stream.
func (r *TransportRegistry) RegisterResponse(t ResponseTransport) error {
	if err := checkRegistration(t.Registration, ResponsePlane, t.Client == nil && t.Server == nil); err != nil {
		return err
	}
	if t.ID == Exchange {
		return fmt.Errorf("planes: response transport %q stands for the request's own stream; choose another id", t.ID)
	}
	if t.Reply == "" {
		t.Reply = string(t.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.set.Load()
	if slices.ContainsFunc(old.responses, func(o ResponseTransport) bool { return o.ID == t.ID }) {
		return fmt.Errorf("%w: response transport %q", ErrRegistered, t.ID)
	}
	list := append(slices.Clone(old.responses), t)
	slices.SortStableFunc(list, func(a, b ResponseTransport) int { return cmp.Compare(a.Priority, b.Priority) })
	r.set.Store(&transports{requests: old.requests, responses: list})
	return nil
}

func checkRegistration(g Registration, p Plane, empty bool) error {
	switch {
	case g.ID == "":
		return fmt.Errorf("planes: a %s transport without id", p)
	case empty:
		return fmt.Errorf("planes: %s transport %q has neither client nor server", p, g.ID)
	case g.Capabilities.MaxMessageBytes < 0:
		return fmt.Errorf("planes: %s transport %q: MaxMessageBytes is %d; want 0 for no limit, or more", p, g.ID, g.Capabilities.MaxMessageBytes)
	}
	return nil
}

// Remove takes a transport out, and reports whether it was there. Calls that use it
// go on; the caller closes it when it is no longer needed.
func (r *TransportRegistry) Remove(p Plane, id TransportID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.set.Load()
	next := &transports{requests: old.requests, responses: old.responses}
	if p == RequestPlane {
		next.requests = slices.DeleteFunc(slices.Clone(old.requests), func(t RequestTransport) bool { return t.ID == id })
	} else {
		next.responses = slices.DeleteFunc(slices.Clone(old.responses), func(t ResponseTransport) bool { return t.ID == id })
	}
	r.set.Store(next)
	return len(next.requests)+len(next.responses) < len(old.requests)+len(old.responses)
}

// Request returns a request transport by its id.
func (r *TransportRegistry) Request(id TransportID) (RequestTransport, bool) {
	if t := r.set.Load().request(id); t != nil {
		return *t, true
	}
	return RequestTransport{}, false
}

// Response returns a response transport by its id.
func (r *TransportRegistry) Response(id TransportID) (ResponseTransport, bool) {
	if t := r.set.Load().response(id); t != nil {
		return *t, true
	}
	return ResponseTransport{}, false
}

// Answers returns the response transport whose client answers a ConnectionInfo of
// that transport name.
func (r *TransportRegistry) Answers(reply string) (ResponseTransport, bool) {
	for _, t := range r.set.Load().responses {
		if t.Reply == reply && t.Client != nil {
			return t, true
		}
	}
	return ResponseTransport{}, false
}

func (s *transports) request(id TransportID) *RequestTransport {
	for i := range s.requests {
		if s.requests[i].ID == id {
			return &s.requests[i]
		}
	}
	return nil
}

func (s *transports) response(id TransportID) *ResponseTransport {
	for i := range s.responses {
		if s.responses[i].ID == id {
			return &s.responses[i]
		}
	}
	return nil
}

// Requests returns the request transports, the preferred first.
func (r *TransportRegistry) Requests() []RequestTransport { return slices.Clone(r.set.Load().requests) }

// Responses returns the response transports, the preferred first.
func (r *TransportRegistry) Responses() []ResponseTransport {
	return slices.Clone(r.set.Load().responses)
}

// List returns what is registered in a plane, the preferred first.
func (r *TransportRegistry) List(p Plane) []Registration {
	var list []Registration
	set := r.set.Load()
	if p == RequestPlane {
		for _, t := range set.requests {
			list = append(list, t.Registration)
		}
		return list
	}
	for _, t := range set.responses {
		list = append(list, t.Registration)
	}
	return list
}

// Select returns the preferred transport of a plane that has the required
// capabilities. The error matches ErrNoTransport and says what each one lacks.
func (r *TransportRegistry) Select(p Plane, required Capabilities) (TransportID, error) {
	list := r.List(p)
	for _, g := range list {
		if g.Capabilities.Satisfies(required) {
			return g.ID, nil
		}
	}
	return "", fmt.Errorf("%w of the %s plane has %+v; registered are %+v", ErrNoTransport, p, required, list)
}
