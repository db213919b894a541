// Package reqpath is what the TCP request transports share about addresses: which
// host to advertise, and the routing path behind it, which a router echoes and the
// worker maps back to the route.
//
// A path of ours is the instance in hex, a slash and the route.
package reqpath

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// maxInstances is how many instances a Table knows; the paths of further ones are
// not taken apart.
const maxInstances = 1024

// Table knows the instances for which addresses were given out. The zero value is
// ready. It is safe for concurrent use, and reading takes no lock.
type Table struct {
	mu    sync.Mutex
	known atomic.Pointer[map[string]struct{}]
}

// Path returns the path of a route at an instance, and remembers the instance.
func (t *Table) Path(route string, instance uint64) string {
	id := strconv.FormatUint(instance, 16)
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.known.Load()
	if old == nil || len(*old) < maxInstances {
		m := map[string]struct{}{id: {}}
		if old != nil {
			for k := range *old {
				m[k] = struct{}{}
			}
		}
		t.known.Store(&m)
	}
	return id + "/" + route
}

// Route returns the route behind the instance of a path, or the path itself if it
// does not begin with an instance that is known.
func (t *Table) Route(path string) string {
	id, route, ok := strings.Cut(path, "/")
	if m := t.known.Load(); ok && m != nil && route != "" {
		if _, ours := (*m)[id]; ours {
			return route
		}
	}
	return path
}

// Advertised returns the host and port at which others reach a listener at addr: host
// if it is set, else the address itself, else, for a wildcard, an address of this
// machine that is not loopback, or loopback if there is no other.
func Advertised(addr net.Addr, host string) (string, uint16) {
	ta, ok := addr.(*net.TCPAddr)
	switch {
	case !ok:
		return host, 0
	case host != "":
	case !ta.IP.IsUnspecified() && len(ta.IP) > 0:
		host = ta.IP.String()
	default:
		host = detect()
	}
	return host, uint16(ta.Port)
}

// detect returns an address of this machine, preferably IPv4.
func detect() string {
	addrs, _ := net.InterfaceAddrs()
	found := ""
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		if n.IP.To4() != nil {
			return n.IP.String()
		}
		if found == "" {
			found = n.IP.String()
		}
	}
	if found == "" {
		return "127.0.0.1"
	}
	return found
}
