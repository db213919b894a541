package planes

import (
	"context"
	"fmt"
)

// TransportID names a transport. Values are those of the discovery record.
type TransportID string

// The transports of this module. Third parties choose other names.
const (
	// TCP is the multiplexed TCP plane as a request transport, and the call-home
	// plane as a response transport.
	TCP TransportID = "tcp"
	// DynamoTCP is the TCP request plane of the released Dynamo runtime.
	DynamoTCP TransportID = "dynamo-tcp"
	// HTTP is HTTP/1.1, or whatever TLS negotiates. As a response transport it is the
	// response server of a worker, to which the router attaches with GET.
	HTTP TransportID = "http"
	// H2C is HTTP/2 over clear text with prior knowledge.
	H2C TransportID = "h2c"
	// NATS is the NATS request plane.
	NATS TransportID = "nats"
	// Exchange is the response transport of an Offer whose answer comes back in the
	// request's own stream or exchange: see Exchanger.
	Exchange TransportID = "exchange"
)

// Plane is one of the two halves of a call.
type Plane uint8

// The planes.
const (
	RequestPlane Plane = iota
	ResponsePlane
)

// String returns "request" or "response".
func (p Plane) String() string {
	switch p {
	case RequestPlane:
		return "request"
	case ResponsePlane:
		return "response"
	}
	return fmt.Sprintf("Plane(%d)", uint8(p))
}

// Registration is what a transport says about itself in a TransportRegistry.
type Registration struct {
	// ID names the transport; it must not be empty and is unique in its plane.
	ID TransportID
	// Capabilities is what the transport can do.
	Capabilities Capabilities
	// Priority orders transports; the lowest number wins, equal numbers keep the
	// order of registration.
	Priority int
}

// Envelope is a request whose answer goes elsewhere.
type Envelope struct {
	// ID identifies the request, 1 to 128 bytes; a worker's answer carries it back.
	ID string
	// Reply says where and how to answer.
	Reply ConnectionInfo
	// Request is the call. Its Route is the worker's route, which a transport may
	// also find in the address.
	Request *Request
}

// RequestClient is the router's side of a request transport. It keeps whatever
// connections it needs to the workers it has called. All methods are safe for
// concurrent use.
type RequestClient interface {
	// Send delivers env to the worker at to, and returns nil once the worker has
	// taken it. Otherwise it returns an *Error whose Phase says whether the worker
	// may have taken it. env is read until Send returns.
	Send(ctx context.Context, to Address, env *Envelope) error
	// Close gives the connections up and fails what is under way.
	Close() error
}

// Exchanger is a RequestClient whose transport carries the answer back in the same
// stream or exchange.
type Exchanger interface {
	// Exchange sends req to the worker at to and returns its answer. It may return
	// before the worker has said anything; the first Recv then says why a call was
	// not taken. req is read until Exchange returns. ctx governs the whole stream.
	Exchange(ctx context.Context, to Address, req *Request) (StreamReader, error)
}

// Dispatcher is what a RequestServer hands requests to. A worker implements it. All
// methods are safe for concurrent use and may be called from any goroutine, but not
// from an event loop: they may wait.
type Dispatcher interface {
	// Handler answers a request in its own stream or exchange. It refuses a route
	// that is not served with CodeNotFound, and work beyond its bounds with
	// CodeOverloaded.
	Handler
	// Accept takes a request whose answer goes elsewhere. It copies what it keeps of
	// env and returns at once: nil means that the request is queued or runs, an
	// *Error that it never will.
	Accept(ctx context.Context, env *Envelope) error
	// Routes returns the routes that are served now, sorted.
	Routes() []string
}

// RequestServer is the worker's side of a request transport.
type RequestServer interface {
	// Serve hands requests to d until ctx ends or the server is shut down, and returns
	// nil then. The server listens already: addresses are known before Serve.
	Serve(ctx context.Context, d Dispatcher) error
	// Address returns where callers reach a route of this server, as the discovery
	// record shall say it. instance distinguishes servers that share a route.
	Address(route string, instance uint64) Address
	// Shutdown takes no new requests, lets those that run finish until ctx ends, and
	// closes. It may be called before or without Serve, and more than once.
	Shutdown(ctx context.Context) error
}

// Readier is a RequestServer that refuses requests until Serve runs.
type Readier interface {
	// Ready returns a channel that is closed once Serve takes requests. It stays closed.
	Ready() <-chan struct{}
}

// RouteBinder is a RequestServer that must announce routes one by one, such as one
// that subscribes to subjects. Bind runs before the instance is registered.
type RouteBinder interface {
	Bind(ctx context.Context, route string, instance uint64) error
	Unbind(ctx context.Context, route string, instance uint64) error
}

// Expectation is an answer that a router waits for.
type Expectation struct {
	// ID identifies the request; see Envelope.ID.
	ID string
	// Route, Instance and Target name the call in errors and in statistics.
	Route    string
	Instance uint64
	Target   string
	// Response is what the worker's record says about its response transport.
	Response Endpoint
}

// ResponseServer is the router's side of a response transport: the place to which
// answers come. All methods are safe for concurrent use.
type ResponseServer interface {
	// Expect makes room for one answer. The caller ends it with Accept or Cancel.
	// It refuses beyond the server's bounds with CodeOverloaded.
	Expect(ctx context.Context, x Expectation) (Pending, error)
	// Close fails what is waiting and closes every connection.
	Close() error
}

// Pending is an answer that was asked for and has not begun.
type Pending interface {
	// Reply is what the worker must know to answer; it goes into the Envelope.
	Reply() ConnectionInfo
	// Accept waits until the worker has begun to answer, or has refused to. It is
	// called after the request was taken; ctx governs the stream as well.
	Accept(ctx context.Context) (StreamReader, error)
	// Cancel gives the answer up: the worker that comes for it is turned away. It
	// does nothing after Accept has returned.
	Cancel()
}

// ResponseClient is the worker's side of a response transport. All methods are safe
// for concurrent use.
type ResponseClient interface {
	// Open makes the response stream that env asks for; nothing of the answer has
	// been sent when it returns. ctx bounds Open only.
	Open(ctx context.Context, env *Envelope) (StreamWriter, error)
	// Close gives the connections up and fails what is under way.
	Close() error
}

// Advertiser is a response or request transport that adds to the discovery record,
// such as the modes that a worker can answer in.
type Advertiser interface {
	// Advertise returns what routers should know about this transport for a route:
	// its address where it has one, and metadata.
	Advertise(route string, instance uint64) Endpoint
}

// RequestTransport is one request transport of a process. A router needs Client, a
// worker Server; the other may be nil.
type RequestTransport struct {
	Registration
	// Exchanges says that Server answers in the request's own stream or exchange, too.
	Exchanges bool
	Client    RequestClient
	Server    RequestServer
}

// ResponseTransport is one response transport of a process. A router needs Server,
// a worker Client; the other may be nil.
type ResponseTransport struct {
	Registration
	// Reply is the ConnectionInfo.Transport that Client answers and Server hands out,
	// such as "tcp_server". "" stands for the ID.
	Reply  string
	Client ResponseClient
	Server ResponseServer
}
