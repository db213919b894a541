package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/pool"
)

// Options configure New. The zero value is usable.
type Options struct {
	// MaxTargets bounds the values of the label target; 0 means 256. What is beyond
	// them counts as "other".
	MaxTargets int
}

var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Metrics counts. All methods, and the functions of the observers it returns, are safe
// for concurrent use and do not block.
type Metrics struct {
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec

	targets, transports, ops, reasons *bounded

	cacheAge atomic.Pointer[func() time.Duration]

	mu    sync.Mutex
	pools []func(func(target string, active, idle uint64))
}

var (
	knownTransports = []string{string(planes.TCP), string(planes.DynamoTCP), string(planes.HTTP), string(planes.H2C),
		string(planes.NATS), string(planes.Exchange), other}
	knownOps     = []string{"grant", "keepalive", "put", "get", "list", "watch", "delete", "touch", other}
	knownReasons = []string{"late", "duplicate", "unknown", "bad token", other}
	bothPlanes   = []string{planes.RequestPlane.String(), planes.ResponsePlane.String()}
)

// New registers every family with reg. It fails where reg has one of the names already.
func New(reg prometheus.Registerer, opts Options) (*Metrics, error) {
	if opts.MaxTargets < 0 {
		return nil, fmt.Errorf("metrics: MaxTargets %d; want 0 for 256, or more", opts.MaxTargets)
	}
	if opts.MaxTargets == 0 {
		opts.MaxTargets = 256
	}
	const more = 16
	m := &Metrics{
		counters: make(map[string]*prometheus.CounterVec), gauges: make(map[string]*prometheus.GaugeVec),
		histograms: make(map[string]*prometheus.HistogramVec),
		targets:    newBounded(opts.MaxTargets), transports: newBounded(more, knownTransports...),
		ops: newBounded(more, knownOps...), reasons: newBounded(more, knownReasons...),
	}
	collectors := []prometheus.Collector{&scrape{m}}
	for _, f := range families {
		switch {
		case atScrape[f.Name]:
		case f.Kind == Counter:
			v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
			m.counters[f.Name], collectors = v, append(collectors, v)
		case f.Kind == Gauge:
			v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help}, f.Labels)
			m.gauges[f.Name], collectors = v, append(collectors, v)
		case f.Kind == Histogram:
			v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: buckets}, f.Labels)
			m.histograms[f.Name], collectors = v, append(collectors, v)
		}
	}
	m.start()
	for i, c := range collectors {
		if err := reg.Register(c); err != nil {
			for _, done := range collectors[:i] {
				reg.Unregister(done)
			}
			return nil, fmt.Errorf("metrics: register: %w", err)
		}
	}
	return m, nil
}

// start makes the series whose labels are known.
func (m *Metrics) start() {
	values := map[string][]string{
		"target": {other}, "transport": knownTransports, "from": knownTransports, "to": knownTransports, "plane": bothPlanes,
		"op": knownOps, "reason": knownReasons, "code": {planes.CodeOK.String()}, "phase": {planes.PhaseStarted.String()},
	}
	for _, e := range errorTypes {
		values["error_type"] = append(values["error_type"], e.name)
	}
	values["error_type"] = append(values["error_type"], other)
	for _, f := range families {
		rows := [][]string{nil}
		for _, l := range f.Labels {
			var next [][]string
			for _, row := range rows {
				for _, v := range values[l] {
					next = append(next, append(row[:len(row):len(row)], v))
				}
			}
			rows = next
		}
		for _, row := range rows {
			switch {
			case m.counters[f.Name] != nil:
				m.counters[f.Name].WithLabelValues(row...)
			case m.gauges[f.Name] != nil:
				m.gauges[f.Name].WithLabelValues(row...)
			case m.histograms[f.Name] != nil:
				m.histograms[f.Name].WithLabelValues(row...)
			}
		}
	}
}

func (m *Metrics) inc(name string, labels ...string) {
	m.counters[name].WithLabelValues(labels...).Inc()
}

func (m *Metrics) observe(name string, d time.Duration, labels ...string) {
	m.histograms[name].WithLabelValues(labels...).Observe(d.Seconds())
}

