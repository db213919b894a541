package httpplane

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// freshGrace is how long a shutdown lets a connection be on which nothing has come yet.
const freshGrace = 250 * time.Millisecond

// fresh are the connections on which nothing has come yet. Clients make some in advance;
// the shutdown of net/http waits 5 s for a request on each of them.
type fresh struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// watch makes s say what becomes of its connections. It comes before s serves.
func (f *fresh) watch(s *http.Server) {
	f.conns = make(map[net.Conn]struct{})
	s.ConnState = func(nc net.Conn, st http.ConnState) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if st == http.StateNew {
			f.conns[nc] = struct{}{}
		} else {
			delete(f.conns, nc)
		}
	}
}

// end closes after the grace what is still without a request, unless the returned
// function is called before.
func (f *fresh) end() func() bool {
	return time.AfterFunc(freshGrace, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for nc := range f.conns {
			go nc.Close() //nolint:errcheck // of TLS it may wait; the server reports its end
		}
	}).Stop
}
