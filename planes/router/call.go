package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/wireplane/wireplane/planes"
)

// CallOption changes one call.
type CallOption interface{ apply(*options) }

type options struct {
	direct  uint64
	policy  Policy
	require planes.Capabilities
	migrate *migration
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// To calls one instance and no other, however it is.
func To(instance uint64) CallOption { return optionFunc(func(o *options) { o.direct = instance }) }

// With picks by another policy.
func With(p Policy) CallOption { return optionFunc(func(o *options) { o.policy = p }) }

// Require uses only transports that can do this.
func Require(c planes.Capabilities) CallOption {
	return optionFunc(func(o *options) { o.require = c })
}

// Stream calls the endpoint at path and returns its answer, which the caller reads to
// its end or closes. req.Route may be empty: the worker's record and the path say it.
// ctx and req.Timeout govern the whole stream; req must stay as it is until the first
// Recv has returned.
func (r *Router) Stream(ctx context.Context, path string, req *planes.Request, opts ...CallOption) (planes.StreamReader, error) {
	o := options{policy: r.cfg.Policy}
	for _, opt := range opts {
		opt.apply(&o)
	}
	if o.migrate != nil {
		return r.migrating(ctx, path, req, o)
	}
	return r.stream(ctx, path, req, &o)
}

// Call is Stream for endpoints that answer with at most one item, of which it returns a
// copy, nil if there was none.
func (r *Router) Call(ctx context.Context, path string, req *planes.Request, opts ...CallOption) ([]byte, error) {
	s, err := r.Stream(ctx, path, req, opts...)
	if err != nil {
		return nil, err
	}
	return planes.OneItem(ctx, s, path)
}

func (r *Router) stream(ctx context.Context, path string, req *planes.Request, o *options) (planes.StreamReader, error) {
	e, err := r.endpoint(path)
	if err != nil {
		return nil, err
	}
	r.looked(e)
	if err := e.wait(ctx, r.cfg.WaitForInstance); err != nil {
		return nil, err
	}
	own := *req
	if own.Route == "" {
		own.Route = path
	}
	r.budget.earn()
	s := &stream{router: r, endpoint: e, o: o, require: o.require}
	s.require.MaxMessageBytes = max(s.require.MaxMessageBytes, int64(len(req.Payload)))
	s.inner, err = r.cfg.Registry.Do(ctx, planes.Call{Request: &own, Require: o.require, Next: s.next})
	if err != nil {
		s.done(err)
		if len(s.tried) == 0 && planes.CodeOf(err) == planes.CodeNotFound {
			return nil, noInstance(e)
		}
		return nil, err
	}
	return s, nil
}

// stream counts a call as in flight at the instance that has it.
type stream struct {
	router   *Router
	endpoint *endpoint
	o        *options
	require  planes.Capabilities
	inner    planes.StreamReader
	tried    []*node
	at       *node
	over     atomic.Bool
}

// next picks the instance to call, at first and after a failure.
func (s *stream) next(last error) (planes.Target, bool) {
	if last != nil {
		s.leave(last)
		if s.o.direct != 0 || len(s.tried) > s.router.cfg.Retries {
			return planes.Target{}, false
		}
	}
	nodes := s.endpoint.view.Load().nodes
	var n *node
	if s.o.direct != 0 {
		for _, x := range nodes {
			if x.instance.ID == s.o.direct {
				n = x
			}
		}
	} else {
		n = s.endpoint.pick(s.o.policy, &filter{s.tried, s.router.cfg.Registry, s.require})
	}
	switch {
	case n == nil && last == nil && s.o.direct == 0 && len(nodes) > 0:
		return nodes[0].target, true // nobody can be called with what is registered here; the error says why
	case n == nil, last != nil && !s.router.budget.spend():
		return planes.Target{}, false
	}
	s.tried = append(s.tried, n)
	s.at = n
	n.inFlight.Add(1)
	return n.target, true
}

// leave ends the call at the present instance, which is left alone for a while if the
// fault was its own.
func (s *stream) leave(err error) {
	if s.at == nil {
		return
	}
	s.at.inFlight.Add(-1)
	if err != nil && ownFault(err) {
		s.at.inhibit(s.router.cfg.Inhibit)
	}
	s.at = nil
}

// ownFault reports whether err says that an instance is better left alone.
func ownFault(err error) bool {
	var e *planes.Error
	if !errors.As(err, &e) || e == nil || e.Origin == planes.OriginApp {
		return false
	}
	switch e.Code { //nolint:exhaustive // the others say nothing about the instance
	case planes.CodeTransport, planes.CodePeerLost, planes.CodeProtocol, planes.CodeChecksum, planes.CodeFlood,
		planes.CodeDraining, planes.CodeNotFound, planes.CodeRefused:
		return true
	}
	return false
}

func (s *stream) done(err error) {
	if s.over.CompareAndSwap(false, true) {
		s.leave(err)
	}
}

// Recv implements planes.StreamReader.
func (s *stream) Recv(ctx context.Context) ([]byte, error) {
	item, err := s.inner.Recv(ctx)
	if err != nil && (ctx.Err() == nil || planes.IsTerminal(err)) {
		s.done(err)
	}
	return item, err
}

// Stop implements planes.StreamReader.
func (s *stream) Stop() { s.inner.Stop() }

// Close implements planes.StreamReader.
func (s *stream) Close() error {
	err := s.inner.Close()
	s.done(nil)
	return err
}

// noInstance is the error of a call for which there is nobody.
func noInstance(e *endpoint) *planes.Error {
	return refused(planes.CodeNotFound, e.path, fmt.Sprintf("no instance of %d can be called", len(e.view.Load().nodes)), nil)
}

// looked tells whether a call found instances at once.
func (r *Router) looked(e *endpoint) {
	f := r.cfg.Discovery.CacheHit
	if len(e.view.Load().nodes) == 0 {
		f = r.cfg.Discovery.CacheMiss
	}
	if f != nil {
		f()
	}
}
