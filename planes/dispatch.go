package planes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Call is a call through a TransportRegistry.
type Call struct {
	// Request is the call. It must stay as it is until the first Recv of the stream
	// has returned, because a call that was not taken is sent again another way.
	Request *Request
	// Require is what the transports must be able to do; the zero value requires
	// nothing. MaxMessageBytes is raised to the payload's size.
	Require Capabilities
	// Next returns where to send the call: first with a nil error, then with the
	// error of the target before, as long as the call is known not to have started.
	// It ends the call with that error by returning false.
	Next func(last error) (Target, bool)
}

// One returns a Next that has one target.
func One(t Target) func(error) (Target, bool) {
	return func(last error) (Target, bool) { return t, last == nil }
}

// candidate is one way to make a call.
type candidate struct {
	instance uint64
	request  *RequestTransport
	response *ResponseTransport // nil: in the same exchange
	offer    Offer
	// This call is the probe of the request's or the response's open breaker.
	probesRequest, probesResponse bool
}

func (c *candidate) requestKey() breakerKey {
	return breakerKey{c.instance, RequestPlane, c.request.ID}
}

func (c *candidate) responseKey() breakerKey {
	return breakerKey{c.instance, ResponsePlane, c.responseID()}
}

func (c *candidate) responseID() TransportID {
	if c.response == nil {
		return c.request.ID
	}
	return c.response.ID
}

func (c *candidate) info(p Plane, route string) CallInfo {
	i := CallInfo{Transport: c.request.ID, Plane: p, Route: route, Instance: c.instance, Target: c.offer.Request.Address.String()}
	if p == ResponsePlane {
		i.Transport = c.responseID()
	}
	return i
}

// candidates appends the ways to call t that this process has transports for and that
// do what is required, the preferred first: by the priority of the request transport,
// then of the response transport, then in the order of the worker.
func (r *TransportRegistry) candidates(list []candidate, t Target, require Capabilities) []candidate {
	set := r.set.Load()
	from := len(list)
	for i := range t.Offers {
		if q, a, ok := r.match(set, &t.Offers[i], require); ok {
			list = append(list, candidate{instance: t.Instance, request: q, response: a, offer: t.Offers[i]})
		}
	}
	if len(list)-from > 1 {
		slices.SortStableFunc(list[from:], func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.request.Priority, b.request.Priority), cmp.Compare(a.priority(), b.priority()))
		})
	}
	return list
}

// match returns the transports of this process that an offer needs, if they do what is
// required.
func (r *TransportRegistry) match(s *transports, o *Offer, require Capabilities) (*RequestTransport, *ResponseTransport, bool) {
	q := s.request(o.Request.Transport)
	if q == nil || q.Client == nil || !q.Capabilities.Satisfies(require) || !worth(o.Request.Capabilities, require) {
		return nil, nil, false
	}
	if o.Response.Transport == Exchange || o.Response.Transport == "" {
		_, ok := q.Client.(Exchanger)
		return q, nil, ok && r.allows(q.ID, Exchange)
	}
	if !r.allows(q.ID, o.Response.Transport) {
		return nil, nil, false
	}
	answer := Capabilities{Streaming: require.Streaming} // the rest is about the request
	a := s.response(o.Response.Transport)
	if a == nil || a.Server == nil || !a.Capabilities.Satisfies(answer) || !worth(o.Response.Capabilities, answer) {
		return nil, nil, false
	}
	return q, a, true
}

func (r *TransportRegistry) allows(request, response TransportID) bool {
	return r.cfg.Allow == nil || r.cfg.Allow(request, response)
}

// Reaches reports whether this process has the transports for one of t's offers, with
// what is required. It does not allocate.
func (r *TransportRegistry) Reaches(t *Target, require Capabilities) bool {
	set := r.set.Load()
	for i := range t.Offers {
		if _, _, ok := r.match(set, &t.Offers[i], require); ok {
			return true
		}
	}
	return false
}

func (c *candidate) priority() int {
	if c.response == nil {
		return 0
	}
	return c.response.Priority
}

// worth reports whether what a record says satisfies what is required; a record that
// says nothing does.
func worth(c, require Capabilities) bool { return c == Capabilities{} || c.Satisfies(require) }

// fault says what an error tells about the transport that it came over.
type fault uint8

