package planes

import "time"

// CallInfo names a call half in an Observer's events.
type CallInfo struct {
	Transport TransportID
	Plane     Plane
	Route     string // "" at a worker that does not serve it, whatever the caller wrote
	Instance  uint64
	Target    string // address of the peer
}

// CallResult is how a call half ended.
type CallResult struct {
	Err     error // nil: cleanly
	Elapsed time.Duration
	// First is the time to the first item, 0 if there was none.
	First        time.Duration
	Items, Bytes uint64 // of the answer, on the response plane
}

// Observer is told what happens to calls. Functions that are nil are not called. They
// run on the goroutine of the call and must not block.
//
// Each call has one Start and one End on the request plane, from the attempt until
// the request was taken or was not, and, if it was taken, one Start and one End on the
// response plane, whose End is the terminal of the call.
type Observer struct {
	Start func(CallInfo)
	End   func(CallInfo, CallResult)
	// Fallback runs when a call moves on from one way to the next, of the same instance
	// or of another.
	Fallback func(from, to CallInfo, err error)
	// Breaker runs when the breaker of an instance's transport opens or closes.
	Breaker func(instance uint64, transport TransportID, open bool)
	// CallHome runs for each call-home connection that is turned away: late, duplicate,
	// unknown, bad token.
	CallHome func(reason string)
}

// Observers returns an Observer that tells all of them, in order.
func Observers(all ...Observer) Observer {
	var o Observer
	for _, x := range all {
		o.Start = both(o.Start, x.Start)
		o.CallHome = both(o.CallHome, x.CallHome)
		if f, g := o.End, x.End; f == nil {
			o.End = g
		} else if g != nil {
			o.End = func(i CallInfo, r CallResult) { f(i, r); g(i, r) }
		}
		if f, g := o.Fallback, x.Fallback; f == nil {
			o.Fallback = g
		} else if g != nil {
			o.Fallback = func(a, b CallInfo, err error) { f(a, b, err); g(a, b, err) }
		}
		if f, g := o.Breaker, x.Breaker; f == nil {
			o.Breaker = g
		} else if g != nil {
			o.Breaker = func(i uint64, t TransportID, open bool) { f(i, t, open); g(i, t, open) }
		}
	}
	return o
}

func both[T any](f, g func(T)) func(T) {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return func(v T) { f(v); g(v) }
}
