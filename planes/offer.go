package planes

// Endpoint is one transport of a worker, as its discovery record says it.
type Endpoint struct {
	Transport    TransportID       `json:"transport_id"`
	Address      Address           `json:"address,omitzero"`
	Capabilities Capabilities      `json:"capabilities"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// Offer is one way to call a worker: a request transport and the response transport
// that goes with it. Response.Transport is Exchange where the answer comes back in
// the request's own stream or exchange.
type Offer struct {
	Request  Endpoint
	Response Endpoint
}

// String returns "tcp+exchange" and the like.
func (o Offer) String() string {
	return string(o.Request.Transport) + "+" + string(o.Response.Transport)
}

// Target is a worker and the ways to call it, the worker's preference first.
type Target struct {
	Instance uint64
	Offers   []Offer
}

// ConnectionInfo tells a worker where and how to answer. Transport names the form of
// Info ("tcp_server" for call-home), Info is a JSON document as a string.
type ConnectionInfo struct {
	Transport string `json:"transport"`
	Info      string `json:"info"`
}

// IsZero reports whether there is no connection info: the answer goes back in the
// request's own stream or exchange.
func (c ConnectionInfo) IsZero() bool { return c == ConnectionInfo{} }
