package planes_test

import (
	"errors"
	"fmt"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
)

// Transports are registered with a priority, and chosen by what they can do.
func ExampleTransportRegistry_Select() {
	r, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	net := planetest.NewNetwork()
	for _, g := range []planes.Registration{
		{ID: "backup", Priority: 10, Capabilities: planes.Capabilities{Streaming: true}},
		{ID: "small", Priority: 1, Capabilities: planes.Capabilities{Streaming: true, MaxMessageBytes: 1 << 20}},
	} {
		if err := r.RegisterRequest(planes.RequestTransport{Registration: g, Client: net.Client()}); err != nil {
			fmt.Println(err)
		}
	}
	for _, size := range []int64{1000, 2 << 20} {
		id, err := r.Select(planes.RequestPlane, planes.Capabilities{Streaming: true, MaxMessageBytes: size})
		fmt.Println(size, id, err)
	}
	_, err = r.Select(planes.RequestPlane, planes.Capabilities{Bidirectional: true})
	fmt.Println(errors.Is(err, planes.ErrNoTransport))
	// Output:
	// 1000 small <nil>
	// 2097152 backup <nil>
	// true
}
