package planes_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
)

func registryOf(t *testing.T, list ...planes.Registration) *planes.TransportRegistry {
	t.Helper()
	r, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		t.Fatal(err)
	}
	n := planetest.NewNetwork()
	for _, g := range list {
		if err := r.RegisterRequest(planes.RequestTransport{Registration: g, Client: n.Client()}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func idsOf(list []planes.Registration) string {
	var ids []string
	for _, g := range list {
		ids = append(ids, string(g.ID))
	}
	return strings.Join(ids, " ")
}

// The lowest priority number wins, equals keep their order, and what lacks a capability
// is passed over.
func TestSelectionByPriorityAndCapability(t *testing.T) {
	small := planes.Capabilities{Streaming: true, MaxMessageBytes: 100}
	r := registryOf(t,
		planes.Registration{ID: "b", Priority: 5, Capabilities: planes.Capabilities{Streaming: true}},
		planes.Registration{ID: "a", Priority: 5, Capabilities: planes.Capabilities{Bidirectional: true}},
		planes.Registration{ID: "z", Priority: -1, Capabilities: small})
	if got := idsOf(r.List(planes.RequestPlane)); got != "z b a" {
		t.Errorf("listed as %q; want z b a", got)
	}
	for _, tc := range []struct {
		want    planes.TransportID
		require planes.Capabilities
	}{
		{"z", planes.Capabilities{}},
		{"z", planes.Capabilities{MaxMessageBytes: 100}},
		{"b", planes.Capabilities{Streaming: true, MaxMessageBytes: 101}},
		{"a", planes.Capabilities{Bidirectional: true}},
	} {
		if got, err := r.Select(planes.RequestPlane, tc.require); got != tc.want || err != nil {
			t.Errorf("%+v selects %q, %v; want %q", tc.require, got, err, tc.want)
		}
	}
	_, err := r.Select(planes.RequestPlane, planes.Capabilities{PersistentConnections: true})
	if !errors.Is(err, planes.ErrNoTransport) || !strings.Contains(err.Error(), "PersistentConnections:true") {
		t.Errorf("nothing is persistent: %v", err)
	}
	if _, err := r.Select(planes.ResponsePlane, planes.Capabilities{}); !errors.Is(err, planes.ErrNoTransport) {
		t.Errorf("an empty plane: %v", err)
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	r := registryOf(t, planes.Registration{ID: "a"})
	n := planetest.NewNetwork()
	home := n.Home("h")
	for _, tc := range []struct {
		name string
		err  error
		is   error
	}{
		{"a taken id", r.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: "a"}, Client: n.Client()}), planes.ErrRegistered},
		{"no id", r.RegisterRequest(planes.RequestTransport{Client: n.Client()}), nil},
		{"nothing inside", r.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: "b"}}), nil},
		{"a negative size", r.RegisterRequest(planes.RequestTransport{Client: n.Client(),
			Registration: planes.Registration{ID: "b", Capabilities: planes.Capabilities{MaxMessageBytes: -1}}}), nil},
		{"a server that cannot be compared", r.RegisterRequest(planes.RequestTransport{Registration: planes.Registration{ID: "b"},
			Server: struct {
				planes.RequestServer
				f func()
			}{}}), nil},
		{"the name of the request's own stream", r.RegisterResponse(planes.ResponseTransport{Server: home,
			Registration: planes.Registration{ID: planes.Exchange}}), nil},
	} {
		if tc.err == nil || tc.is != nil && !errors.Is(tc.err, tc.is) {
			t.Errorf("%s: %v", tc.name, tc.err)
		}
	}
	if err := r.RegisterResponse(planes.ResponseTransport{Registration: planes.Registration{ID: "a"}, Server: home}); err != nil {
		t.Errorf("the same id in the other plane: %v", err)
	}
	if got := idsOf(r.List(planes.RequestPlane)); got != "a" {
		t.Errorf("registered are %q", got)
	}
}

