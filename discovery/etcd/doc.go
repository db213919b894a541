// Package etcd is the discovery.Store over an etcd cluster, in the layout of released
// Dynamo: one lease per store, under which its records are, and watches that survive
// whatever befalls the cluster.
//
// A store keeps its lease id when the lease is lost, so that its instances keep their
// names. Routers go on with what they know while the cluster is away, and when it has
// come back with less than before they hold what is missing for a grace period, within
// which workers that live write themselves anew.
//
// It is a module of its own: the client links about 150 packages.
package etcd
