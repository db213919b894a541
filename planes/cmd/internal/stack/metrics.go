package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/dynenv"
	"github.com/wireplane/wireplane/planes/metrics"
	"github.com/wireplane/wireplane/pool"
)

// Metrics is the metrics of a process and the server that shows them.
type Metrics struct {
	*metrics.Metrics
	Addr string // host:port where /metrics is; "" where the server is off
	srv  *http.Server
	done chan struct{}
}

// NewMetrics makes the metrics, and serves them where the settings say.
func NewMetrics(ctx context.Context, c *dynenv.Config, log *slog.Logger) (*Metrics, error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m, err := metrics.New(reg, metrics.Options{})
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s := &Metrics{Metrics: m}
	if c.Metrics.Addr == "" {
		return s, nil
	}
	at, err := ParseListen(c.Metrics.Addr)
	if err != nil {
		return nil, fmt.Errorf("metrics at %w", err)
	}
	at.Explicit = c.Metrics.Explicit
	ln, err := listen(ctx, "metrics", at, log)
	if err != nil {
		return nil, err
	}
	s.Addr = net.JoinHostPort(advertised("", ln.Addr()), strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(reg))
	s.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the metrics server failed", "err", err)
		}
	}()
	return s, nil
}

// Close ends the server.
func (m *Metrics) Close() error {
	if m.srv == nil {
		return nil
	}
	err := m.srv.Close()
	<-m.done
	return err
}

func target(k string) string { return k }

// pool returns the observer of the call-home pool.
func (o *Options) pool() pool.Observer[string] {
	if o.Metrics == nil {
		return pool.Observer[string]{}
	}
	return metrics.PoolObserver(o.Metrics.Metrics, target)
}

// gauges shows the connections of the call-home pool.
func (o *Options) gauges(d *callhome.Dialer) {
	if o.Metrics != nil {
		o.Metrics.WatchTargets(d.Each)
	}
}
