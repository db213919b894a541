package conform_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/natsplane"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/planes/tcpport"
	"github.com/wireplane/wireplane/planes/worker"
)

// The two axes of the table.
var (
	requests  = []string{"mux", "released TCP", "HTTP/1.1", "h2c", "NATS"}
	responses = []string{
		"exchange", "exchange as SSE", "exchange as NDJSON", "attached GET",
		"call-home single", "call-home pooled", "call-home mux",
	}
)

// instance is the id of every worker here.
const instance = 0x7e57

// impossible returns why a cell of the table cannot be, or "".
func impossible(request, response string) string {
	exchange := response == "exchange" || response == "exchange as SSE" || response == "exchange as NDJSON"
	switch {
	case exchange && request == "released TCP":
		return "the released TCP request plane acknowledges a request and carries no answers"
	case exchange && request == "NATS":
		return "the NATS request plane acknowledges a request and carries no answers"
	case response == "exchange as SSE" || response == "exchange as NDJSON":
		if request == "mux" {
			return "a stream of the multiplexed plane has a form of its own"
		}
	}
	return ""
}

// Every combination of transports keeps what the suite of planes/planetest asks for.
func TestEveryCombinationConforms(t *testing.T) {
	nats := natstest.Start(t, 8<<20)
	for _, request := range requests {
		for _, response := range responses {
			t.Run(request+" + "+response, func(t *testing.T) {
				if why := impossible(request, response); why != "" {
					t.Logf("no such combination: %s", why)
					return
				}
				planetest.Run(t, func(tb testing.TB) planetest.Pair {
					b := newBuilder(tb, nats.URL())
					b.request(request, response)
					b.response(response)
					return b.pair()
				})
			})
		}
	}
}

// A cell that is said to be impossible is refused by the code, too: the table does not
// leave out what works.
func TestImpossibleCellsAreRefused(t *testing.T) {
	for _, request := range []string{"released TCP", "NATS"} {
		b := newBuilder(t, natstest.Start(t, 0).URL())
		b.request(request, "exchange")
		if q, ok := b.router.Request(b.combination.Request); !ok {
			t.Fatalf("%s is not registered", request)
		} else if _, ok := q.Client.(planes.Exchanger); ok {
			t.Errorf("%s is an Exchanger: the table must have its cells", request)
		}
		b.pair().Close()
	}
}

// builder makes both ends of one combination.
type builder struct {
	tb              testing.TB
	natsURL         string
	router, serving *planes.TransportRegistry
	calls           *planetest.Tally
	combination     worker.Pair
	kill, closers   []func()
	excluded        map[string]string
}

func newBuilder(tb testing.TB, natsURL string) *builder {
	tb.Helper()
	b := &builder{tb: tb, natsURL: natsURL, calls: planetest.NewTally(), combination: worker.Pair{Response: planes.Exchange}, excluded: map[string]string{}}
	var err error
	if b.router, err = planes.NewRegistry(planes.RegistryConfig{Observer: b.calls.Observer()}); err != nil {
		tb.Fatal(err)
	}
	if b.serving, err = planes.NewRegistry(planes.RegistryConfig{}); err != nil {
		tb.Fatal(err)
	}
	return b
}

// must stops the test for an error of what made v.
func must[T any](b *builder) func(v T, err error) T {
	return func(v T, err error) T {
		b.tb.Helper()
		if err != nil {
			b.tb.Fatal(err)
		}
		return v
	}
}

// requestBoth registers the two ends of a request transport.
func (b *builder) requestBoth(id planes.TransportID, c planes.Capabilities, exchanges bool, client planes.RequestClient, server planes.RequestServer) {
	b.tb.Helper()
	g := planes.Registration{ID: id, Capabilities: c}
	if err := b.router.RegisterRequest(planes.RequestTransport{Registration: g, Exchanges: exchanges, Client: client}); err != nil {
		b.tb.Fatal(err)
	}
	if err := b.serving.RegisterRequest(planes.RequestTransport{Registration: g, Exchanges: exchanges, Server: server}); err != nil {
		b.tb.Fatal(err)
	}
	b.combination.Request = id
	at := func() { // at once: what runs is cut off
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = server.Shutdown(ctx)
	}
	b.kill = append(b.kill, at)
	b.closers = append(b.closers, at, func() { _ = client.Close() })
}

