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
	// StreamHandlers are those of them that can answer streams; nil means all.
	StreamHandlers []string
	// NewServer returns the server for w with handlers of the given class.
	NewServer func(handler string, w Workload) (Server, error)
	// NewClient connects to addr, where the same contender's server listens that was
	// made for the same handler class and workload.
	NewClient func(ctx context.Context, addr, handler string, w Workload) (Client, error)
}

// Entries returns c with each handler class that can answer w: the one asked for,
// all of them when handler is empty, and the only one there is in any case.
func (c Contender) Entries(w Workload, handler string) []Entry {
	classes := c.Handlers
	if w.StreamItems > 0 && c.StreamHandlers != nil {
		classes = c.StreamHandlers
	}
	var entries []Entry
	for _, class := range classes {
		if handler == "" || handler == class || len(classes) == 1 {
			entries = append(entries, Entry{Contender: c, Handler: class})
		}
	}
	return entries
}

// Entry is a contender with one of its handler classes.
type Entry struct {
	Contender
	Handler string
}

// Title is the entry's name for people: the contender, and the handler class when
// it has more than one.
func (e Entry) Title() string {
	if len(e.Handlers) > 1 {
		return e.Name + " " + e.Handler
	}
	return e.Name
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
