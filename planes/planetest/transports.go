package planetest

import "github.com/wireplane/wireplane/planes"

// registration is what the transports of a Network say of themselves.
var registration = planes.Registration{
	ID:           Memory,
	Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true},
}

// RequestClient returns the request transport of a router.
func (n *Network) RequestClient() planes.RequestTransport {
	return planes.RequestTransport{Registration: registration, Exchanges: true, Client: n.Client()}
}

// RequestServer returns the request transport of a worker.
func (n *Network) RequestServer(s *Server) planes.RequestTransport {
	return planes.RequestTransport{Registration: registration, Exchanges: true, Server: s}
}

// ResponseServer returns the response transport of a router.
func (n *Network) ResponseServer(h *Home) planes.ResponseTransport {
	return planes.ResponseTransport{Registration: registration, Reply: HomeReply, Server: h}
}

// ResponseClient returns the response transport of the worker at a host.
func (n *Network) ResponseClient(host string) planes.ResponseTransport {
	return planes.ResponseTransport{Registration: registration, Reply: HomeReply, Client: n.Caller(host)}
}
