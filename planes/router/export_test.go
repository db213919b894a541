package router

import (
	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
)

// Picker returns a function that picks among instances, as a call does.
func Picker(r *planes.TransportRegistry, instances []discovery.Instance, p Policy) func() bool {
	e := newEndpoint("a/b/c", nil, nil)
	e.apply([]discovery.Event{{Op: discovery.Snapshot, Instances: instances}})
	f := &filter{registry: r}
	return func() bool { return e.pick(p, f) != nil }
}
