package worker

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

// maxOffers is how many ways a record has room for.
const maxOffers = 16

// pairs returns the combinations to advertise.
func (w *Worker) pairs() []Pair {
	if w.cfg.Offers != nil {
		return w.cfg.Offers
	}
	var list []Pair
	for _, q := range w.cfg.Registry.Requests() {
		if q.Server == nil {
			continue
		}
		if q.Exchanges {
			list = append(list, Pair{q.ID, planes.Exchange})
		}
		for _, r := range w.cfg.Registry.Responses() {
			if r.Client != nil {
				list = append(list, Pair{q.ID, r.ID})
			}
		}
	}
	return list
}

// instance makes the record of an endpoint.
func (w *Worker) instance(path string) (discovery.Instance, error) {
	q := discovery.QueryPath(path)
	i := discovery.Instance{Namespace: q.Namespace, Component: q.Component, Endpoint: q.Endpoint, ID: w.cfg.Instance}
	var list []discovery.Transport
	for _, p := range w.pairs() {
		t, err := w.offer(path, p)
		if err != nil {
			return i, err
		}
		if w.cfg.Released && len(list) == 0 {
			if r, ok := released(t.Unified); ok {
				list = append(list, r)
			}
		}
		if len(list) == maxOffers {
			w.log.Warn("not all ways to call fit into the record", "route", path, "kept", maxOffers, "first left out", p)
			break
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return i, fmt.Errorf("worker: nothing to advertise for %q: %w", path, planes.ErrNoTransport)
	}
	i.Transport, i.Alternatives = list[0], list[1:]
	return i, nil
}

// offer describes one combination.
func (w *Worker) offer(path string, p Pair) (discovery.Transport, error) {
	q, ok := w.cfg.Registry.Request(p.Request)
	if !ok || q.Server == nil {
		return discovery.Transport{}, fmt.Errorf("worker: %s: no request server %q is registered", p, p.Request)
	}
	request := planes.Endpoint{Transport: q.ID, Address: q.Server.Address(path, w.cfg.Instance), Capabilities: q.Capabilities}
	if a, ok := q.Server.(planes.Advertiser); ok {
		request.Metadata = a.Advertise(path, w.cfg.Instance).Metadata
	}
	if p.Response == planes.Exchange {
		if !q.Exchanges {
			return discovery.Transport{}, fmt.Errorf("worker: %s: request transport %q carries no answers", p, p.Request)
		}
		return discovery.UnifiedTransport(request, planes.Endpoint{Transport: planes.Exchange, Capabilities: q.Capabilities}), nil
	}
	r, ok := w.cfg.Registry.Response(p.Response)
	if !ok || r.Client == nil {
		return discovery.Transport{}, fmt.Errorf("worker: %s: no response client %q is registered", p, p.Response)
	}
	response := planes.Endpoint{Transport: r.ID, Capabilities: r.Capabilities}
	if a, ok := r.Client.(planes.Advertiser); ok {
		e := a.Advertise(path, w.cfg.Instance)
		response.Address, response.Metadata = e.Address, e.Metadata
	}
	return discovery.UnifiedTransport(request, response), nil
}

// released returns the form of a combination that released readers, or those of the
// founding document, understand.
func released(u *discovery.Unified) (discovery.Transport, bool) {
	a := u.Request.Address
	switch callHome := u.Response.Transport == planes.TCP; {
	case u.Request.Transport == planes.NATS && callHome:
		return discovery.NATSTCP(a.Subject), true
	case u.Request.Transport == planes.DynamoTCP && callHome:
		return discovery.ReleasedTCP(a.String()), true
	case u.Request.Transport == planes.HTTP && callHome:
		return discovery.HTTPTCP(a.URL), true
	case u.Request.Transport == planes.HTTP && u.Response.Transport == planes.HTTP:
		return discovery.HTTPHTTP(a.URL, strings.TrimSuffix(u.Response.Address.URL, "/")), true
	case u.Request.Transport == planes.TCP && u.Response.Transport == planes.Exchange:
		return discovery.TCPTCP(a.String()), true
	}
	return discovery.Transport{}, false
}
