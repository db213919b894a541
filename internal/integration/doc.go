// Package integration tests this project against real servers that run inside of the
// tests: a NATS server, an etcd.
//
// It is a module of its own, so that nothing else links them.
package integration
