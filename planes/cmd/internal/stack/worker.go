package stack

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynenv"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/natsplane"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/planes/tcpport"
	"github.com/wireplane/wireplane/planes/worker"
)

// Worker builds the transports of a worker: servers for requests, clients for answers.
func Worker(ctx context.Context, o Options) (*Stack, error) {
	n, err := needsOf(o.pairs())
	if err != nil {
		return nil, err
	}
	s, err := newStack(o)
	if err != nil {
		return nil, err
	}
	for _, build := range []func(context.Context, *Options, needs) error{
		s.workerTCP, s.workerHTTP, s.workerNATS, s.workerCallHome, s.workerAttach,
	} {
		if err := build(ctx, &o, n); err != nil {
			return s.failed(err)
		}
	}
	return s, nil
}

func newStack(o Options) (*Stack, error) {
	allowed := make(map[worker.Pair]bool)
	for _, p := range o.pairs() {
		allowed[p] = true
	}
	r, err := planes.NewRegistry(planes.RegistryConfig{
		Observer: o.Observer, Allow: func(q, a planes.TransportID) bool { return allowed[worker.Pair{Request: q, Response: a}] },
	})
	return &Stack{Registry: r}, err
}

// limits are those of the multiplexed plane.
func limits(c *dynenv.Config) tcpplane.Limits {
	return tcpplane.Limits{
		ProbeAfter: c.Liveness.Probe, ProbeTimeout: c.Liveness.Timeout - c.Liveness.Probe, IdleProbe: c.TCPRequest.HeartbeatInterval,
	}
}

// at returns where a server listens: what the settings say, or a free port on loopback.
func (o *Options) at(l dynenv.Listen) dynenv.Listen {
	if o.Loopback {
		return dynenv.Listen{Host: "127.0.0.1"}
	}
	return l
}

func (o *Options) host(ln net.Listener) string {
	return advertised(o.Config.Discovery.AdvertiseHost, ln.Addr())
}

// workerTCP is one port for the multiplexed and the released wire.
func (s *Stack) workerTCP(ctx context.Context, o *Options, n needs) error {
	mux, released := n.request[planes.TCP], n.request[planes.DynamoTCP]
	if !mux && !released {
		return nil
	}
	ln, err := listen(ctx, "TCP requests", o.at(o.Config.TCPRequest.Listen), o.Logger)
	if err != nil {
		return err
	}
	ln = s.count(ln, &s.accepted)
	wire := tcpport.Auto
	switch {
	case !released:
		wire = tcpport.Mux
	case !mux:
		wire = tcpport.Dynamo
	}
	c := &o.Config.TCPRequest
	port, err := tcpport.NewServer(tcpport.Config{
		Listener: ln, AdvertiseHost: o.host(ln), Wire: wire, Logger: o.Logger,
		Mux: tcpplane.ServerConfig{
			Limits: limits(o.Config), MaxConns: c.MaxConnections,
			MaxHandlers: o.Config.Worker.PoolSize, MaxQueued: o.Config.Worker.QueueSize, Instance: o.Instance, Logger: o.Logger,
		},
		Dynamo: dynplane.ServerConfig{MaxMessageBytes: c.MaxMessageSize, MaxConns: c.MaxConnections, Logger: o.Logger},
	})
	if err != nil {
		return err
	}
	s.shutdown(port)
	if mux {
		err = s.Registry.RegisterRequest(planes.RequestTransport{Server: port, Exchanges: true, Registration: planes.Registration{
			ID: planes.TCP, Capabilities: tcpplane.RequestCapabilities(), Priority: rank(o.pairs(), true, planes.TCP)}})
	}
	if err == nil && released {
		err = s.Registry.RegisterRequest(planes.RequestTransport{Server: port, Registration: planes.Registration{
			ID: planes.DynamoTCP, Capabilities: dynplane.Capabilities(), Priority: rank(o.pairs(), true, planes.DynamoTCP)}})
	}
	return err
}

// shutdown makes Close end a server that nobody has shut down before.
func (s *Stack) shutdown(srv planes.RequestServer) {
	s.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return srv.Shutdown(ctx)
	})
}

