package worker_test

import (
	"context"
	"fmt"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

// A handler may heed a drain: it says so in an item and ends early.
func ExampleDraining() {
	net := planetest.NewNetwork()
	reg, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := reg.RegisterRequest(net.RequestServer(net.Listen("worker"))); err != nil {
		fmt.Println(err)
		return
	}
	w, err := worker.New(worker.Config{Registry: reg, MaxInFlight: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, begun := context.Background(), make(chan struct{})
	err = w.HandleFunc("demo/backend/work", func(ctx context.Context, _ *planes.Request, out planes.ResponseWriter) error {
		close(begun)
		select {
		case <-worker.Draining(ctx):
			return out.Send([]byte("finished early"))
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	s, err := net.Client().Exchange(ctx, planes.Address{Kind: planes.AddressTCP, Host: "worker", Port: 1}, &planes.Request{Route: "demo/backend/work"})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-begun
	fmt.Println(w.Shutdown(ctx))
	items, err := planes.Collect(ctx, s, 1<<20)
	fmt.Printf("%s %v\n", items, err)
	// Output:
	// <nil>
	// [finished early] <nil>
}
