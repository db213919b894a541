package planes

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// BreakerConfig configures the breakers of a registry, one for each transport of each
// instance. The zero value is usable.
type BreakerConfig struct {
	// Failures in a row open the breaker: the transport of that instance is then
	// tried only when nothing else is left. 0 means 3.
	Failures int
	// Open is how long it stays open before one call probes; it doubles with each
	// failed probe up to MaxOpen. 0 means 1 s.
	Open time.Duration
	// MaxOpen is the longest time between probes. 0 means 30 s.
	MaxOpen time.Duration
	// MaxTracked is how many transports of instances are kept that have failed; when
	// there are more, the one that failed longest ago is forgotten. 0 means 16384.
	MaxTracked int
}

// Validate reports all wrong fields at once.
func (c BreakerConfig) Validate() error {
	var errs []error
	if c.Failures < 0 {
		errs = append(errs, fmt.Errorf("planes: BreakerConfig.Failures is %d; want 0 for 3, or more", c.Failures))
	}
	if c.Open < 0 {
		errs = append(errs, fmt.Errorf("planes: BreakerConfig.Open is %v; want 0 for 1 s, or more", c.Open))
	}
	if c.MaxOpen < 0 {
		errs = append(errs, fmt.Errorf("planes: BreakerConfig.MaxOpen is %v; want 0 for 30 s, or more", c.MaxOpen))
	}
	if c.MaxTracked < 0 {
		errs = append(errs, fmt.Errorf("planes: BreakerConfig.MaxTracked is %d; want 0 for 16384, or more", c.MaxTracked))
	}
	return errors.Join(errs...)
}

// breakers holds an entry for what has failed since it last worked, so that in a
// healthy process it is empty and costs one atomic load.
type breakers struct {
	cfg     BreakerConfig
	changed func(instance uint64, t TransportID, open bool)
	n       atomic.Int32

	mu sync.Mutex
	m  map[breakerKey]*breaker
}

type breakerKey struct {
	instance uint64
	plane    Plane
	id       TransportID
}

type breaker struct {
	failures int
	open     bool
	wait     time.Duration
	until    time.Time // probes may start from then on
	failed   time.Time // last
	probing  bool
}

func (b *breakers) init(cfg BreakerConfig, changed func(uint64, TransportID, bool)) {
	if cfg.Failures == 0 {
		cfg.Failures = 3
	}
	if cfg.Open == 0 {
		cfg.Open = time.Second
	}
	if cfg.MaxOpen == 0 {
		cfg.MaxOpen = 30 * time.Second
	}
	cfg.MaxOpen = max(cfg.MaxOpen, cfg.Open)
	if cfg.MaxTracked == 0 {
		cfg.MaxTracked = 16384
	}
	b.cfg, b.changed, b.m = cfg, changed, make(map[breakerKey]*breaker)
}

// allow reports whether a call may try k now, and whether it is the probe of an open
// breaker: then worked, broke or abandon must follow.
func (b *breakers) allow(k breakerKey) (ok, probe bool) {
	if b.n.Load() == 0 {
		return true, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.m[k]
	switch {
	case x == nil || !x.open:
		return true, false
	case x.probing || time.Now().Before(x.until):
		return false, false
	}
	x.probing = true
	return true, true
}

// worked closes the breaker of k.
func (b *breakers) worked(k breakerKey) {
	if b.n.Load() == 0 {
		return
	}
	b.mu.Lock()
	x := b.m[k]
	if x != nil {
		delete(b.m, k)
		b.n.Store(int32(len(b.m)))
	}
	b.mu.Unlock()
	if x != nil && x.open && b.changed != nil {
		b.changed(k.instance, k.id, false)
	}
}

// broke counts a failure of k. Of an open breaker only the probe's failure counts: what
// was tried for want of anything else does not keep it open longer.
func (b *breakers) broke(k breakerKey, probe bool) {
	b.mu.Lock()
	x := b.m[k]
	if x == nil {
		if len(b.m) >= b.cfg.MaxTracked {
			b.forgetOldestLocked()
		}
		x = &breaker{}
		b.m[k] = x
		b.n.Store(int32(len(b.m)))
	}
	x.failed = time.Now()
	opened := false
	if !x.open {
		x.failures++
	}
	switch {
	case !x.open && x.failures >= b.cfg.Failures:
		x.open, opened = true, true
		x.wait = b.cfg.Open
		x.until = x.failed.Add(x.wait)
	case x.open && probe:
		x.wait = min(2*x.wait, b.cfg.MaxOpen)
		x.until = x.failed.Add(x.wait)
		x.probing = false
	}
	b.mu.Unlock()
	if opened && b.changed != nil {
		b.changed(k.instance, k.id, true)
	}
}

// abandon ends a probe that told nothing, such as one that its caller cancelled.
func (b *breakers) abandon(k breakerKey) {
	if b.n.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.m[k]; x != nil {
		x.probing = false
	}
}

func (b *breakers) forgetOldestLocked() {
	var oldest breakerKey
	var when time.Time
	for k, x := range b.m {
		if when.IsZero() || x.failed.Before(when) {
			oldest, when = k, x.failed
		}
	}
	delete(b.m, oldest)
}
