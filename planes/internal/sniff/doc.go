// Package sniff looks at the first bytes of a connection without consuming them, so
// that one port can take several protocols and hand each connection over to whoever
// speaks its own: the bytes are still there for an event loop that takes the socket.
//
// On unix systems the kernel does the looking (MSG_PEEK). Elsewhere, and for
// connections without a descriptor, the bytes are read and put in front of the
// connection that Peek returns.
package sniff
