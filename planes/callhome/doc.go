// Package callhome is the TCP response plane: the worker dials the router and streams
// its answer there. A Listener is the router's side, a Dialer the worker's. The bytes
// are those of the released Dynamo runtime, so that each side works with a released
// peer; see the section on this plane in spec/PROTOCOL.md.
//
// There are three modes. ModeSingle is the released wire, one socket a response.
// ModePooled sends many responses over one socket, one after another: the router
// answers the clean end with one of its own, after which the next handshake may come.
// ModeMux sends many at once over one connection of the multiplexed plane (tcpplane)
// that the worker dials and the router calls over: it asks for each answer with a
// stream. A router offers modes, and a one-use token, only to a worker whose discovery
// record shows that it is one of ours; everybody else gets the released form. Where a
// mode fails the worker takes the next, and the router takes what comes first.
//
// Sockets of the first two modes are plain net.Conn, and the consumer of an answer
// reads its socket itself. There is no event loop there on purpose: one that cannot
// pause reading would have to buffer for a slow consumer, where the kernel's window
// holds the worker back for nothing. A response costs the router no goroutine; an idle
// pooled connection costs each side one that waits in a read, and so learns at once of
// a close. A multiplexed response is held back by the credit of its stream, and costs
// the worker a goroutine and the router none; its connection costs each side one.
package callhome
