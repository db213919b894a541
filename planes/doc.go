// Package planes is the contract between routers, workers and the transports that
// connect them: requests, handlers, streams of items, and errors that say how far
// a call had come. It imports no transport; tcpplane is the first implementation.
//
// A call is one request and either one response item (unary) or a stream of them.
// Every call ends with exactly one terminal: a clean end whose totals were
// checked, or an *Error. An Error carries a Code (what), an Origin (who says so)
// and a Phase (whether the handler may have run), so that a caller knows when a
// retry elsewhere is safe.
//
// Byte slices that a transport lends are named "borrowed until X" in the doc of
// the function that lends them; everything else is copied.
package planes
