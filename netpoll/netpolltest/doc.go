// Package netpolltest is the conformance suite of netpoll's drivers: [Run] checks the whole contract of netpoll.Conn,
// netpoll.Handler and netpoll.Group against groups made by the caller. Peers are plain sockets on the loopback, so that
// what is tested is seen from outside. A driver of one's own gets the same tests.
package netpolltest
