package bench

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// Server answers one workload.
type Server interface {
	// Serve takes ln over and answers on its connections until Close.
	Serve(ln net.Listener) error
	// Close makes Serve return. It may be called more than once, and before Serve.
	Close() error
}

// Client drives one workload.
type Client interface {
	// Run keeps the calls of the workload in flight and records each in m, until
	// m stops.
	Run(ctx context.Context, m *Meter) error
	// Close gives the connections up. It is called after Run has returned.
	Close() error
}

// SyscallCounter is implemented by servers and clients that know how many system
// calls they have made. It is asked at both ends of the window, from a goroutine
// of its own.
type SyscallCounter interface{ Syscalls() int64 }

// Contender is a pair of server and client that can be measured.
type Contender struct {
	Name     string
	About    string   // one line for the help text
	Handlers []string // the handler classes that its server knows, default first
	// NewServer returns the server for w with handlers of the given class.
	NewServer func(handler string, w Workload) (Server, error)
	// NewClient connects to addr. The client may expect every answer in full: it
	// is the server of the same contender that it talks to.
	NewClient func(ctx context.Context, addr string, w Workload) (Client, error)
}

// Find returns the contender of that name, or an error that lists the names.
func Find(all []Contender, name string) (Contender, error) {
	var names []string
	for _, c := range all {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Contender{}, fmt.Errorf("bench: no contender %q; there are %s", name, strings.Join(names, ", "))
}
