package testenv

import (
	"context"
	"net"
	"testing"
	"time"
)

// Listen returns a TCP listener on a free loopback port. It is closed when tb
// ends, where tb has not closed it before.
func Listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("testenv: loopback listener: %v", err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	return ln
}

// Pair returns the two ends of one loopback TCP connection. Both are closed
// when tb ends.
func Pair(tb testing.TB) (client, server net.Conn) {
	tb.Helper()
	ln := Listen(tb)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		tb.Fatalf("testenv: dial loopback: %v", err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	server, err = ln.Accept()
	if err != nil {
		tb.Fatalf("testenv: accept on loopback: %v", err)
	}
	tb.Cleanup(func() { _ = server.Close() })
	return client, server
}

// Context returns a context that ends after d, or with tb, whichever is first.
func Context(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}

// Eventually calls cond until it is true and stops tb if that has not happened
// within d. It is for effects that no channel announces, such as a counter that
// another goroutine moves; what says the thing that was awaited.
func Eventually(tb testing.TB, d time.Duration, what string, cond func() bool) {
	tb.Helper()
	limit := time.After(d)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-limit:
			tb.Fatalf("not within %v: %s", d, what)
		case <-tick.C:
		}
	}
}
