// Package gnetloop drives netpoll connections with gnet, on Linux: gnet's client is used as a group of epoll loops
// without a listener, and connections made elsewhere are enrolled in it. It is the only package that imports gnet and
// x/sys.
//
// gnet reads and dispatches. Writes do not pass through it, because its outbound buffer has no bound and tells nobody
// when it drains: the owner of a flush calls write(2) itself, and what the kernel refuses waits for a second epoll
// instance (drain_linux.go).
package gnetloop
