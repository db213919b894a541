// Package stack builds what a process of the command line needs from its settings: the
// transports of a worker or a router in a registry, the discovery store, and the server
// of the metrics. Every listener follows one rule: a default port that is taken gives
// way to a free one, and says so; a port that somebody chose does not.
package stack
