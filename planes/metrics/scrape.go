package metrics

import "github.com/prometheus/client_golang/prometheus"

// atScrape are the families that are computed when they are asked for.
var atScrape = map[string]bool{
	"tcp_pool_active_connections": true, "tcp_pool_idle_connections": true, "discovery_cache_age_seconds": true,
}

var (
	activeDesc = desc("tcp_pool_active_connections")
	idleDesc   = desc("tcp_pool_idle_connections")
	ageDesc    = desc("discovery_cache_age_seconds")
)

func desc(name string) *prometheus.Desc {
	f := family(name)
	return prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
}

// scrape is the collector of atScrape.
type scrape struct{ m *Metrics }

func (s *scrape) Describe(ch chan<- *prometheus.Desc) {
	ch <- activeDesc
	ch <- idleDesc
	ch <- ageDesc
}

func (s *scrape) Collect(ch chan<- prometheus.Metric) {
	m := s.m
	age := 0.0
	if f := m.cacheAge.Load(); f != nil {
		age = (*f)().Seconds()
	}
	ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age)

	m.mu.Lock()
	pools := m.pools
	m.mu.Unlock()
	type figures struct{ active, idle uint64 }
	raw := make(map[string]figures)
	for _, each := range pools {
		each(func(target string, active, idle uint64) {
			f := raw[target]
			raw[target] = figures{f.active + active, f.idle + idle}
		})
	}
	m.targets.sweep(func(t string) bool { _, ok := raw[t]; return ok }, m.forget)
	sums := map[string]figures{other: {}}
	for target, f := range raw {
		l := m.targets.label(target)
		sums[l] = figures{sums[l].active + f.active, sums[l].idle + f.idle}
	}
	for l, f := range sums {
		ch <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(f.active), l)
		ch <- prometheus.MustNewConstMetric(idleDesc, prometheus.GaugeValue, float64(f.idle), l)
	}
}

// forget removes the series of a target.
func (m *Metrics) forget(target string) {
	for _, f := range families {
		if len(f.Labels) != 1 || f.Labels[0] != "target" {
			continue
		}
		if v := m.counters[f.Name]; v != nil {
			v.DeleteLabelValues(target)
		}
		if v := m.histograms[f.Name]; v != nil {
			v.DeleteLabelValues(target)
		}
	}
}
