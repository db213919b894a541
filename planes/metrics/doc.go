// Package metrics counts what planes, pools and discovery do, for Prometheus.
//
// New registers every family and returns a Metrics, whose Observer, PoolObserver and
// DiscoveryObserver go into the configurations of the things that are counted. Every
// family shows from the start, at 0, and no label can take more than a bounded number
// of values. METRICS.md lists names, labels and meaning, and is written from the table
// that New works with.
package metrics

//go:generate go test -count=1 -run TestTheListOfMetricsIsFresh . -update
