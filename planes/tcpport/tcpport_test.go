package tcpport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/dynplane"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/planes/tcpport"
)

func TestMain(m *testing.M) { testenv.Main(m) }

type desk struct{ took chan string }

func (desk) Routes() []string { return []string{"ns/gen"} }

func (desk) ServeCall(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
	return w.Send([]byte(req.Route))
}

func (d desk) Accept(_ context.Context, env *planes.Envelope) error {
	d.took <- env.Request.Route
	return nil
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

func start(t *testing.T, cfg tcpport.Config) (*tcpport.Server, desk, *lines) {
	t.Helper()
	log := &lines{}
	cfg.Addr, cfg.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(log, nil))
	s, err := tcpport.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := desk{make(chan string, 8)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), d) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return s, d, log
}

func clients(t *testing.T) map[tcpport.Wire]planes.RequestClient {
	t.Helper()
	mux, err := tcpplane.NewRequestClient(tcpplane.RequestClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	dyn, err := dynplane.NewClient(dynplane.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(mux.Close(), dyn.Close()) })
	return map[tcpport.Wire]planes.RequestClient{tcpport.Mux: mux, tcpport.Dynamo: dyn}
}

func TestOnePortTakesWhatItsWireSays(t *testing.T) {
	for _, wire := range []tcpport.Wire{tcpport.Auto, tcpport.Mux, tcpport.Dynamo} {
		s, d, _ := start(t, tcpport.Config{Wire: wire})
		env := &planes.Envelope{ID: "id", Reply: planes.ConnectionInfo{Transport: "x"}, Request: &planes.Request{Route: "ns/gen", Payload: []byte("p")}}
		for speaks, c := range clients(t) {
			err := c.Send(testenv.Context(t, 10*time.Second), s.Address("ns/gen", 42), env)
			if taken := wire == tcpport.Auto || wire == speaks; taken != (err == nil) {
				t.Errorf("%s to a port of %s: %v", speaks, wire, err)
			} else if taken {
				if route := <-d.took; route != "ns/gen" {
					t.Errorf("%s to a port of %s: route %q", speaks, wire, route)
				}
			}
		}
	}
}

func TestStrangersAreClosedAndNamed(t *testing.T) {
	s, _, log := start(t, tcpport.Config{PeekTimeout: 200 * time.Millisecond, MaxPeeking: 1})
	dial := func(says string) net.Conn {
		nc, err := net.Dial("tcp", s.Address("x", 1).HostPort())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write([]byte(says))
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		return nc
	}
	closed := func(nc net.Conn) {
		t.Helper()
		var ne net.Error
		if _, err := io.ReadAll(nc); errors.As(err, &ne) && ne.Timeout() {
			t.Error("the connection stays")
		}
		_ = nc.Close()
	}
	for says, looks := range map[string]string{"GET / HTTP/1.1\r\n\r\n": "HTTP", "\x16\x03\x01": "TLS", "\xee": "0xee"} {
		closed(dial(says))
		testenv.Eventually(t, 5*time.Second, "the log says "+looks, func() bool { return log.has(looks) })
	}
	silent, second := dial(""), dial("")
	closed(second)
	testenv.Eventually(t, 5*time.Second, "the log says why", func() bool { return log.has("sent nothing yet") })
	closed(silent)
}