// Observer counts calls; see planes.Observer. An attempt that was not taken is a
// terminal on the request plane, every answer one on the response plane.
func (m *Metrics) Observer() planes.Observer {
	return planes.Observer{
		Start: func(i planes.CallInfo) {
			t, plane := m.transports.label(string(i.Transport)), i.Plane.String()
			m.inc("transport_requests_total", t, plane)
			m.gauges["transport_active_streams"].WithLabelValues(t, plane).Inc()
		},
		End: func(i planes.CallInfo, r planes.CallResult) {
			t, plane := m.transports.label(string(i.Transport)), i.Plane.String()
			m.gauges["transport_active_streams"].WithLabelValues(t, plane).Dec()
			m.observe("transport_request_latency_seconds", r.Elapsed, t, plane)
			if r.First > 0 {
				m.observe("transport_first_item_latency_seconds", r.First, t)
			}
			code, phase := outcome(r.Err)
			if e := ErrorType(code); e != "" {
				m.inc("transport_errors_total", t, e)
			}
			if i.Plane == planes.ResponsePlane || r.Err != nil {
				m.inc("transport_terminals_total", t, codeLabel(code), phase)
			}
		},
		Fallback: func(from, to planes.CallInfo, _ error) {
			m.inc("transport_fallbacks_total", m.transports.label(string(from.Transport)), m.transports.label(string(to.Transport)))
		},
		Breaker: func(_ uint64, transport planes.TransportID, open bool) {
			g := m.gauges["transport_open_breakers"].WithLabelValues(m.transports.label(string(transport)))
			if open {
				g.Inc()
			} else {
				g.Dec()
			}
		},
		CallHome: func(reason string) { m.inc("transport_call_home_rejected_total", m.reasons.label(reason)) },
	}
}

// outcome returns code and phase; a bare error says nothing about the phase.
func outcome(err error) (planes.Code, string) {
	if err == nil {
		return planes.CodeOK, planes.PhaseStarted.String()
	}
	var e *planes.Error
	if errors.As(err, &e) && e != nil && e.Phase <= planes.PhaseStarted {
		return e.Code, e.Phase.String()
	}
	return planes.CodeOf(err), planes.PhaseMaybe.String()
}

// codeLabel bounds what a peer can make of a code.
func codeLabel(c planes.Code) string {
	if c > planes.CodeUnsupported {
		return other
	}
	return c.String()
}

// DiscoveryObserver counts what discovery does.
func (m *Metrics) DiscoveryObserver() discovery.Observer {
	return discovery.Observer{
		Registered: func(*discovery.Instance) { m.inc("discovery_registrations_total") },
		Discovered: func(*discovery.Instance) { m.inc("discovery_discoveries_total") },
		BackendOp: func(op string, elapsed time.Duration, err error) {
			op = m.ops.label(op)
			m.observe("discovery_etcd_latency_seconds", elapsed, op)
			if err != nil {
				m.inc("discovery_errors_total", op)
			}
		},
		CacheHit:  func() { m.inc("discovery_cache_hits_total") },
		CacheMiss: func() { m.inc("discovery_cache_misses_total") },
		BadRecord: func(string, error) { m.inc("discovery_bad_records_total") },
	}
}

// CacheAge makes age the source of discovery_cache_age_seconds; it is called at each
// scrape.
func (m *Metrics) CacheAge(age func() time.Duration) { m.cacheAge.Store(&age) }

// PoolObserver counts what a pool does, with target as the label of a key.
func PoolObserver[K comparable](m *Metrics, target func(K) string) pool.Observer[K] {
	return pool.Observer[K]{
		Acquired: func(k K, wait time.Duration, reused bool) {
			m.targets.with(target(k), func(l string) {
				m.observe("tcp_pool_acquisition_latency_seconds", wait, l)
				if reused {
					m.inc("tcp_pool_connections_reused_total", l)
				}
			})
		},
		Failed: func(k K, _ time.Duration, _ error) {
			m.targets.with(target(k), func(l string) { m.inc("tcp_pool_acquisition_failures_total", l) })
		},
		Created: func(k K) {
			m.targets.with(target(k), func(l string) { m.inc("tcp_pool_connections_created_total", l) })
		},
		CheckFailed: func(k K, _ error) {
			m.targets.with(target(k), func(l string) { m.inc("tcp_pool_validation_failures_total", l) })
		},
	}
}

// WatchPool makes p's connections show as active and idle, for as long as m lives.
func WatchPool[K comparable, V any](m *Metrics, p *pool.Pool[K, V], target func(K) string) {
	m.WatchTargets(func(f func(string, pool.KeyStat)) {
		p.Each(func(k K, s pool.KeyStat) { f(target(k), s) })
	})
}

// WatchTargets is WatchPool for a pool that somebody else holds: each calls its argument
// for every target with what there is now, and is called at each scrape.
func (m *Metrics) WatchTargets(each func(func(target string, s pool.KeyStat))) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pools = append(m.pools, func(f func(string, uint64, uint64)) {
		each(func(target string, s pool.KeyStat) { f(target, s.Busy, s.Idle) })
	})
}

// Handler serves the metrics of g, which is usually the registry that New was given.
func Handler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{})
}
