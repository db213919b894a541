// Package faults holds the tests of what goes wrong between a router and its workers:
// a process that is killed, a connection that is cut or swallows everything, a server of
// discovery or of requests that is away, records that nobody can read.
//
// Each test shows that its fault was injected, that every call ended with one typed
// terminal within its time, and that nothing was left behind. Its comment names the
// handling without which it fails.
package faults
