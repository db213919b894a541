package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/wireplane/wireplane/planes"
)

// TransportKind is the variant of a Transport, as the record writes it.
type TransportKind string

// The variants. NATSTCP, TCP and HTTP are those of the released runtime.
const (
	KindNATSTCP  TransportKind = "nats_tcp"
	KindTCP      TransportKind = "tcp"
	KindHTTP     TransportKind = "http"
	KindHTTPTCP  TransportKind = "http_tcp"
	KindHTTPHTTP TransportKind = "http_http"
	KindTCPTCP   TransportKind = "tcp_tcp"
	KindUnified  TransportKind = "unified"
)

// Transport is how a worker is reached: exactly one variant, of which the functions
// below make each. Its JSON is {"<kind>": ...}.
type Transport struct {
	Kind TransportKind
	// Endpoint is where requests go: a NATS subject, host:port/path, or a URL. It is
	// empty for KindUnified.
	Endpoint string
	// ResponseEndpoint is the URL of the response server, for KindHTTPHTTP only.
	ResponseEndpoint string
	// Unified is set for KindUnified only.
	Unified *Unified
}

// Unified names both transports in full.
type Unified struct {
	Request planes.Endpoint `json:"request_transport"`
	// Response is planes.Exchange where the answer comes back in the request's own
	// stream or exchange.
	Response planes.Endpoint `json:"response_transport"`
}

// NATSTCP is the released NATS request plane with a TCP call-home.
func NATSTCP(subject string) Transport { return Transport{Kind: KindNATSTCP, Endpoint: subject} }

// ReleasedTCP is the released TCP request plane with a TCP call-home, at
// "host:port/path".
func ReleasedTCP(endpoint string) Transport { return Transport{Kind: KindTCP, Endpoint: endpoint} }

// ReleasedHTTP is the released HTTP request plane with a TCP call-home.
func ReleasedHTTP(url string) Transport { return Transport{Kind: KindHTTP, Endpoint: url} }

// HTTPTCP is an HTTP request with a TCP call-home.
func HTTPTCP(url string) Transport { return Transport{Kind: KindHTTPTCP, Endpoint: url} }

// HTTPHTTP is an HTTP request that is answered in its own exchange or, attached to by
// GET, at the response URL.
func HTTPHTTP(requestURL, responseURL string) Transport {
	return Transport{Kind: KindHTTPHTTP, Endpoint: requestURL, ResponseEndpoint: responseURL}
}

// TCPTCP is the multiplexed TCP plane at "host:port/path", answered in the stream.
func TCPTCP(endpoint string) Transport { return Transport{Kind: KindTCPTCP, Endpoint: endpoint} }

// UnifiedTransport names both transports in full.
func UnifiedTransport(request, response planes.Endpoint) Transport {
	return Transport{Kind: KindUnified, Unified: &Unified{Request: request, Response: response}}
}

// Validate says what is wrong with t, or returns nil.
func (t Transport) Validate() error {
	_, err := t.offers()
	return err
}

// Offers returns the ways to call that t stands for: two for KindHTTPHTTP, one for the
// others, none if t is not valid.
func (t Transport) Offers() []planes.Offer {
	o, err := t.offers()
	if err != nil {
		return nil
	}
	return o
}

// What the variants without capabilities of their own are able to do.
var (
	callHome = planes.Endpoint{Transport: planes.TCP, Capabilities: planes.Capabilities{Streaming: true}}
	exchange = planes.Endpoint{Transport: planes.Exchange, Capabilities: planes.Capabilities{Streaming: true}}

	natsCan     = planes.Capabilities{Streaming: true, PersistentConnections: true}
	releasedCan = planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 32 << 20}
	httpCan     = planes.Capabilities{Streaming: true, PersistentConnections: true}
	tcpCan      = planes.Capabilities{Streaming: true, PersistentConnections: true, Bidirectional: true}
)