func TestWrongBreakerSettingsAreAllReported(t *testing.T) {
	_, err := planes.NewRegistry(planes.RegistryConfig{Breaker: planes.BreakerConfig{Failures: -1, Open: -1, MaxOpen: -1, MaxTracked: -1}})
	for _, field := range []string{"Failures", "Open", "MaxOpen", "MaxTracked"} {
		if err == nil || !strings.Contains(err.Error(), "BreakerConfig."+field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

// A transport that is taken out is used no more, and can be put in again.
func TestRemove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{})
		defer r.close()
		to := r.serve(1, workerConfig, item("x"))
		first, _ := r.reg.Request("first")
		if !r.reg.Remove(planes.RequestPlane, "first") || r.reg.Remove(planes.RequestPlane, "first") || r.reg.Remove(planes.ResponsePlane, "second") {
			t.Error("Remove does not say what was there")
		}
		r.nets["first"].SetFaults(func(planetest.Point) planetest.Fault {
			t.Error("the removed transport is used")
			return planetest.Fault{}
		})
		if items, err := r.call(to); err != nil || len(items) != 1 {
			t.Errorf("%d items, %v", len(items), err)
		}
		if _, err := r.call(only(to, 0)); !errors.Is(err, planes.ErrNoTransport) || planes.CodeOf(err) != planes.CodeUnsupported {
			t.Errorf("the only offer is of the removed transport: %v", err)
		}
		if r.reg.Reaches(&planes.Target{Offers: to.Offers[:1]}, planes.Capabilities{}) {
			t.Error("the removed transport is said to be of use")
		}
		r.nets["first"].SetFaults(nil)
		if err := r.reg.RegisterRequest(first); err != nil {
			t.Error(err)
		}
		if items, err := r.call(only(to, 0)); err != nil || len(items) != 1 {
			t.Errorf("%d items, %v", len(items), err)
		}
	})
}

// A worker's preference decides where the router's priorities are equal, and a request
// that is too large for the preferred transport goes over the next.
func TestOrderOfOffers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, planes.BreakerConfig{})
		defer r.close()
		to := r.serve(1, workerConfig, item("x"))
		var used []string
		for id, n := range r.nets {
			n.SetFaults(func(p planetest.Point) planetest.Fault {
				if p.Stage == planetest.StageDial {
					used = append(used, string(id))
				}
				return planetest.Fault{}
			})
		}
		check := func(what string, req *planes.Request, want string, offers ...int) {
			t.Helper()
			used = nil
			if _, err := r.do(t.Context(), req, only(to, offers...)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if got := strings.Join(used, " "); got != want {
				t.Errorf("%s: %q was used; want %q", what, got, want)
			}
		}
		small := &planes.Request{Route: route}
		check("the router's priority", small, "first", 1, 0)
		small.Payload = make([]byte, 1000)
		first, _ := r.reg.Request("first")
		first.Capabilities.MaxMessageBytes = 999
		r.reg.Remove(planes.RequestPlane, "first")
		if err := r.reg.RegisterRequest(first); err != nil {
			t.Fatal(err)
		}
		check("too large for the first", small, "second", 0, 1)
		_, err := r.do(t.Context(), small, only(to, 0))
		if planes.CodeOf(err) != planes.CodeTooLarge {
			t.Errorf("too large for all: %v; want TOO_LARGE", err)
		}
		small.Payload = nil
		first.Priority, first.Capabilities = 1, planes.Capabilities{} // now equal to the second
		r.reg.Remove(planes.RequestPlane, "first")
		if err := r.reg.RegisterRequest(first); err != nil {
			t.Fatal(err)
		}
		check("the worker's order", small, "second", 1, 0)
		check("the worker's order, turned", small, "first", 0, 1)
	})
}

// Looking for a way costs no memory.
func TestReachesAllocs(t *testing.T) {
	r := registryOf(t, planes.Registration{ID: "a"}, planes.Registration{ID: "b"})
	to := planes.Target{Offers: []planes.Offer{{Request: planes.Endpoint{Transport: "c"}}, {Request: planes.Endpoint{Transport: "b"}}}}
	if n := testing.AllocsPerRun(100, func() {
		if !r.Reaches(&to, planes.Capabilities{}) {
			t.Error("not reached")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
