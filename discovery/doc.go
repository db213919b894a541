// Package discovery is how routers find workers: a worker registers an Instance, which
// says where its endpoint is reached and in which ways, and a router lists and watches
// the instances of a route.
//
// Records are those of the released Dynamo runtime with fields of our own beside them,
// so that both read each other: see Record. A Store keeps them: Memory within one
// process, File in a directory, and package discovery/etcd. Cache is a router's view of
// a store, read without locks, which goes on serving what it knows while the store is
// away. A record that cannot be understood is skipped and reported, never fatal.
package discovery
