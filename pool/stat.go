package pool

// CloseReason is why a value was closed.
type CloseReason uint8

// The reasons.
const (
	Destroyed   CloseReason = iota // Lease.Destroy
	IdleTooLong                    // Config.IdleTimeout
	TooOld                         // Config.MaxLifetime
	Evicted                        // Evict, or its key made room for another
	Surplus                        // above Config.MaxIdlePerKey
	CheckFailed                    // Config.Check
	PoolClosed                     // Close or Shutdown
	numReasons
)

// String returns a short name for logs and labels.
func (r CloseReason) String() string {
	names := [numReasons]string{"destroyed", "idle", "lifetime", "evicted", "surplus", "check_failed", "pool_closed"}
	if r >= numReasons {
		return "unknown"
	}
	return names[r]
}

// Counts says how many values are in each state. Opened is the sum of the
// others.
type Counts struct {
	Opened  uint64 // dials ever begun
	Dialing uint64
	Idle    uint64
	Busy    uint64 // leased, or being checked
	Closing uint64 // Config.Close is running, or about to
	Closed  uint64 // closed, or never dialled successfully
}

// KeyStat describes one key since it was last tracked.
type KeyStat struct {
	Counts
	Waiting int // Acquire and Warm calls that wait now
}

// Stat describes the whole pool since New.
type Stat struct {
	Counts
	Keys       int    // keys tracked now
	Waiting    int    // Acquire and Warm calls that wait now
	Acquired   uint64 // leases given
	Reused     uint64 // of Acquired, with a value that another lease had had before, or that was idle
	Waited     uint64 // of Acquired, those that had to wait
	DialErrors uint64
	CheckFails uint64
	GaveUp     uint64 // calls whose context ended first
	Exhausted  uint64 // calls that failed with ErrExhausted
	Leaks      uint64 // leases reported
}

// state is where a value is. The order is that of a life.
type state uint8

const (
	dialing state = iota
	idle
	busy
	closing
	closed
	numStates
)

// counts is the one place where values are counted. Opened is counted apart from
// the states, so that their sum tells something.
type counts struct {
	opened uint64
	in     [numStates]uint64
}

func (c *counts) open()               { c.opened++; c.in[dialing]++ }
func (c *counts) move(from, to state) { c.in[from]--; c.in[to]++ }

// live is how many are not closed.
func (c *counts) live() int {
	return int(c.in[dialing] + c.in[idle] + c.in[busy] + c.in[closing])
}

func (c *counts) export() Counts {
	return Counts{
		Opened: c.opened, Dialing: c.in[dialing], Idle: c.in[idle],
		Busy: c.in[busy], Closing: c.in[closing], Closed: c.in[closed],
	}
}

// Stat returns the figures of this moment, taken at once.
func (p *Pool[K, V]) Stat() Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stat
	s.Counts = p.counts.export()
	s.Keys = len(p.slots)
	return s
}

// StatOf returns the figures of a key, and whether it is tracked.
func (p *Pool[K, V]) StatOf(key K) (KeyStat, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slots[key]
	if s == nil {
		return KeyStat{}, false
	}
	return s.stat(), true
}

// Each calls f for every key that is tracked, in no order. All figures are of
// one moment; f runs without a lock.
func (p *Pool[K, V]) Each(f func(key K, s KeyStat)) {
	type row struct {
		key  K
		stat KeyStat
	}
	p.mu.Lock()
	rows := make([]row, 0, len(p.slots))
	for k, s := range p.slots {
		rows = append(rows, row{k, s.stat()})
	}
	p.mu.Unlock()
	for _, r := range rows {
		f(r.key, r.stat)
	}
}

func (s *slot[K, V]) stat() KeyStat {
	return KeyStat{Counts: s.counts.export(), Waiting: s.waiting()}
}
