package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/metrics"
	"github.com/wireplane/wireplane/pool"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var update = flag.Bool("update", false, "rewrite METRICS.md")

func TestTheListOfMetricsIsFresh(t *testing.T) {
	var b bytes.Buffer
	if err := metrics.WriteDoc(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("METRICS.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("METRICS.md")
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("METRICS.md is not what the table says (%v); run make generate", err)
	}
}

func start(t *testing.T, opts metrics.Options) (*metrics.Metrics, func() map[string]*dto.MetricFamily) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := metrics.New(reg, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m, func() map[string]*dto.MetricFamily {
		t.Helper()
		rec := httptest.NewRecorder()
		metrics.Handler(reg).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		parser := expfmt.NewTextParser(model.LegacyValidation)
		out, err := parser.TextToMetricFamilies(rec.Body)
		if err != nil || rec.Code != 200 {
			t.Fatalf("%d, %v", rec.Code, err)
		}
		return out
	}
}

// sum adds up the series of a family whose label, if one is named, has the value.
func sum(f *dto.MetricFamily, labels ...string) (total float64) {
	for _, s := range f.GetMetric() {
		ok := true
		for i := 0; i < len(labels); i += 2 {
			ok = ok && slices.ContainsFunc(s.Label, func(l *dto.LabelPair) bool { return l.GetName() == labels[i] && l.GetValue() == labels[i+1] })
		}
		if ok {
			total += s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// The names of the mission, with exactly its labels, are there before anything happens.
func TestEveryNameShowsFromTheStart(t *testing.T) {
	_, scrape := start(t, metrics.Options{})
	got := scrape()
	for name, labels := range map[string]string{
		"tcp_pool_connections_created_total": "target", "tcp_pool_connections_reused_total": "target", "tcp_pool_active_connections": "target",
		"tcp_pool_idle_connections": "target", "tcp_pool_acquisition_latency_seconds": "target", "tcp_pool_validation_failures_total": "target",
		"transport_requests_total": "plane transport", "transport_request_latency_seconds": "plane transport",
		"transport_errors_total": "error_type transport", "transport_active_streams": "plane transport",
		"discovery_registrations_total": "", "discovery_discoveries_total": "", "discovery_etcd_latency_seconds": "op",
		"discovery_cache_hits_total": "", "discovery_cache_misses_total": "", "discovery_cache_age_seconds": "",
	} {
		f := got[name]
		if f == nil {
			t.Errorf("%s is not there", name)
			continue
		}
		var names []string
		for _, l := range f.Metric[0].Label {
			names = append(names, l.GetName())
		}
		slices.Sort(names)
		if strings.Join(names, " ") != labels {
			t.Errorf("%s has labels %v, want %s", name, names, labels)
		}
	}
	for _, f := range metrics.Families() {
		if got[f.Name] == nil || sum(got[f.Name]) != 0 {
			t.Errorf("%s: %v", f.Name, got[f.Name])
		}
	}
	if len(got) != len(metrics.Families()) {
		t.Errorf("%d families, want %d", len(got), len(metrics.Families()))
	}
}

func TestEveryCodeHasItsErrorType(t *testing.T) {
	for c := planes.CodeOK; c <= planes.CodeUnsupported; c++ {
		got := metrics.ErrorType(c)
		if (got == "") != (c == planes.CodeOK) || got == "other" {
			t.Errorf("%v: %q", c, got)
		}
	}
	for c, want := range map[planes.Code]string{
		planes.CodeDeadline: "timeout", planes.CodePeerLost: "connection", planes.CodeChecksum: "protocol", 200: "other",
	} {
		if got := metrics.ErrorType(c); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}

func TestTerminalsAddUpToTheCallsThatStarted(t *testing.T) {
	m, scrape := start(t, metrics.Options{})
	o := m.Observer()
	const workers, calls = 8, 500
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			anyError := func() error {
				switch rng.IntN(4) {
				case 0:
					return errors.New("bare")
				case 1:
					return context.Canceled
				}
				return fmt.Errorf("wrapped: %w", &planes.Error{Code: planes.Code(rng.IntN(256)), Phase: planes.Phase(rng.IntN(256))})
			}
			for range calls {
				i := planes.CallInfo{Transport: planes.TransportID(fmt.Sprintf("t%d", rng.IntN(100)))}
				r := planes.CallResult{Elapsed: time.Duration(rng.IntN(1e9)), First: time.Duration(rng.IntN(2))}
				o.Start(i)
				if rng.IntN(3) == 0 {
					r.Err = anyError()
				}
				o.End(i, r)
				if r.Err == nil {
					i.Plane = planes.ResponsePlane
					o.Start(i)
					if rng.IntN(2) == 0 {
						r.Err = anyError()
					}
					o.End(i, r)
				}
				if metrics.ErrorType(planes.CodeOf(r.Err)) != "" {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			}
		})
	}
	for range 5 {
		scrape()
	}
	wg.Wait()
	got := scrape()
	started := sum(got["transport_requests_total"], "plane", "request")
	if ended := sum(got["transport_terminals_total"]); started != workers*calls || ended != started {
		t.Errorf("%v started, %v ended, want %v", started, ended, workers*calls)
	}
	if n := sum(got["transport_active_streams"]); n != 0 {
		t.Errorf("%v are active", n)
	}
	if n := sum(got["transport_errors_total"]); n != float64(failed) {
		t.Errorf("%v errors, want %d", n, failed)
	}
	if n := len(got["transport_requests_total"].Metric); n > 2*(7+16) {
		t.Errorf("%d series for 100 transports", n)
	}
	if n := len(got["transport_terminals_total"].Metric); n > (7+16)*21*3 {
		t.Errorf("%d series of terminals", n)
	}
}

func TestTargetsAreBoundedAndThoseThatAreGoneMakeRoom(t *testing.T) {
	m, scrape := start(t, metrics.Options{MaxTargets: 3})
	name := func(k string) string { return k }
	o := metrics.PoolObserver(m, name)
	p, err := pool.New(pool.Config[string, int]{
		Dial: func(context.Context, string) (int, error) { return 1, nil }, Close: func(int) {}, Observer: o,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	metrics.WatchPool(m, p, name)
	lease, err := p.Acquire(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		o.Created(fmt.Sprint("gone ", i))
		o.CheckFailed(fmt.Sprint("gone ", i), nil)
	}
	got := scrape()
	created := got["tcp_pool_connections_created_total"]
	if sum(created, "target", "kept") != 1 || sum(got["tcp_pool_active_connections"], "target", "kept") != 1 || sum(created, "target", "other") != 8 {
		t.Errorf("%v", created)
	}
	if len(created.Metric) > 4 {
		t.Errorf("%d series", len(created.Metric))
	}
	o.Created("new") // the scrape has made room
	lease.Release()
	got = scrape()
	if created = got["tcp_pool_connections_created_total"]; sum(created, "target", "new") != 1 || len(created.Metric) > 4 {
		t.Errorf("%v", created)
	}
	if sum(got["tcp_pool_idle_connections"], "target", "kept") != 1 || sum(got["tcp_pool_active_connections"]) != 0 {
		t.Errorf("%v", got["tcp_pool_idle_connections"])
	}
	again, err := p.Acquire(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	if got = scrape(); sum(got["tcp_pool_connections_reused_total"], "target", "kept") != 1 || sum(got["tcp_pool_acquisition_latency_seconds"], "target", "kept") != 2 {
		t.Errorf("%v", got["tcp_pool_connections_reused_total"])
	}
}

func TestEventsBesideCallsAreCounted(t *testing.T) {
	m, scrape := start(t, metrics.Options{})
	o, d := m.Observer(), m.DiscoveryObserver()
	o.Fallback(planes.CallInfo{Transport: planes.NATS}, planes.CallInfo{Transport: planes.TCP}, nil)
	o.Breaker(1, planes.NATS, true)
	o.Breaker(2, planes.NATS, true)
	o.Breaker(1, planes.NATS, false)
	o.CallHome("late")
	d.Registered(nil)
	d.Discovered(nil)
	d.BackendOp("put", time.Millisecond, errors.New("x"))
	d.CacheHit()
	d.CacheMiss()
	d.BadRecord("", nil)
	m.CacheAge(func() time.Duration { return 1500 * time.Millisecond })
	got := scrape()
	for name, want := range map[string]float64{
		"transport_fallbacks_total": 1, "transport_open_breakers": 1, "transport_call_home_rejected_total": 1, "discovery_registrations_total": 1,
		"discovery_discoveries_total": 1, "discovery_etcd_latency_seconds": 1, "discovery_errors_total": 1, "discovery_cache_hits_total": 1,
		"discovery_cache_misses_total": 1, "discovery_bad_records_total": 1, "discovery_cache_age_seconds": 1.5,
	} {
		if n := sum(got[name]); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
}

func TestNamesAreGoodPrometheus(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if _, err := metrics.New(reg, metrics.Options{}); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if _, err := metrics.New(reg, metrics.Options{}); err == nil {
		t.Error("the names were registered twice")
	}
	if _, err := metrics.New(prometheus.NewRegistry(), metrics.Options{MaxTargets: -1}); err == nil {
		t.Error("a negative bound was taken")
	}
}

// What a peer can make of a label value is no reason to panic, and no long text.
func TestLabelValuesThatAreNoTextAreOther(t *testing.T) {
	m, gather := start(t, metrics.Options{})
	o := metrics.PoolObserver(m, func(k string) string { return k })
	m.WatchTargets(func(f func(string, pool.KeyStat)) { f("h\xff:1", pool.KeyStat{}); f("", pool.KeyStat{}) })
	for _, odd := range []string{"h\xff:1", strings.Repeat("h", 10_000), "h\n} 1\n# HELP x", `"`, "\x00", ""} {
		o.Created(odd)
		m.Observer().Start(planes.CallInfo{Transport: planes.TransportID(odd)})
		m.Observer().CallHome(odd)
		m.DiscoveryObserver().BackendOp(odd, 0, errors.New("x"))
	}
	created := gather()["tcp_pool_connections_created_total"]
	if n := sum(created); n != 6 {
		t.Errorf("%v created; want 6", n)
	}
	for _, one := range created.Metric {
		if v := one.Label[0].GetValue(); len(v) > 300 || !utf8.ValidString(v) {
			t.Errorf("label %.50q of %d bytes", v, len(v))
		}
	}
}
