// Package planetest tests transports: a conformance suite that runs over any pair of
// request and response transports, and a transport within a process with faults to
// order, which is also the example of how to write one.
//
// # The suite
//
// Run makes a worker and a router over the two registries of a Pair and checks what a
// caller may rely on, whatever the transport: items arrive whole and in order, every
// stream has exactly one terminal, a refusal is known not to have started, a caller who
// leaves ends the handler, and nothing is left behind. What a transport cannot do is
// excluded by name and with a reason, which the test prints.
//
// # The transport
//
// A Network connects the transports of one process, in memory and without a goroutine
// or a clock of its own, so that it runs in a bubble of testing/synctest. Its request
// transport answers in the same exchange or elsewhere; its response transport calls
// home. See docs/own-transport.md.
package planetest