// workerHTTP is one server for HTTP/1.1 and h2c.
func (s *Stack) workerHTTP(ctx context.Context, o *Options, n needs) error {
	if !n.request[planes.HTTP] && !n.request[planes.H2C] {
		return nil
	}
	srv, err := s.httpServer(ctx, o, o.at(o.Config.HTTPRequest.Listen))
	if err != nil {
		return err
	}
	s.shutdown(srv)
	for _, id := range []planes.TransportID{planes.HTTP, planes.H2C} {
		if !n.request[id] {
			continue
		}
		if err := s.Registry.RegisterRequest(planes.RequestTransport{Server: srv, Exchanges: true, Registration: planes.Registration{
			ID: id, Capabilities: srv.Capabilities(), Priority: rank(o.pairs(), true, id)}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) httpServer(ctx context.Context, o *Options, at dynenv.Listen) (*httpplane.Server, error) {
	ln, err := listen(ctx, "HTTP requests", at, o.Logger)
	if err != nil {
		return nil, err
	}
	ln = s.count(ln, &s.accepted)
	format, err := itemstream.ParseFormat(o.Config.HTTPResponse.StreamFormat)
	if err != nil {
		return nil, err
	}
	return httpplane.NewServer(httpplane.ServerConfig{
		Listener: ln, Root: o.Config.HTTPRequest.RootPath, AdvertiseHost: o.host(ln), Format: format, Logger: o.Logger,
	})
}

// Front is the HTTP server of a router: requests that are forwarded.
func Front(ctx context.Context, o Options, listenAt string) (*httpplane.Server, error) {
	at := o.Config.HTTPRequest.Listen
	if listenAt != "" {
		var err error
		if at, err = ParseListen(listenAt); err != nil {
			return nil, fmt.Errorf("listen at %w", err)
		}
	}
	return new(Stack).httpServer(ctx, &o, at)
}

// nats connects once for both sides.
//
// A router that has other request transports, and prefers one of them, does not need it
// at once.
func (s *Stack) nats(o *Options, lazy bool) (*natsplane.Conn, error) {
	c := &o.Config.NATS
	cfg := natsplane.ConnConfig{
		URL: join(c.Servers), User: c.Username, Password: c.Password, Token: c.Token, NKeySeed: c.NKey, CredsFile: c.CredentialsFile,
		Lazy: lazy, Logger: o.Logger,
	}
	var err error
	if cfg.TLS, err = clientTLS(c.CACertPath, "", "", c.TLSInsecure); err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	conn, err := natsplane.Dial(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w; start a server (nats-server), or choose another request plane with DYN_REQUEST_PLANE or --transports", err)
	}
	s.onClose(conn.Close)
	return conn, nil
}

func (s *Stack) workerNATS(_ context.Context, o *Options, n needs) error {
	if !n.request[planes.NATS] {
		return nil
	}
	conn, err := s.nats(o, false)
	if err != nil {
		return err
	}
	srv := natsplane.NewServer(conn, natsplane.ServerConfig{})
	s.shutdown(srv)
	return s.Registry.RegisterRequest(planes.RequestTransport{Server: srv, Registration: planes.Registration{
		ID: planes.NATS, Capabilities: srv.Capabilities(), Priority: rank(o.pairs(), true, planes.NATS)}})
}

func (s *Stack) workerCallHome(_ context.Context, o *Options, n needs) error {
	if !n.response[planes.TCP] {
		return nil
	}
	p := &o.Config.Pool
	d, err := callhome.NewDialer(callhome.DialerConfig{
		Mode: callHomeModes[o.Config.CallHome.Mode], PoolDisabled: !p.Enabled, Instance: o.Instance, MaxPerTarget: p.MaxPerTarget, MinIdle: p.MinIdle, IdleTimeout: p.IdleTimeout,
		MaxLifetime: p.MaxLifetime, PoolObserver: o.pool(), Logger: o.Logger,
	})
	if err != nil {
		return err
	}
	s.Dialer = d
	s.onClose(d.Close)
	o.gauges(d)
	return s.Registry.RegisterResponse(planes.ResponseTransport{Client: d, Reply: callHomeReply, Registration: planes.Registration{
		ID: planes.TCP, Capabilities: d.Advertise("", o.Instance).Capabilities, Priority: rank(o.pairs(), false, planes.TCP)}})
}

// workerAttach is the response server, to which routers attach with GET.
func (s *Stack) workerAttach(ctx context.Context, o *Options, n needs) error {
	if !n.response[planes.HTTP] {
		return nil
	}
	ln, err := listen(ctx, "HTTP responses", o.at(o.Config.HTTPResponse.Listen), o.Logger)
	if err != nil {
		return err
	}
	ln = s.count(ln, &s.acceptedResponses)
	format, err := itemstream.ParseFormat(o.Config.HTTPResponse.StreamFormat)
	if err != nil {
		return err
	}
	l, err := httpplane.NewResponseListener(httpplane.ListenerConfig{
		Listener: ln, Root: o.Config.HTTPResponse.RootPath, AdvertiseHost: o.host(ln), Format: format, Logger: o.Logger,
	})
	if err != nil {
		return err
	}
	s.onClose(l.Close)
	return s.Registry.RegisterResponse(planes.ResponseTransport{Client: l, Reply: httpplane.ResponseTransport, Registration: planes.Registration{
		ID: planes.HTTP, Capabilities: l.Advertise("", o.Instance).Capabilities, Priority: rank(o.pairs(), false, planes.HTTP)}})
}
