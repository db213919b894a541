package discovery

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// Instance is one worker's endpoint. Instances that a Store or a Cache hands out are
// shared: read them, and Clone before changing what a slice, map or pointer holds.
type Instance struct {
	// Namespace, Component and Endpoint name the route: [a-z0-9-_]+ each, where the
	// namespace may be several such names joined by dots, and the endpoint anything
	// without '/'.
	Namespace, Component, Endpoint string
	// ID distinguishes the instances of a route; 0 in Register lets the store choose.
	ID uint64
	// Transport is how the worker is reached, and all that released readers see.
	Transport Transport
	// Alternatives are further ways, less preferred, at most 16. Only readers of this
	// module see them.
	Alternatives []Transport
	// Health is what the worker says of itself; the zero value is healthy.
	Health Health
	// LastHeartbeat is when the worker last wrote its record, in whole seconds; zero
	// where the writer does not say, as released ones do not. Stores set it.
	LastHeartbeat time.Time
	// Epoch orders the lives of an instance that keeps its ID: the higher one is the
	// present. 0 in Register takes the time in milliseconds since 1970.
	Epoch uint64
	// DeviceType is "cpu", "cuda" or empty, and RequestPlaneCodec "json", "msgpack" or
	// empty (json). They are the released record's, and are carried as they are.
	DeviceType, RequestPlaneCodec string
}

// Path returns namespace/component/endpoint, the route of the instance.
func (i *Instance) Path() string { return i.Namespace + "/" + i.Component + "/" + i.Endpoint }

// String returns the path and the id as in the key.
func (i *Instance) String() string { return fmt.Sprintf("%s/%x", i.Path(), i.ID) }

// Target returns the ways to call the instance, Transport's first, then those of the
// alternatives.
func (i *Instance) Target() planes.Target {
	t := planes.Target{Instance: i.ID, Offers: i.Transport.Offers()}
	for _, a := range i.Alternatives {
		t.Offers = append(t.Offers, a.Offers()...)
	}
	return t
}

// Clone returns a copy that shares nothing with i.
func (i *Instance) Clone() Instance {
	c := *i
	c.Transport = c.Transport.clone()
	c.Alternatives = nil
	for _, a := range i.Alternatives {
		c.Alternatives = append(c.Alternatives, a.clone())
	}
	return c
}

// Equal reports whether a and b say the same, heartbeats included.
func (i *Instance) Equal(b *Instance) bool {
	return i.LastHeartbeat.Equal(b.LastHeartbeat) && i.SameService(b)
}

// SameService reports whether a and b say the same but for the time of the heartbeat.
func (i *Instance) SameService(b *Instance) bool {
	return i.ID == b.ID && i.Epoch == b.Epoch && i.Health == b.Health &&
		i.Namespace == b.Namespace && i.Component == b.Component && i.Endpoint == b.Endpoint &&
		i.DeviceType == b.DeviceType && i.RequestPlaneCodec == b.RequestPlaneCodec &&
		i.Transport.Equal(b.Transport) && sameTransports(i.Alternatives, b.Alternatives)
}

func sameTransports(a, b []Transport) bool {
	if len(a) != len(b) {
		return false
	}
	for n := range a {
		if !a[n].Equal(b[n]) {
			return false
		}
	}
	return true
}

// maxAlternatives bounds Instance.Alternatives.
const maxAlternatives = 16

// Validate says what keeps i from being registered, or returns nil. An ID of 0 is fine.
func (i *Instance) Validate() error {
	for _, part := range strings.Split(i.Namespace, ".") {
		if !isName(part) {
			return fmt.Errorf("discovery: namespace %.100q: want names of a-z, 0-9, - and _, joined by dots", i.Namespace)
		}
	}
	if !isName(i.Component) {
		return fmt.Errorf("discovery: component %.100q: want a-z, 0-9, - and _", i.Component)
	}
	if i.Endpoint == "" || strings.Contains(i.Endpoint, "/") || len(i.Path()) > maxPath {
		return fmt.Errorf("discovery: endpoint %.100q: want a name without '/', and at most %d bytes in the whole path", i.Endpoint, maxPath)
	}
	if len(i.Alternatives) > maxAlternatives {
		return fmt.Errorf("discovery: %d alternatives; want at most %d", len(i.Alternatives), maxAlternatives)
	}
	for _, t := range append([]Transport{i.Transport}, i.Alternatives...) {
		if err := t.Validate(); err != nil {
			return err
		}
	}
	return i.Health.validate()
}

// maxPath bounds a path in bytes: it is a request's route.
const maxPath = 1024

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}

// HealthStatus is how a worker says it is. The zero value is Healthy.
type HealthStatus uint8

// The statuses.
const (
	Healthy HealthStatus = iota
	// Degraded: callable, and others are better.
	Degraded
	// Unhealthy: not to be called while others are there.
	Unhealthy
)

// String returns the word of the record.
func (s HealthStatus) String() string {
	switch s {
	case Healthy:
		return "healthy"
	case Degraded:
		return "degraded"
	case Unhealthy:
		return "unhealthy"
	}
	return fmt.Sprintf("HealthStatus(%d)", uint8(s))
}

// Health is a status and, unless it is Healthy, the reason, at most 1 KiB.
type Health struct {
	Status HealthStatus
	Reason string
}

const maxReason = 1024

func (h Health) validate() error {
	switch {
	case h.Status > Unhealthy:
		return fmt.Errorf("discovery: health status %d; want healthy, degraded or unhealthy", h.Status)
	case h.Status == Healthy && h.Reason != "":
		return fmt.Errorf("discovery: healthy with the reason %.100q", h.Reason)
	case len(h.Reason) > maxReason:
		return fmt.Errorf("discovery: health reason of %d bytes; want at most %d", len(h.Reason), maxReason)
	}
	return nil
}

// Equal reports whether a and b are the same way to reach a worker.
func (t Transport) Equal(b Transport) bool {
	return t.Kind == b.Kind && t.Endpoint == b.Endpoint && t.ResponseEndpoint == b.ResponseEndpoint &&
		(t.Unified == b.Unified || reflect.DeepEqual(t.Unified, b.Unified))
}
