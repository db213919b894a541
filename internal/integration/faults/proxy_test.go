package faults_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is a network between two peers that can fail.
type proxy struct {
	ln net.Listener
	to string
	wg sync.WaitGroup

	mu    sync.Mutex
	conns []*net.TCPConn // both ends of every connection

	silent    atomic.Bool
	swallowed atomic.Int64 // bytes, while it was silent
	resets    atomic.Int64 // connections that were cut
}

// newProxy listens and passes on to the address that to returns, once it is known.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln}
	t.Cleanup(func() {
		_ = ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

// through starts to pass on to an address, and returns the proxy's own.
func (p *proxy) through(to net.Addr) string {
	p.to = to.String()
	p.wg.Go(p.accept)
	return p.ln.Addr().String()
}

func (p *proxy) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		a, b := in.(*net.TCPConn), out.(*net.TCPConn)
		p.mu.Lock()
		p.conns = append(p.conns, a, b)
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(a, b) })
		p.wg.Go(func() { p.pass(b, a) })
	}
}

// pass copies from one end to the other, and the end of it, unless the proxy is silent.
func (p *proxy) pass(from, to *net.TCPConn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		switch {
		case p.silent.Load():
			p.swallowed.Add(int64(n))
		case n > 0:
			if _, werr := to.Write(b[:n]); werr != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if !p.silent.Load() {
				if err == io.EOF { //nolint:errorlint // as Read returns it
					_ = to.CloseWrite()
				} else {
					_ = to.Close()
				}
			}
			return
		}
	}
}

// swallow makes the proxy half-open: connections stay, and nothing passes any more.
func (p *proxy) swallow() { p.silent.Store(true) }

// heal ends swallow, for connections to come; those that are there are cut.
func (p *proxy) heal() {
	p.cut()
	p.silent.Store(false)
}

// cut resets all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if c.SetLinger(0) == nil {
			p.resets.Add(1)
		}
		_ = c.Close()
	}
	p.conns = nil
}
