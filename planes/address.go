package planes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// AddressKind is the type tag of an Address.
type AddressKind string

// The kinds of addresses. GRPC is reserved: it can be written and read, and no
// transport of this module uses it.
const (
	AddressHTTP AddressKind = "http"
	AddressTCP  AddressKind = "tcp"
	AddressNATS AddressKind = "nats"
	AddressGRPC AddressKind = "grpc"
)

// Address is where a transport reaches a worker. Which fields count depends on Kind.
// It is comparable. Its JSON is an object tagged by "type":
//
//	{"type":"http","url":"http://10.0.0.7:8081/v1/rpc/generate"}
//	{"type":"tcp","host":"10.0.0.7","port":9001,"path":"generate"}
//	{"type":"nats","subject":"demo_backend.generate-694d9b96e24ab707"}
//	{"type":"grpc","endpoint":"10.0.0.7:50051"}
type Address struct {
	Kind AddressKind
	// URL is the whole URL of an AddressHTTP.
	URL string
	// Host and Port are those of an AddressTCP, without brackets around IPv6.
	Host string
	Port uint16
	// Path is the routing path of an AddressTCP, forwarded as it is; "" means that
	// the route of the request is used.
	Path string
	// Subject is the subject of an AddressNATS.
	Subject string
	// Endpoint is that of an AddressGRPC.
	Endpoint string
}

// TCPAddress returns the address of host:port, with the routing path behind the
// first slash, as in "10.0.0.7:9001/generate". A "tcp://" in front is ignored.
func TCPAddress(s string) (Address, error) {
	hostPort, path, _ := strings.Cut(strings.TrimPrefix(s, "tcp://"), "/")
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return Address{}, fmt.Errorf("planes: address %.300q: %w; want host:port or host:port/path", s, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return Address{}, fmt.Errorf("planes: address %.300q has port %.20q; want 1 to 65535", s, portText)
	}
	a := Address{Kind: AddressTCP, Host: host, Port: uint16(port), Path: path}
	return a, a.Validate()
}

// HostPort returns "host:port" of an AddressTCP, as for net.Dial.
func (a Address) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// HTTPAddress returns the address of an absolute http or https URL.
func HTTPAddress(u string) (Address, error) {
	a := Address{Kind: AddressHTTP, URL: u}
	return a, a.Validate()
}

// NATSAddress returns the address of a subject.
func NATSAddress(subject string) (Address, error) {
	a := Address{Kind: AddressNATS, Subject: subject}
	return a, a.Validate()
}

// maxAddress bounds each part of an address, in bytes.
const maxAddress = 2048

// Validate says what is wrong with a, or returns nil.
func (a Address) Validate() error {
	for _, part := range []string{a.URL, a.Host, a.Path, a.Subject, a.Endpoint} {
		if len(part) > maxAddress {
			return fmt.Errorf("planes: a %s address of %d bytes; want at most %d", a.Kind, len(part), maxAddress)
		}
	}
	switch a.Kind {
	case AddressHTTP:
		u, err := url.Parse(a.URL)
		if err != nil {
			return fmt.Errorf("planes: http address: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("planes: http address %.300q; want http://host:port/path", a.URL)
		}
	case AddressTCP:
		if a.Host == "" || a.Port == 0 || strings.ContainsAny(a.Host, "/ ") {
			return fmt.Errorf("planes: tcp address with host %.300q and port %d; want both", a.Host, a.Port)
		}
	case AddressNATS:
		if a.Subject == "" || strings.ContainsAny(a.Subject, " \t\r\n") {
			return fmt.Errorf("planes: nats subject %.300q; want one without white space", a.Subject)
		}
	case AddressGRPC:
		if a.Endpoint == "" {
			return errors.New("planes: grpc address without endpoint")
		}
	default:
		return fmt.Errorf("planes: address of type %.40q; want http, tcp, nats or grpc", string(a.Kind))
	}
	return nil
}

// String returns the address as people write it.
func (a Address) String() string {
	switch a.Kind {
	case AddressHTTP:
		return a.URL
	case AddressTCP:
		if a.Path != "" {
			return a.HostPort() + "/" + a.Path
		}
		return a.HostPort()
	case AddressNATS:
		return a.Subject
	case AddressGRPC:
		return a.Endpoint
	}
	return string(a.Kind)
}

// IsZero reports whether a is no address at all.
func (a Address) IsZero() bool { return a == Address{} }

type addressJSON struct {
	Type     AddressKind `json:"type"`
	URL      string      `json:"url,omitempty"`
	Host     string      `json:"host,omitempty"`
	Port     uint16      `json:"port,omitempty"`
	Path     string      `json:"path,omitempty"`
	Subject  string      `json:"subject,omitempty"`
	Endpoint string      `json:"endpoint,omitempty"`
}

// MarshalJSON writes the tagged object.
func (a Address) MarshalJSON() ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(addressJSON{a.Kind, a.URL, a.Host, a.Port, a.Path, a.Subject, a.Endpoint})
}

// UnmarshalJSON reads the tagged object, or for "tcp" and "http" a bare string as
// some records have it.
func (a *Address) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		got, err := ParseAddress(s)
		if err == nil {
			*a = got
		}
		return err
	}
	var j addressJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	got := Address{j.Type, j.URL, j.Host, j.Port, j.Path, j.Subject, j.Endpoint}
	if err := got.Validate(); err != nil {
		return err
	}
	*a = got
	return nil
}

// ParseAddress reads an address as people write it: a URL is http, host:port with an
// optional path is tcp, anything else a NATS subject.
func ParseAddress(s string) (Address, error) {
	switch {
	case strings.HasPrefix(s, "http://"), strings.HasPrefix(s, "https://"):
		return HTTPAddress(s)
	case strings.HasPrefix(s, "tcp://"), strings.Contains(s, ":"):
		return TCPAddress(s)
	}
	return NATSAddress(s)
}
