// Package conform runs the conformance suite of transports, planes/planetest, over
// every combination of a request and a response transport of this project. The cells of
// the table that cannot be are named, each with its reason.
package conform
