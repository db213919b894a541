package netpoll_test

import (
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
)

func TestConnSizeGate(t *testing.T) {
	testenv.CheckSize(t, "netpoll.Conn", netpoll.ConnBytes, 288)
}

// idleConns is enough for a steady mean; each takes two descriptors.
const idleConns = 2000

// TestIdleConnBudget measures what a connection on the event loop costs that has echoed something and is idle since: our
// own state and gnet's. The peers are bare descriptors, so that they cost no heap. Budget 1 KiB, of the 2 KiB that a
// connection of the multiplexed plane may cost.
func TestIdleConnBudget(t *testing.T) {
	g := newGroup(netpoll.DriverLoop)(t, netpoll.Config{})
	ln := testenv.Listen(t)
	go g.Serve(t.Context(), ln, func(*netpoll.Conn) (netpoll.Handler, error) { return crowdedEcho{}, nil })
	addr := ln.Addr().(*net.TCPAddr)
	peers := make([]int, 0, idleConns+1)
	t.Cleanup(func() {
		for _, fd := range peers {
			syscall.Close(fd)
		}
	})
	connect := func() {
		peers = append(peers, rawEcho(t, addr))
	}
	connect() // the pools of the path
	goroutines := runtime.NumGoroutine()
	testenv.CheckRetained(t, idleConns, 1024, func() any {
		for range idleConns {
			connect()
		}
		return g
	})
	if n := g.Stat().Open; n != idleConns+1 {
		t.Errorf("%d connections open", n)
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("%d goroutines more than with one connection", n-goroutines)
	}
}

// rawEcho connects a bare socket and plays one round trip on it.
func rawEcho(t *testing.T, addr *net.TCPAddr) int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}); err != nil {
		t.Fatal(err)
	}
	var buf [100]byte
	if _, err := syscall.Write(fd, buf[:]); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(buf); {
		k, err := syscall.Read(fd, buf[n:])
		if err != nil || k == 0 {
			t.Fatalf("read %d: %v", k, err)
		}
		n += k
	}
	return fd
}

// TestEchoAllocs: a round trip through the loop, one Write in OnData, costs no allocation.
func TestEchoAllocs(t *testing.T) {
	g := newGroup(netpoll.DriverLoop)(t, netpoll.Config{})
	peer, nc := testenv.Pair(t)
	if _, err := g.Attach(nc, crowdedEcho{}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	testenv.Allocs(t, 0, func() {
		if _, err := peer.Write(buf); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, buf); err != nil {
			t.Fatal(err)
		}
	})
}

// pull is a producer whose output is announced from outside.
type pull struct {
	mu        sync.Mutex
	out, lent []byte
}

func (*pull) OnOpen(*netpoll.Conn) {}

func (*pull) OnData(_ *netpoll.Conn, b []byte) (int, error) { return len(b), nil }

func (*pull) OnClose(*netpoll.Conn, error) {}

func (p *pull) TakeOutput(*netpoll.Conn) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.lent = p.lent[:0], p.out
	return p.lent
}

func (p *pull) put(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
}

// TestSendAllocs: output announced from outside costs nothing with Flush, and with Wake the two allocations that gnet
// makes for a posted task, for all output until the flush.
func TestSendAllocs(t *testing.T) {
	g := newGroup(netpoll.DriverLoop)(t, netpoll.Config{})
	peer, nc := testenv.Pair(t)
	h := &pull{}
	c, err := g.Attach(nc, h)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	for name, tt := range map[string]struct {
		send  func()
		limit float64
	}{"Flush": {c.Flush, 0}, "Wake": {c.Wake, 2}} {
		t.Run(name, func(t *testing.T) {
			testenv.Allocs(t, tt.limit, func() {
				h.put(buf)
				tt.send()
				if _, err := io.ReadFull(peer, buf); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
