package planetest_test

import (
	"context"
	"fmt"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// count answers with the numbers from 1 to 3.
func count(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
	for i := range 3 {
		if err := w.Send(fmt.Append(nil, i+1)); err != nil {
			return err
		}
	}
	return nil
}

// A worker and a router over a transport of one's own, here the one of this package:
// registered like any other, found by discovery, called by path.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1
	// 2
	// 3
}

func example(ctx context.Context) error {
	net := planetest.NewNetwork()
	store := discovery.NewMemory().Open(discovery.Config{})
	defer func() { _ = store.Close() }()

	serving, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		return err
	}
	if err := serving.RegisterRequest(net.RequestServer(net.Listen("worker-1"))); err != nil {
		return err
	}
	w, err := worker.New(worker.Config{Registry: serving, Store: store})
	if err != nil {
		return err
	}
	if err := w.HandleFunc("demo/backend/count", count); err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = w.Shutdown(ctx) }()

	calling, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		return err
	}
	if err := calling.RegisterRequest(net.RequestClient()); err != nil {
		return err
	}
	r, err := router.New(router.Config{Registry: calling, Store: store})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()

	s, err := r.Stream(ctx, "demo/backend/count", &planes.Request{})
	if err != nil {
		return err
	}
	for item, err := range planes.All(ctx, s) {
		if err != nil {
			return err
		}
		fmt.Println(string(item))
	}
	return nil
}

// Faults are ordered by stage: here the first dial fails, and because nothing can have
// started the error is safe to retry.
func ExampleNetwork_SetFaults() {
	net := planetest.NewNetwork()
	net.SetFaults(func(p planetest.Point) planetest.Fault {
		return planetest.Fault{Lose: p.Stage == planetest.StageDial}
	})
	to := planes.Address{Kind: planes.AddressTCP, Host: "worker-1", Port: 1}
	_, err := net.Client().Exchange(context.Background(), to, &planes.Request{Route: "demo/backend/count"})
	fmt.Println(planes.CodeOf(err), planes.SafeToRetry(err))
	// Output: TRANSPORT true
}
