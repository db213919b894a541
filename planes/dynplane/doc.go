// Package dynplane is the TCP request plane of the released Dynamo runtime as a request
// transport: a Client for routers and a Server for workers, in the frames of
// spec/dynamo.wire. A request is an envelope whose answer goes elsewhere; what comes
// back on the connection is an ack that says whether the worker has queued it.
//
// Acks carry no id: they come strictly in the order of the requests. Every ack that is
// not empty is a rejection, and a rejected request never runs.
package dynplane
