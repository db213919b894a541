package httpplane_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

// worker is a dispatcher of functions.
type worker struct {
	handlers map[string]planes.HandlerFunc

	mu    sync.Mutex
	taken []planes.Envelope
	deny  error
}

func (w *worker) ServeCall(ctx context.Context, req *planes.Request, out planes.ResponseWriter) error {
	h := w.handlers[req.Route]
	if h == nil {
		return &planes.Error{Code: planes.CodeNotFound, Phase: planes.PhaseNotStarted, Op: "call", Reason: "no such endpoint"}
	}
	return h(ctx, req, out)
}

func (w *worker) Accept(_ context.Context, env *planes.Envelope) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deny != nil {
		return w.deny
	}
	e, r := *env, *env.Request
	r.Payload = slices.Clone(r.Payload)
	e.Request = &r
	w.taken = append(w.taken, e)
	return nil
}

func (w *worker) Routes() []string {
	var names []string
	for n := range w.handlers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// wire is a protocol that client and server speak.
type wire struct {
	name   string
	secure bool
	h2c    bool
}

var wires = []wire{{"http1", false, false}, {"h2c", false, true}, {"tls", true, false}}

// world is a server that serves w, and how to reach it.
type world struct {
	t      *testing.T
	wire   wire
	server *httpplane.Server
	pool   *x509.CertPool
}

func serve(t *testing.T, on wire, w planes.Dispatcher, cfg httpplane.ServerConfig) *world {
	t.Helper()
	x := &world{t: t, wire: on}
	if cfg.Listener == nil {
		cfg.Listener = testenv.Listen(t)
	}
	if on.secure {
		cfg.TLS, x.pool = certificate(t)
	}
	s, err := httpplane.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x.server = s
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), w) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *world) client(f itemstream.Format, cfg httpplane.ClientConfig) *httpplane.Client {
	x.t.Helper()
	cfg.H2C, cfg.Format = x.wire.h2c, &f
	if x.wire.secure {
		cfg.TLS = &tls.Config{RootCAs: x.pool}
	}
	c, err := httpplane.NewClient(cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (x *world) at(route string) planes.Address { return x.server.Address(route, 1) }

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// each runs f for every protocol and format.
func each(t *testing.T, f func(t *testing.T, on wire, format itemstream.Format)) {
	for _, on := range wires {
		for _, format := range itemstream.Formats {
			t.Run(on.name+"/"+format.String(), func(t *testing.T) { f(t, on, format) })
		}
	}
}
