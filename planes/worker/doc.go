// Package worker serves endpoints over any set of transports and registers them.
//
// A Worker takes handlers by their path, namespace/component/endpoint, serves every
// request transport of its registry, and answers in the request's own exchange or over
// the response transport that a request asks for. It registers one instance per
// endpoint in a discovery store, with all the ways to call it.
//
// # Bounds
//
// At most MaxInFlight handlers run and MaxQueued calls wait; what comes beyond is
// refused with CodeOverloaded, before anything of it is kept.
//
// # Drain
//
// Shutdown takes the instances out of discovery, tells running handlers (see Draining),
// refuses new calls with CodeDraining, which callers may repeat elsewhere, and waits for
// those that run until its context ends; what is left then is cancelled.
package worker
