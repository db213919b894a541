package dynenv

import (
	"time"
)

// Config is what all settings together say. [Load] makes it; a zero Config is not
// valid, since none of its groups has a meaning while it is zero: RequestPlane,
// ResponsePlane, HTTPRequest, HTTPResponse, TCPRequest, CallHome, Pool, NATS, Etcd,
// Discovery, Liveness, Router, Worker, System, Metrics, Log.
//
// A Config shares no memory with what it was made from. It may be read by several
// goroutines while nobody changes it.
type Config struct {
	RequestPlane  RequestPlane
	ResponsePlane ResponsePlane
	HTTPRequest   HTTPRequest
	HTTPResponse  HTTPResponse
	TCPRequest    TCPRequest
	CallHome      CallHome
	Pool          Pool
	NATS          NATS
	Etcd          Etcd
	Discovery     Discovery
	Liveness      Liveness
	Router        Router
	Worker        Worker
	System        System
	Metrics       Metrics
	Log           Log

	// File is the configuration file; "" means none was read.
	File string
	// Warnings are sentences about what was ignored, such as a variable whose name is
	// nearly right; nil means that there is nothing to say.
	Warnings []string

	sources map[string]origin // of the knobs that are not at their default, by name
	tls     tlsSettings       // not yet: read so that setting one is refused
}

// Listen is where a server listens.
type Listen struct {
	Host string // address or name; 0.0.0.0 and :: mean all
	Port int    // 0: any free one
	// Explicit tells that somebody chose the port. If it is taken, that is an error;
	// a default port that is taken gives way to a free one.
	Explicit bool
}

// RequestPlane chooses how requests travel.
type RequestPlane struct {
	Mode  string // nats, http or tcp
	Codec string // msgpack or json: what a worker advertises to released peers
}

// ResponsePlane chooses how responses travel.
type ResponsePlane struct {
	Mode string // tcp, http or http2
}

// HTTPRequest is the HTTP request plane.
type HTTPRequest struct {
	Listen   Listen
	RootPath string        // begins with a slash and does not end with one
	Timeout  time.Duration // of a request until it is accepted
}

// HTTPResponse is the HTTP response plane.
type HTTPResponse struct {
	Listen       Listen
	RootPath     string        // begins with a slash and does not end with one
	StreamFormat string        // sse, ndjson or binary
	Timeout      time.Duration // of a whole response stream
}

// TCPRequest is the TCP request plane, both wires of it.
type TCPRequest struct {
	// Listen is what DYN_TCP_RPC_HOST and _PORT say where they are set, else what
	// DYN_TCP_REQUEST_HOST and _PORT say.
	Listen            Listen
	Wire              string // auto, mux or dynamo
	MaxConnections    int
	HeartbeatInterval time.Duration // longest silence on an idle healthy connection
	ConnectionTimeout time.Duration

	// Of the released wire:
	MaxMessageSize     int           // bytes of a whole frame
	PoolSize           int           // connections a host
	ChannelBuffer      int           // requests in flight a connection
	RequestTimeout     time.Duration // until the ack
	ConnectTimeout     time.Duration
	GlobalConnectLimit int           // dials at the same time, all hosts together
	HostIdleTTL        time.Duration // until an idle host is forgotten
}

// CallHome is the TCP response plane, where the worker dials the router.
type CallHome struct {
	Mode string // auto, single, pooled or mux; auto is single while the pool is off
	// Listen is the router's listener. Host "" means the detected address.
	Listen Listen
}

// Pool is the pool of call-home connections.
type Pool struct {
	// Enabled is what DYN_TCP_POOL_ENABLED says; call-home mode pooled switches it on.
	Enabled      bool
	MaxPerTarget int
	MinIdle      int
	IdleTimeout  time.Duration
	MaxLifetime  time.Duration
	Keepalive    time.Duration
}

// NATS is how the NATS server is reached. Of user and password, token, nkey and
// credentials file, at most one is set.
type NATS struct {
	Servers         []string // URLs, or host:port
	Username        string
	Password        string
	Token           string
	NKey            string
	CredentialsFile string
	CACertPath      string // "": the system's roots
	TLSInsecure     bool   // do not verify the server
	RequestTimeout  time.Duration
}

// Etcd is how etcd is reached and used.
type Etcd struct {
	Endpoints []string // URLs, or host:port
	// LeaseTTL is how long a record outlives its owner in our layout, DynamoLeaseTTL
	// in that of released Dynamo. They differ only while ETCD_LEASE_TTL is at its default.
	LeaseTTL       time.Duration
	DynamoLeaseTTL time.Duration
	Username       string // "": none
	Password       string
	CACertPath     string // "": the system's roots
	ClientCertPath string // "": none
	ClientKeyPath  string
	ConnectTimeout time.Duration // of the first connection
	Watch          bool          // follow changes, not only look up
}

// Discovery is where instances are found.
type Discovery struct {
	Backend       string // etcd, file or mem
	FileRoot      string // folder of the file backend
	Namespace     string
	AdvertiseHost string // "": the detected address
}

// Liveness finds dead peers.
type Liveness struct {
	Probe   time.Duration // silence after which a peer is asked
	Timeout time.Duration // silence after which it is dead
}

// Router is what concerns routers only.
type Router struct {
	InhibitedDuration time.Duration // how long a failed instance is passed over; 0: not at all
}

// Worker is what concerns workers only.
type Worker struct {
	GracefulShutdownTimeout time.Duration // for running streams; 0: none
	PoolSize                int           // handlers at the same time, TCP plane
	QueueSize               int           // requests that wait for one
}

// System is the status server.
type System struct {
	Enabled bool // a port was given that is not -1
	Listen  Listen
}

// Metrics is the Prometheus server.
type Metrics struct {
	Addr string // host:port; "" means off
	// Explicit tells that somebody chose the address, as in Listen.
	Explicit bool
}

// Log is what is logged and how.
type Log struct {
	Levels LogLevels
	JSON   bool // a JSON object a line, else text
}

// tlsSettings are those that are refused until the planes speak TLS.
type tlsSettings struct {
	certPath, keyPath, clientCAPath                 string
	caPath, clientCertPath, clientKeyPath, hostname string
	insecure                                        bool
	handshakeTimeout                                time.Duration
}
