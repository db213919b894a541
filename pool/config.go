package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Values that a zero field of Config stands for.
const (
	DefaultCheckAfter  = time.Second
	DefaultMaxPerKey   = 50
	DefaultIdleTimeout = 5 * time.Minute
	DefaultMaxLifetime = time.Hour
	DefaultDialTimeout = 5 * time.Second
	DefaultMaxDials    = 64
	DefaultMaxWaiters  = 65536
	DefaultMaxKeys     = 4096
)

// Config says how values are made and how many of them are kept. Its functions
// are called from many goroutines at once, without a lock of the pool held; they
// may call the pool.
type Config[K comparable, V any] struct {
	// Dial makes a value for key. Required; nil is refused. ctx ends after
	// DialTimeout and when the pool is closed, and Dial must return then: a dial
	// that does not keeps its place in MaxDials and MaxPerKey.
	Dial func(ctx context.Context, key K) (V, error)
	// Close ends a value. Required; nil is refused. It is called once for each
	// value that Dial returned without error. It may block briefly: its value counts
	// as open until it returns.
	Close func(v V)
	// Check tells whether an idle value may be used again; one that may not is
	// closed, and the next is tried. ctx is that of Acquire, and ends after
	// DialTimeout. Nil: values are not checked.
	Check func(ctx context.Context, v V) error
	// CheckAfter is how long a value has been idle before it is checked. 0: 1 s;
	// negative: it is always checked.
	CheckAfter time.Duration
	// MaxPerKey bounds the values of a key that are not closed. 0: 50.
	MaxPerKey int
	// MinIdle is how many idle values a key is kept at while it is in use, which
	// it is from an Acquire or Warm until IdleTimeout after the last. 0: none.
	MinIdle int
	// MaxIdlePerKey bounds the idle values of a key; a value released above it
	// is closed. 0: MaxPerKey.
	MaxIdlePerKey int
	// IdleTimeout is how long a value may be idle. Those of MinIdle stay as long
	// as their key is in use. 0: 5 min.
	IdleTimeout time.Duration
	// MaxLifetime is the mean age at which a value gets no more work; each value's
	// own is between 75 and 125 % of it. 0: 1 h.
	MaxLifetime time.Duration
	// DialTimeout bounds one Dial and one Check. 0: 5 s.
	DialTimeout time.Duration
	// MaxDials bounds the dials in flight over all keys. 0: 64.
	MaxDials int
	// MaxWaiters bounds the waiting Acquire and Warm calls of a key; one more
	// fails at once with ErrExhausted. 0: 65536.
	MaxWaiters int
	// MaxKeys bounds the keys that are tracked. A key with neither values nor
	// waiters is forgotten. At the bound, a new key takes the place of the key
	// that was used longest ago among those that have only idle values, which are
	// closed; where there is none, Acquire fails with ErrExhausted. 0: 4096.
	MaxKeys int
	// FIFO takes the value that has been idle longest, so that all are kept
	// busy. False takes the one used last, so that those not needed time out.
	FIFO bool
	// LeakAfter is how long a lease may be held before it is reported, once. It
	// records the stack of each Acquire, which costs about a microsecond. 0: off.
	LeakAfter time.Duration
	// OnLeak is told of a lease held for LeakAfter, with the stack of its
	// Acquire, which it owns. Nil: the report goes to Logger.
	OnLeak func(key K, held time.Duration, stack []byte)
	// Observer is told what happens. The zero value: nobody is.
	Observer Observer[K]
	// Logger gets leaks, failed checks and failed dials. Nil: they are discarded.
	Logger *slog.Logger
}

// Observer is a set of functions that are told of events after they happened; each
// may be nil. They are called without a lock, so two events may be told in
// another order than they happened in.
type Observer[K comparable] struct {
	Acquired    func(key K, wait time.Duration, reused bool) // a lease was given; reused: its value was not dialled for it
	Failed      func(key K, wait time.Duration, err error)   // an Acquire failed
	Created     func(key K)                                  // a dial succeeded
	DialFailed  func(key K, err error)
	CheckFailed func(key K, err error)
	Closed      func(key K, why CloseReason) // Close of a value has returned
}

// Validate reports every field that is out of range, joined, or nil.
func (c Config[K, V]) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("pool: Config."+format, args...)) }
	if c.Dial == nil {
		bad("Dial is nil, want a function")
	}
	if c.Close == nil {
		bad("Close is nil, want a function")
	}
	for _, f := range []struct {
		name string
		v    int
	}{
		{"MaxPerKey", c.MaxPerKey}, {"MinIdle", c.MinIdle}, {"MaxIdlePerKey", c.MaxIdlePerKey},
		{"MaxDials", c.MaxDials}, {"MaxWaiters", c.MaxWaiters}, {"MaxKeys", c.MaxKeys},
	} {
		if f.v < 0 {
			bad("%s is %d, want 0 (the default) or more", f.name, f.v)
		}
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"IdleTimeout", c.IdleTimeout}, {"MaxLifetime", c.MaxLifetime},
		{"DialTimeout", c.DialTimeout}, {"LeakAfter", c.LeakAfter},
	} {
		if f.v < 0 {
			bad("%s is %v, want 0 (the default) or more", f.name, f.v)
		}
	}
	d := c.withDefaults()
	if d.MaxPerKey > 0 && d.MaxIdlePerKey > d.MaxPerKey {
		bad("MaxIdlePerKey is %d, want at most MaxPerKey, %d", d.MaxIdlePerKey, d.MaxPerKey)
	}
	if d.MaxIdlePerKey > 0 && d.MinIdle > d.MaxIdlePerKey {
		bad("MinIdle is %d, want at most MaxIdlePerKey, %d", d.MinIdle, d.MaxIdlePerKey)
	}
	return errors.Join(errs...)
}

func (c Config[K, V]) withDefaults() Config[K, V] {
	c.CheckAfter = or(c.CheckAfter, DefaultCheckAfter)
	c.MaxPerKey = or(c.MaxPerKey, DefaultMaxPerKey)
	c.MaxIdlePerKey = or(c.MaxIdlePerKey, c.MaxPerKey)
	c.IdleTimeout = or(c.IdleTimeout, DefaultIdleTimeout)
	c.MaxLifetime = or(c.MaxLifetime, DefaultMaxLifetime)
	c.DialTimeout = or(c.DialTimeout, DefaultDialTimeout)
	c.MaxDials = or(c.MaxDials, DefaultMaxDials)
	c.MaxWaiters = or(c.MaxWaiters, DefaultMaxWaiters)
	c.MaxKeys = or(c.MaxKeys, DefaultMaxKeys)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func or[T int | time.Duration](v, instead T) T {
	if v == 0 {
		return instead
	}
	return v
}
