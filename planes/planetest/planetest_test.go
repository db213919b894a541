package planetest_test

import (
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// The transport of this package passes its own suite, in both combinations.
func TestConformance(t *testing.T) {
	for _, response := range []planes.TransportID{planes.Exchange, planetest.Memory} {
		t.Run(string(response), func(t *testing.T) {
			planetest.Run(t, func(t testing.TB) planetest.Pair { return memoryPair(t, response) })
		})
	}
}

func memoryPair(tb testing.TB, response planes.TransportID) planetest.Pair {
	tb.Helper()
	n := planetest.NewNetwork()
	calls := planetest.NewTally()
	router, err := planes.NewRegistry(planes.RegistryConfig{Observer: calls.Observer()})
	if err != nil {
		tb.Fatal(err)
	}
	serving, err := planes.NewRegistry(planes.RegistryConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	home := n.Home("router")
	for _, err := range []error{
		router.RegisterRequest(n.RequestClient()),
		router.RegisterResponse(n.ResponseServer(home)),
		serving.RegisterRequest(n.RequestServer(n.Listen("worker"))),
		serving.RegisterResponse(n.ResponseClient("worker")),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return planetest.Pair{
		Router: router, Worker: serving, Calls: calls,
		Combination: worker.Pair{Request: planetest.Memory, Response: response},
		Kill:        func() { n.Crash("worker") },
		Close: func() {
			_ = home.Close()
			if n := n.Streams(); n != 0 {
				tb.Errorf("%d streams are open at the end", n)
			}
		},
	}
}
