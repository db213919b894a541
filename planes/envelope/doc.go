// Package envelope is the form in which a request travels when its answer goes
// elsewhere: one two-part message (spec/twopart.wire) whose header is a JSON document,
// the control message, and whose body is the request's payload. The same bytes are the
// payload of a NATS message, the body of a POST and the payload of a TCP request frame.
//
// The layout is that of the released Dynamo runtime. What only this project's peers
// understand stands under one key of its own, which released peers ignore.
//
// A few headers travel beside the envelope, in the way of the transport that carries
// it: Headers makes them, Apply reads them.
package envelope