func (t Transport) offers() ([]planes.Offer, error) {
	request := func(id planes.TransportID, can planes.Capabilities, a planes.Address, err error, response planes.Endpoint) ([]planes.Offer, error) {
		if err != nil {
			return nil, fmt.Errorf("discovery: transport %s: %w", t.Kind, err)
		}
		return []planes.Offer{{Request: planes.Endpoint{Transport: id, Address: a, Capabilities: can}, Response: response}}, nil
	}
	switch t.Kind {
	case KindNATSTCP:
		a, err := planes.NATSAddress(t.Endpoint)
		return request(planes.NATS, natsCan, a, err, callHome)
	case KindTCP:
		a, err := planes.TCPAddress(t.Endpoint)
		return request(planes.DynamoTCP, releasedCan, a, err, callHome)
	case KindHTTP, KindHTTPTCP:
		a, err := planes.HTTPAddress(t.Endpoint)
		return request(planes.HTTP, httpCan, a, err, callHome)
	case KindTCPTCP:
		a, err := planes.TCPAddress(t.Endpoint)
		return request(planes.TCP, tcpCan, a, err, exchange)
	case KindHTTPHTTP:
		a, err := planes.HTTPAddress(t.Endpoint)
		offers, err := request(planes.HTTP, httpCan, a, err, exchange)
		if err != nil {
			return nil, err
		}
		attach, err := planes.HTTPAddress(t.ResponseEndpoint)
		response := planes.Endpoint{Transport: planes.HTTP, Address: attach, Capabilities: httpCan}
		second, err := request(planes.HTTP, httpCan, a, err, response)
		return append(offers, second...), err
	case KindUnified:
		return t.unified()
	}
	return nil, fmt.Errorf("discovery: transport %.40q is not known here", string(t.Kind))
}

func (t Transport) unified() ([]planes.Offer, error) {
	u := t.Unified
	switch {
	case u == nil:
		return nil, fmt.Errorf("discovery: transport %s without its two parts", t.Kind)
	case u.Request.Transport == "" || u.Response.Transport == "":
		return nil, fmt.Errorf("discovery: transport %s without transport_id", t.Kind)
	case u.Request.Transport == planes.Exchange:
		return nil, fmt.Errorf("discovery: transport %s whose request goes in its own exchange", t.Kind)
	}
	if err := u.Request.Address.Validate(); err != nil {
		return nil, fmt.Errorf("discovery: transport %s: request: %w", t.Kind, err)
	}
	if a := u.Response.Address; !a.IsZero() {
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("discovery: transport %s: response: %w", t.Kind, err)
		}
	}
	return []planes.Offer{{Request: u.Request, Response: u.Response}}, nil
}

func (t Transport) clone() Transport {
	if t.Unified != nil {
		u := *t.Unified
		u.Request.Metadata = maps.Clone(u.Request.Metadata)
		u.Response.Metadata = maps.Clone(u.Response.Metadata)
		t.Unified = &u
	}
	return t
}

type httpTCPJSON struct {
	HTTPEndpoint string `json:"http_endpoint"`
}

type httpHTTPJSON struct {
	RequestEndpoint  string `json:"request_endpoint"`
	ResponseEndpoint string `json:"response_endpoint"`
}

type tcpTCPJSON struct {
	Endpoint string `json:"endpoint"`
}

// MarshalJSON writes the variant as an object of one key.
func (t Transport) MarshalJSON() ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	var v any = t.Endpoint
	switch t.Kind {
	case KindHTTPTCP:
		v = httpTCPJSON{t.Endpoint}
	case KindHTTPHTTP:
		v = httpHTTPJSON{t.Endpoint, t.ResponseEndpoint}
	case KindTCPTCP:
		v = tcpTCPJSON{t.Endpoint}
	case KindUnified:
		v = t.Unified
	default:
	}
	return marshal(map[TransportKind]any{t.Kind: v})
}

// UnmarshalJSON reads an object of one key. A variant that is not known is an error.
func (t *Transport) UnmarshalJSON(b []byte) error {
	var m map[TransportKind]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if len(m) != 1 {
		return fmt.Errorf("discovery: transport with %d variants; want one", len(m))
	}
	var got Transport
	for kind, raw := range m {
		got.Kind = kind
		var err error
		switch kind {
		case KindNATSTCP, KindTCP, KindHTTP:
			err = json.Unmarshal(raw, &got.Endpoint)
		case KindHTTPTCP:
			var j httpTCPJSON
			err = json.Unmarshal(raw, &j)
			got.Endpoint = j.HTTPEndpoint
		case KindHTTPHTTP:
			var j httpHTTPJSON
			err = json.Unmarshal(raw, &j)
			got.Endpoint, got.ResponseEndpoint = j.RequestEndpoint, j.ResponseEndpoint
		case KindTCPTCP:
			var j tcpTCPJSON
			err = json.Unmarshal(raw, &j)
			got.Endpoint = j.Endpoint
		case KindUnified:
			err = json.Unmarshal(raw, &got.Unified)
			if u := got.Unified; u != nil { // an empty object is none
				u.Request.Metadata = someOf(u.Request.Metadata)
				u.Response.Metadata = someOf(u.Response.Metadata)
			}
		default:
		}
		if err != nil {
			return fmt.Errorf("discovery: transport %.40q: %w", string(kind), err)
		}
	}
	if err := got.Validate(); err != nil {
		return err
	}
	*t = got
	return nil
}

func someOf(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// marshal is json.Marshal that leaves '&', '<' and '>' alone, as other writers do.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
