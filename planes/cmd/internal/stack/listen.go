package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"

	"github.com/wireplane/wireplane/planes/dynenv"
)

// ParseListen reads HOST:PORT that somebody chose; an empty host is every interface.
func ParseListen(addr string) (dynenv.Listen, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return dynenv.Listen{}, fmt.Errorf("%q; want HOST:PORT", addr)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return dynenv.Listen{}, fmt.Errorf("%q: port %q; want 0 to 65535", addr, text)
	}
	return dynenv.Listen{Host: host, Port: int(port), Explicit: true}, nil
}

// listen opens the listener of one server.
func listen(ctx context.Context, what string, l dynenv.Listen, log *slog.Logger) (net.Listener, error) {
	addr := net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
	var cfg net.ListenConfig
	ln, err := cfg.Listen(ctx, "tcp", addr)
	if err == nil {
		return ln, nil
	}
	if l.Explicit || !errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen for %s on %s: %w", what, addr, err)
	}
	ln, again := cfg.Listen(ctx, "tcp", net.JoinHostPort(l.Host, "0"))
	if again != nil {
		return nil, fmt.Errorf("listen for %s on %s: %w; on a free port: %w", what, addr, err, again)
	}
	log.Warn("the default port is taken; a free one is used", "server", what, "taken", addr, "used", ln.Addr().String())
	return ln, nil
}

// advertised returns the host that peers shall use for a listener: what the settings
// say, or the listener's own, or for a wildcard the first address of this machine that
// others can reach, and loopback where there is none.
func advertised(chosen string, ln net.Addr) string {
	if chosen != "" {
		return chosen
	}
	if a, ok := ln.(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
		return a.IP.String()
	}
	return LocalHost()
}

// LocalHost returns the first global unicast address of this machine, IPv4 before
// IPv6, or 127.0.0.1.
func LocalHost() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	six := ""
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		if n.IP.To4() != nil {
			return n.IP.String()
		}
		if six == "" {
			six = n.IP.String()
		}
	}
	if six != "" {
		return six
	}
	return "127.0.0.1"
}