const (
	faultNone      fault = iota // the call failed, not the transport
	faultTransport              // another transport may do better
	faultInstance               // the worker refused: another instance may do better
)

// faultOf sorts the errors of calls that have not delivered anything.
func faultOf(err error) fault {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		return faultNone
	}
	switch e.Code { //nolint:exhaustive // every other code is about the call
	case CodeTransport, CodePeerLost, CodeProtocol, CodeChecksum, CodeUnsupported, CodeFlood, CodeEpoch, CodeTooLarge:
		return faultTransport
	case CodeRefused, CodeOverloaded, CodeDraining, CodeNotFound, CodeInternal:
		return faultInstance
	}
	return faultNone
}

// counts reports whether an error is the transport's own fault, for its breaker.
func counts(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e == nil || e.Origin == OriginApp {
		return false // a handler may end its call with any code
	}
	switch e.Code { //nolint:exhaustive // the others say nothing about the transport
	case CodeTransport, CodePeerLost, CodeProtocol, CodeChecksum, CodeFlood:
		return true
	}
	return false
}

// Do makes a call and returns its answer. It tries the target's offers in order of
// preference, and then further targets, as long as the call is known not to have
// started; a transport whose breaker is open comes last. Errors that are known at once
// are returned by Do, others by the first Recv. ctx and Request.Timeout govern the
// whole stream. The caller reads the stream to its end or closes it.
func (r *TransportRegistry) Do(ctx context.Context, c Call) (StreamReader, error) {
	switch {
	case c.Request == nil || c.Next == nil:
		return nil, &Error{Code: CodeInternal, Phase: PhaseNotStarted, Op: "call", Reason: "a call needs Request and Next"}
	case ctx.Err() != nil:
		return nil, &Error{Code: CodeOf(ctx.Err()), Phase: PhaseNotStarted, Op: "call", Route: c.Request.Route, Err: context.Cause(ctx)}
	}
	c.Require.MaxMessageBytes = max(c.Require.MaxMessageBytes, int64(len(c.Request.Payload)))
	s := &callStream{reg: r, call: c, route: c.Request.Route}
	if c.Request.Timeout > 0 {
		s.ctx, s.cancel = context.WithTimeout(ctx, c.Request.Timeout)
	} else {
		s.ctx, s.cancel = context.WithCancel(ctx)
	}
	if err := s.advance(nil); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

// Unary makes a call that answers with at most one item, and returns a copy of it; nil
// if there was none.
func (r *TransportRegistry) Unary(ctx context.Context, c Call) ([]byte, error) {
	s, err := r.Do(ctx, c)
	if err != nil {
		return nil, err
	}
	return OneItem(ctx, s, c.Request.Route)
}

// OneItem reads a stream of at most one item to its end, and returns a copy of it.
func OneItem(ctx context.Context, s StreamReader, route string) ([]byte, error) {
	var out []byte
	n := 0
	for item, err := range All(ctx, s) {
		if err != nil {
			return nil, err
		}
		if n++; n > 1 {
			return nil, &Error{Code: CodeProtocol, Phase: PhaseStarted, Op: "call", Route: route, Items: 1, Reason: "the route answers with a stream"}
		}
		out = append([]byte{}, item...)
	}
	return out, nil
}

// noWay is the error of a target that cannot be called by what is registered.
func (r *TransportRegistry) noWay(t Target, require Capabilities, route string) *Error {
	any := require
	if any.MaxMessageBytes = 0; r.Reaches(&t, any) {
		return &Error{Code: CodeTooLarge, Phase: PhaseNotStarted, Op: "call", Route: route, Err: ErrNoTransport,
			Reason: fmt.Sprintf("no transport to instance %x carries %d bytes", t.Instance, require.MaxMessageBytes)}
	}
	var offers []string
	for _, o := range t.Offers {
		offers = append(offers, o.String())
	}
	return &Error{Code: CodeUnsupported, Phase: PhaseNotStarted, Op: "call", Route: route, Err: ErrNoTransport,
		Reason: fmt.Sprintf("no transport: instance %x offers %v; this process has request transports %v and response transports %v",
			t.Instance, offers, ids(r.List(RequestPlane)), ids(r.List(ResponsePlane)))}
}

func ids(list []Registration) []TransportID {
	out := make([]TransportID, len(list))
	for i, g := range list {
		out[i] = g.ID
	}
	return out
}
