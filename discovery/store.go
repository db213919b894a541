package discovery

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
)

// Store keeps the records of instances. All methods are safe for concurrent use.
type Store interface {
	// Register writes i and keeps it alive until Deregister or Close. ctx bounds
	// Register only. An ID of 0 lets the store choose one. Where the ID is taken by a
	// living instance of at least the same epoch, the error is ErrConflict; one of a
	// lower epoch is replaced.
	Register(ctx context.Context, i Instance) (Registration, error)
	// List reads the instances that match q now, sorted by key.
	List(ctx context.Context, q Query) ([]Instance, error)
	// Watch returns at once; trouble with the backend delays events and nothing else.
	// The watch ends when ctx ends, or with Watcher.Close or Close.
	Watch(ctx context.Context, q Query) (Watcher, error)
	// Stat returns the counters.
	Stat() Stat
	// Close deregisters what this store has registered and ends its watches.
	Close() error
}

// Registration is one instance that a Store keeps alive. All methods are safe for
// concurrent use.
type Registration interface {
	// Instance returns what is registered now.
	Instance() Instance
	// Update changes the record: health, transports and what else is not its name, ID
	// or epoch, which stay as they are. f runs once, on a copy,
	// and must not call the store. While the backend is
	// away the error says so, and what was asked for is written once it is back.
	Update(ctx context.Context, f func(*Instance)) error
	// Deregister removes the record and ends the registration. If the backend cannot
	// be reached the error says so, and the record will expire.
	Deregister(ctx context.Context) error
	// Done is closed once nobody keeps the instance alive any more.
	Done() <-chan struct{}
	// Err is nil until Done is closed; then ErrClosed after Deregister or Close, and
	// ErrConflict when an instance of the same ID and a higher epoch took over.
	Err() error
}

// Watcher is one watch of a Store, for one goroutine; Close and Synced may be called
// from any.
type Watcher interface {
	// Next waits for changes and returns them: first one Snapshot, once the backend
	// has answered, then Puts and Deletes, never none. A key that changes faster than
	// Next is called shows its last state only, so that memory is bounded by the
	// number of instances. The error is ctx's, or ErrClosed at the end. The events
	// are the caller's; the Instances in them are shared.
	Next(ctx context.Context) ([]Event, error)
	// Synced returns when the events were last known to be all that there is; zero
	// before the snapshot.
	Synced() time.Time
	// Close ends the watch. It always returns nil.
	Close() error
}

// Op is the kind of an Event.
type Op uint8

// The kinds.
const (
	// Snapshot: Instances are all that match, sorted by key.
	Snapshot Op = iota + 1
	// Put: Instance is new or has changed.
	Put
	// Delete: Instance, as last told, is gone.
	Delete
)

// String returns "snapshot", "put" or "delete".
func (o Op) String() string {
	switch o {
	case Snapshot:
		return "snapshot"
	case Put:
		return "put"
	case Delete:
		return "delete"
	}
	return "unknown"
}

// Event is what a watch reports.
type Event struct {
	Op        Op
	Instance  Instance
	Instances []Instance
	// Revision is the backend's, and grows while the backend lives; etcd restarted
	// empty begins anew.
	Revision uint64
}

// Query selects instances; an empty field matches all.
type Query struct{ Namespace, Component, Endpoint string }

// QueryPath returns the query of namespace/component/endpoint, where parts may be
// missing from the end.
func QueryPath(path string) Query {
	var q Query
	q.Namespace, path, _ = strings.Cut(path, "/")
	q.Component, q.Endpoint, _ = strings.Cut(path, "/")
	return q
}

// Match reports whether i is selected.
func (q Query) Match(i *Instance) bool {
	return (q.Namespace == "" || q.Namespace == i.Namespace) && (q.Component == "" || q.Component == i.Component) &&
		(q.Endpoint == "" || q.Endpoint == i.Endpoint)
}

// KeyPrefix returns the longest prefix of keys that all match, with which a backend can
// narrow a range.
func (q Query) KeyPrefix() string {
	p := Prefix
	for _, part := range []string{q.Namespace, q.Component, q.Endpoint} {
		if part == "" {
			break
		}
		p += part + "/"
	}
	return p
}

// Errors of stores and their parts; compare with errors.Is.
var (
	// ErrClosed: what was asked is closed.
	ErrClosed = errors.New("discovery: closed")
	// ErrConflict: another living instance has the same name and ID, and an epoch that
	// is not lower.
	ErrConflict = errors.New("discovery: another instance has this id")
)

// Config is what every store takes. The zero value is usable.
type Config struct {
	// TTL is how long a record outlives its worker; 0 means 10 s. Memory ignores it.
	TTL time.Duration
	// Heartbeat is how often a registration writes its record anew with the time, with
	// +-10 % jitter; 0 means 10 s, below 0 never.
	Heartbeat time.Duration
	// Observer is told what happens; nil functions are not called.
	Observer Observer
	// Logger gets what a person should know; nil discards.
	Logger *slog.Logger
}

// WithDefaults returns c with zero fields set to what they mean.
func (c Config) WithDefaults() Config {
	if c.TTL <= 0 {
		c.TTL = 10 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stat are the counters of a Store.
type Stat struct {
	Registered    int    // registrations that are kept alive now
	Watches       int    // watches that are open now
	Registrations uint64 // times an instance was registered, again after a loss included
	LeasesLost    uint64 // times the backend had forgotten what we kept alive
	Resyncs       uint64 // times a watch had to read everything anew
	Held          uint64 // deletes that were held back because the backend had lost its memory
	BadRecords    uint64 // records that were skipped
	Errors        uint64 // operations of the backend that failed
	Connected     bool   // the last operation of the backend succeeded
}

// Observer is told what happens, for metrics. Functions that are nil are not called.
// They run where it happens, from any goroutine, and must not block.
type Observer struct {
	// Registered runs when an instance was written for the first time or after a loss.
	Registered func(i *Instance)
	// Discovered runs when a Cache sees an instance for the first time.
	Discovered func(i *Instance)
	// BackendOp runs after each operation of a backend: op is "grant", "keepalive",
	// "put", "get", "list", "watch", "delete" or "touch".
	BackendOp func(op string, elapsed time.Duration, err error)
	// CacheHit and CacheMiss run for each Lookup that found instances, or none.
	CacheHit, CacheMiss func()
	// BadRecord runs for each record that is skipped, once a version of it.
	BadRecord func(key string, err error)
}
