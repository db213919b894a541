// Package tcpplane is the multiplexed TCP plane: many calls and token streams at
// once over one connection, in the protocol of spec/PROTOCOL.md.
//
// A Server takes routes and serves listeners; a Client calls routes of one address.
// Both run on a netpoll.Group, so they work on the event loop and on plain net.Conn
// connections alike, and may share one group.
//
// # Flow and bounds
//
// A response stream is paced by credit that the caller's side grants from a memory
// budget per connection; a reader that stops costs its own stream and nobody
// else. Send blocks the handler's goroutine, never a loop. The limits are in
// Limits; what happens at each is said there.
//
// # Ends
//
// Every call ends with exactly one terminal: a clean end whose totals were checked,
// or a *planes.Error that says how far the call had come. A connection that breaks
// ends its calls with CodeTransport or CodePeerLost.
package tcpplane
