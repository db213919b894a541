package httpplane_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

// greeter is a dispatcher with one endpoint.
type greeter struct{}

func (greeter) Routes() []string { return []string{"demo/backend/greet"} }

func (greeter) ServeCall(_ context.Context, req *planes.Request, out planes.ResponseWriter) error {
	if req.Route != "demo/backend/greet" {
		return &planes.Error{Code: planes.CodeNotFound, Phase: planes.PhaseNotStarted, Op: "call"}
	}
	if err := out.Send([]byte("hello")); err != nil {
		return err
	}
	return out.Send(req.Payload)
}

func (greeter) Accept(context.Context, *planes.Envelope) error {
	return &planes.Error{Code: planes.CodeUnsupported, Phase: planes.PhaseNotStarted, Op: "accept"}
}

// The same as: curl -N -d wire http://HOST:PORT/v1/rpc/greet
func Example() {
	server, err := httpplane.NewServer(httpplane.ServerConfig{Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, greeter{}) }()
	defer func() { cancel(); <-served }()

	client, err := httpplane.NewClient(httpplane.ClientConfig{H2C: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	stream, err := client.Exchange(ctx, server.Address("greet", 0), &planes.Request{Route: "demo/backend/greet", Payload: []byte("wire")})
	if err != nil {
		fmt.Println(err) // says whether the call may have started
		return
	}
	for item, err := range planes.All(ctx, stream) {
		fmt.Printf("%s %v\n", item, err)
	}

	resp, err := http.Post(server.Address("greet", 0).URL, "text/plain", strings.NewReader("curl")) //nolint:noctx // an example
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close(); http.DefaultClient.CloseIdleConnections() }()
	answer, err := io.ReadAll(resp.Body)
	fmt.Printf("%s%v\n", answer, err)
	// Output:
	// hello <nil>
	// wire <nil>
	// id: 0
	// data: hello
	//
	// id: 1
	// data: curl
	//
	// event: end
	// data: {"items":2,"bytes":9}
	//
	// <nil>
}