func (b *builder) request(name, response string) {
	b.tb.Helper()
	switch name {
	case "mux", "released TCP":
		id, wire := planes.TCP, tcpport.Mux
		if name != "mux" {
			id, wire = planes.DynamoTCP, tcpport.Dynamo
		}
		server := must[*tcpport.Server](b)(tcpport.NewServer(tcpport.Config{Listener: testenv.Listen(b.tb), Wire: wire}))
		if name == "mux" {
			client := must[*tcpplane.RequestClient](b)(tcpplane.NewRequestClient(tcpplane.RequestClientConfig{}))
			b.requestBoth(id, tcpplane.RequestCapabilities(), true, client, server)
			return
		}
		b.excluded[planetest.RetryAfter] = "a refusal of the released wire is a line of text"
		client := must[*dynplane.Client](b)(dynplane.NewClient(dynplane.ClientConfig{}))
		b.requestBoth(id, dynplane.Capabilities(), false, client, server)
	case "HTTP/1.1", "h2c":
		id := planes.HTTP
		if name == "h2c" {
			id = planes.H2C
		}
		format := itemstream.Binary
		switch response {
		case "exchange as SSE":
			format = itemstream.SSE
		case "exchange as NDJSON":
			format = itemstream.NDJSON
		}
		server := must[*httpplane.Server](b)(httpplane.NewServer(httpplane.ServerConfig{Listener: testenv.Listen(b.tb)}))
		client := must[*httpplane.Client](b)(httpplane.NewClient(httpplane.ClientConfig{H2C: name == "h2c", Format: &format}))
		b.requestBoth(id, server.Capabilities(), true, client, server)
	case "NATS":
		near := must[*natsplane.Conn](b)(natsplane.Dial(natsplane.ConnConfig{URL: b.natsURL}))
		far := must[*natsplane.Conn](b)(natsplane.Dial(natsplane.ConnConfig{URL: b.natsURL}))
		b.excluded[planetest.RetryAfter] = "a refusal of the NATS plane is a line of text"
		b.excluded[planetest.NotFound] = "nobody listens on the subject, so that the NATS server answers, with PEER_LOST"
		server := natsplane.NewServer(far, natsplane.ServerConfig{})
		b.requestBoth(planes.NATS, server.Capabilities(), false, natsplane.NewClient(near, natsplane.ClientConfig{}), server)
		b.closers = append(b.closers, func() { _, _ = near.Close(), far.Close() })
	default:
		panic(fmt.Sprintf("no request transport %q", name))
	}
}

// responseBoth registers the two ends of a response transport.
func (b *builder) responseBoth(id planes.TransportID, reply string, client planes.ResponseClient, server planes.ResponseServer) {
	b.tb.Helper()
	g := planes.Registration{ID: id, Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true}}
	if err := b.router.RegisterResponse(planes.ResponseTransport{Registration: g, Reply: reply, Server: server}); err != nil {
		b.tb.Fatal(err)
	}
	if err := b.serving.RegisterResponse(planes.ResponseTransport{Registration: g, Reply: reply, Client: client}); err != nil {
		b.tb.Fatal(err)
	}
	b.combination.Response = id
	b.kill = append([]func(){func() { _ = client.Close() }}, b.kill...)
	b.closers = append(b.closers, func() { _ = client.Close() }, func() { _ = server.Close() })
}

func (b *builder) response(name string) {
	b.tb.Helper()
	modes := map[string]callhome.Mode{"call-home single": callhome.Single, "call-home pooled": callhome.Pooled, "call-home mux": callhome.Mux}
	switch name {
	case "exchange", "exchange as SSE", "exchange as NDJSON":
	case "attached GET":
		client := must[*httpplane.ResponseListener](b)(httpplane.NewResponseListener(httpplane.ListenerConfig{Listener: testenv.Listen(b.tb)}))
		server := must[*httpplane.Attacher](b)(httpplane.NewAttacher(httpplane.ClientConfig{}))
		b.responseBoth(planes.HTTP, httpplane.ResponseTransport, client, server)
	default:
		mode, ok := modes[name]
		if !ok {
			panic(fmt.Sprintf("no response transport %q", name))
		}
		server := must[*callhome.Listener](b)(callhome.Listen(callhome.Config{Listener: testenv.Listen(b.tb)}))
		client := must[*callhome.Dialer](b)(callhome.NewDialer(callhome.DialerConfig{Mode: mode, Instance: instance}))
		b.responseBoth(planes.TCP, "tcp_server", client, server)
	}
}

func (b *builder) pair() planetest.Pair {
	return planetest.Pair{
		Router: b.router, Worker: b.serving, Calls: b.calls, Combination: b.combination, Instance: instance, Excluded: b.excluded,
		Kill: func() {
			for _, f := range b.kill {
				f()
			}
		},
		Close: func() {
			for _, f := range b.closers {
				f()
			}
		},
	}
}
