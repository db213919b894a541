package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/natsplane"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/planes/worker"
)

// Router builds the transports of a router: clients for requests, servers for answers.
// Where no combinations were named it has them all, those that the settings choose
// preferred; NATS then connects when it is first needed.
func Router(ctx context.Context, o Options) (*Stack, error) {
	n, err := needsOf(o.pairs())
	if err != nil {
		return nil, err
	}
	s, err := newStack(o)
	if err != nil {
		return nil, err
	}
	for _, build := range []func(context.Context, *Options, needs) error{
		s.routerTCP, s.routerHTTP, s.routerNATS, s.routerCallHome, s.routerAttach,
	} {
		if err := build(ctx, &o, n); err != nil {
			return s.failed(err)
		}
	}
	return s, nil
}

// Everything is all combinations that a router can use, the chosen ones first; without
// nats it needs no NATS server.
func Everything(chosen []worker.Pair, nats bool) []worker.Pair {
	list := append([]worker.Pair(nil), chosen...)
	for _, q := range []planes.TransportID{planes.TCP, planes.H2C, planes.HTTP, planes.DynamoTCP, planes.NATS} {
		if q != planes.DynamoTCP && q != planes.NATS {
			list = append(list, worker.Pair{Request: q, Response: planes.Exchange})
		}
		for _, r := range []planes.TransportID{planes.TCP, planes.HTTP} {
			list = append(list, worker.Pair{Request: q, Response: r})
		}
	}
	if nats {
		return list
	}
	return slices.DeleteFunc(list, func(p worker.Pair) bool { return p.Request == planes.NATS })
}

func (s *Stack) routerTCP(_ context.Context, o *Options, n needs) error {
	c := o.Config
	if n.request[planes.TCP] {
		cl, err := tcpplane.NewRequestClient(tcpplane.RequestClientConfig{
			Limits: limits(c), DialTimeout: c.TCPRequest.ConnectTimeout, IdleTargetTTL: c.TCPRequest.HostIdleTTL, Logger: o.Logger,
		})
		if err != nil {
			return err
		}
		s.onClose(cl.Close)
		if err := s.Registry.RegisterRequest(planes.RequestTransport{Client: cl, Registration: planes.Registration{
			ID: planes.TCP, Capabilities: tcpplane.RequestCapabilities(), Priority: rank(o.pairs(), true, planes.TCP)}}); err != nil {
			return err
		}
	}
	if !n.request[planes.DynamoTCP] {
		return nil
	}
	cl, err := dynplane.NewClient(dynplane.ClientConfig{
		MaxConns: c.TCPRequest.PoolSize, Inflight: c.TCPRequest.ChannelBuffer, ConnectTimeout: c.TCPRequest.ConnectTimeout,
		AckTimeout: c.TCPRequest.RequestTimeout, DialLimit: c.TCPRequest.GlobalConnectLimit, HostTTL: c.TCPRequest.HostIdleTTL,
		MaxMessageBytes: c.TCPRequest.MaxMessageSize,
	})
	if err != nil {
		return err
	}
	s.onClose(cl.Close)
	return s.Registry.RegisterRequest(planes.RequestTransport{Client: cl, Registration: planes.Registration{
		ID: planes.DynamoTCP, Capabilities: dynplane.Capabilities(), Priority: rank(o.pairs(), true, planes.DynamoTCP)}})
}

func (s *Stack) routerHTTP(_ context.Context, o *Options, n needs) error {
	format, err := itemstream.ParseFormat(o.Config.HTTPResponse.StreamFormat)
	if err != nil {
		return err
	}
	for _, id := range []planes.TransportID{planes.HTTP, planes.H2C} {
		if !n.request[id] {
			continue
		}
		cl, err := httpplane.NewClient(httpplane.ClientConfig{H2C: id == planes.H2C, Format: &format, Timeout: o.Config.HTTPRequest.Timeout, Logger: o.Logger})
		if err != nil {
			return err
		}
		s.onClose(cl.Close)
		if err := s.Registry.RegisterRequest(planes.RequestTransport{Client: cl, Registration: planes.Registration{
			ID: id, Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 16 << 20},
			Priority: rank(o.pairs(), true, id)}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) routerNATS(_ context.Context, o *Options, n needs) error {
	if !n.request[planes.NATS] {
		return nil
	}
	conn, err := s.nats(o, rank(o.pairs(), true, planes.NATS) > 0)
	if err != nil {
		return err
	}
	cl := natsplane.NewClient(conn, natsplane.ClientConfig{RequestTimeout: o.Config.NATS.RequestTimeout})
	s.onClose(cl.Close)
	return s.Registry.RegisterRequest(planes.RequestTransport{Client: cl, Registration: planes.Registration{
		ID: planes.NATS, Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true}, // the size is checked with each request
		Priority: rank(o.pairs(), true, planes.NATS)}})
}

func (s *Stack) routerCallHome(ctx context.Context, o *Options, n needs) error {
	if !n.response[planes.TCP] {
		return nil
	}
	at := o.Config.CallHome.Listen
	if at.Host == "" {
		at.Host = LocalHost()
	}
	ln, err := listen(ctx, "TCP responses", o.at(at), o.Logger)
	if err != nil {
		return err
	}
	ln = s.count(ln, &s.accepted)
	cfg := callhome.Config{Listener: ln, Modes: modes(o.Config.CallHome.Mode), Logger: o.Logger, Observer: o.Observer}
	if o.Config.Discovery.AdvertiseHost != "" && !o.Loopback {
		cfg.AdvertiseHost = o.Config.Discovery.AdvertiseHost
	}
	l, err := callhome.Listen(cfg)
	if err != nil {
		return err
	}
	s.onClose(l.Close)
	return s.Registry.RegisterResponse(planes.ResponseTransport{Server: l, Reply: callHomeReply, Registration: planes.Registration{
		ID: planes.TCP, Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 16 << 20},
		Priority: rank(o.pairs(), false, planes.TCP)}})
}

// callHomeReply is the ConnectionInfo.Transport of the call-home plane, as released.
const callHomeReply = "tcp_server"

// callHomeModes are the modes of a worker by their names in the settings.
var callHomeModes = map[string]callhome.Mode{"auto": callhome.Auto, "single": callhome.Single, "pooled": callhome.Pooled, "mux": callhome.Mux}

// modes are what a router offers for a call-home mode of the settings.
func modes(mode string) []string {
	switch mode {
	case "single":
		return []string{callhome.ModeSingle}
	case "pooled":
		return []string{callhome.ModePooled, callhome.ModeSingle}
	}
	return nil // all of them
}

func (s *Stack) routerAttach(_ context.Context, o *Options, n needs) error {
	if !n.response[planes.HTTP] {
		return nil
	}
	format, err := itemstream.ParseFormat(o.Config.HTTPResponse.StreamFormat)
	if err != nil {
		return err
	}
	a, err := httpplane.NewAttacher(httpplane.ClientConfig{Format: &format, Logger: o.Logger})
	if err != nil {
		return err
	}
	s.onClose(a.Close)
	return s.Registry.RegisterResponse(planes.ResponseTransport{Server: a, Reply: httpplane.ResponseTransport, Registration: planes.Registration{
		ID: planes.HTTP, Capabilities: planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: 16 << 20},
		Priority: rank(o.pairs(), false, planes.HTTP)}})
}

func join(list []string) string { return strings.Join(list, ",") }
