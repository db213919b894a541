package netpolltest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

// patience bounds every wait of the suite: it is spent only when a test fails.
const patience = 20 * time.Second

// NewGroup makes a group of the driver under test from config, ends it with tb.Cleanup and fails tb if it cannot.
type NewGroup func(tb testing.TB, config netpoll.Config) *netpoll.Group

// Run runs the suite. Each scenario makes groups of its own with newGroup.
func Run(t *testing.T, newGroup NewGroup) {
	for _, s := range []struct {
		name string
		run  func(*testing.T, NewGroup)
	}{
		{"Input", testInput},
		{"Output", testOutput},
		{"Producer", testProducer},
		{"Limits", testLimits},
		{"Closing", testClosing},
		{"Panics", testPanics},
		{"Timeouts", testTimeouts},
		{"Serving", testServing},
		{"Shutdown", testShutdown},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, newGroup) })
	}
}

// scenario is one named test of a file's table.
type scenario struct {
	name string
	run  func(*testing.T, NewGroup)
}

func runAll(t *testing.T, newGroup NewGroup, all []scenario) {
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) { s.run(t, newGroup) })
	}
}

// listen opens a loopback listener that the test closes.
func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// attach connects a plain socket with a connection of g.
func attach(t *testing.T, g *netpoll.Group, h netpoll.Handler) (peer *net.TCPConn, c *netpoll.Conn) {
	t.Helper()
	ln := listen(t)
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, err = g.Attach(accepted, h)
	if err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn), c
}

// serve runs g.Serve in the background, checks how it ends, and returns the address.
func serve(t *testing.T, g *netpoll.Group, accept func(*netpoll.Conn) (netpoll.Handler, error)) string {
	t.Helper()
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, accept) }()
	t.Cleanup(func() {
		cancel()
		if err := await(t, ended, "Serve"); err == nil {
			t.Error("Serve ended without an error")
		}
	})
	return ln.Addr().String()
}

// dial opens a plain socket to addr.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

// send writes b from the peer's side.
func send(t *testing.T, nc net.Conn, b []byte) {
	t.Helper()
	if _, err := nc.Write(b); err != nil {
		t.Fatalf("peer's write: %v", err)
	}
}

// await receives from ch or fails.
func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing for %v", what, patience)
		panic("unreachable")
	}
}

// eventually waits until ok holds; it is for what no event announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
		<-ticker.C
	}
}

// pattern returns n bytes, not to be written to, that repeat with a period of 251, so that a shifted or doubled piece
// shows.
func pattern(n int) []byte { return patternBytes()[:n:n] }

var patternBytes = sync.OnceValue(func() []byte {
	b := make([]byte, 8<<20)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
})
