package metrics

import (
	"fmt"
	"io"
	"strings"
)

// Kind is what a family is.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram" // seconds, 100 us to 60 s
)

// A Family is one metric with its labels.
type Family struct {
	Name   string
	Kind   Kind
	Labels []string
	Help   string
}

// families is all there is; New registers it, WriteDoc prints it.
var families = []Family{
	{"tcp_pool_connections_created_total", Counter, []string{"target"}, "Connections that the pool dialled."},
	{"tcp_pool_connections_reused_total", Counter, []string{"target"}, "Leases of a connection that was there already."},
	{"tcp_pool_active_connections", Gauge, []string{"target"}, "Connections that are leased now."},
	{"tcp_pool_idle_connections", Gauge, []string{"target"}, "Connections that wait for a lease now."},
	{"tcp_pool_acquisition_latency_seconds", Histogram, []string{"target"}, "Time until a lease was given."},
	{"tcp_pool_validation_failures_total", Counter, []string{"target"}, "Connections that failed their check before a lease."},
	{"tcp_pool_acquisition_failures_total", Counter, []string{"target"}, "Leases that were not given."},
	{"transport_requests_total", Counter, []string{"transport", "plane"}, "Call halves that started: on the request plane attempts to hand a request over, on the response plane answers awaited."},
	{"transport_request_latency_seconds", Histogram, []string{"transport", "plane"}, "Time from start to end of a call half."},
	{"transport_errors_total", Counter, []string{"transport", "error_type"}, "Call halves that did not end cleanly, on either plane."},
	{"transport_active_streams", Gauge, []string{"transport", "plane"}, "Call halves that run now."},
	{"transport_terminals_total", Counter, []string{"transport", "code", "phase"}, "Ends of attempts: every answer's, and the request's where it was not taken. Once all is over their sum is that of transport_requests_total on the request plane."},
	{"transport_first_item_latency_seconds", Histogram, []string{"transport"}, "Time from the start of an answer to its first item."},
	{"transport_fallbacks_total", Counter, []string{"from", "to"}, "Calls that moved on to another request transport of the same worker."},
	{"transport_open_breakers", Gauge, []string{"transport"}, "Pairs of instance and transport whose breaker is open now."},
	{"transport_call_home_rejected_total", Counter, []string{"reason"}, "Call-home connections that were turned away."},
	{"discovery_registrations_total", Counter, nil, "Instances written for the first time or after a loss."},
	{"discovery_discoveries_total", Counter, nil, "Instances that a cache saw for the first time."},
	{"discovery_etcd_latency_seconds", Histogram, []string{"op"}, "Time of one operation of the discovery store, whichever it is."},
	{"discovery_errors_total", Counter, []string{"op"}, "Operations of the discovery store that failed."},
	{"discovery_cache_hits_total", Counter, nil, "Look-ups that found instances."},
	{"discovery_cache_misses_total", Counter, nil, "Look-ups that found none."},
	{"discovery_cache_age_seconds", Gauge, nil, "Time since the cache was last known to be current; 0 where there is no cache."},
	{"discovery_bad_records_total", Counter, nil, "Records that were skipped because they do not parse."},
}

func family(name string) Family {
	for _, f := range families {
		if f.Name == name {
			return f
		}
	}
	return Family{Name: name}
}

// Families returns every family, in the order of METRICS.md. The slice is the caller's.
func Families() []Family { return append([]Family(nil), families...) }

// WriteDoc writes METRICS.md.
func WriteDoc(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Metrics

Written by ` + "`go generate`" + ` from the table of this package; do not edit.

Every name shows from the start. ` + "`target`" + ` has at most 256 values by default, then everything else is ` + "`other`" + `; a target
that no pool knows any more frees its place when the places run out. ` + "`transport`" + `, ` + "`op`" + ` and ` + "`reason`" + ` take the known values
and 16 more, then ` + "`other`" + `. Histograms are in seconds, with buckets from 100 us to 60 s.

| name | kind | labels | meaning |
|---|---|---|---|
`)
	for _, f := range families {
		labels := make([]string, len(f.Labels))
		for i, l := range f.Labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Kind, strings.Join(labels, ", "), f.Help)
	}
	b.WriteString("\n## error_type\n\n| value | codes |\n|---|---|\n")
	for _, e := range errorTypes {
		names := make([]string, len(e.codes))
		for i, c := range e.codes {
			names[i] = c.String()
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.name, strings.Join(names, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
