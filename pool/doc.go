// Package pool lends values that are dear to make, such as connections, by key.
// It knows nothing of what it pools: a Config says how a value is dialled,
// checked and closed.
//
// # States
//
// Every value is in one state at a time, and every counter is a count of states:
//
//	dialing ──ok──▶ idle ◀──release── busy
//	   │             │ ╲────acquire───▶ │
//	   │ error       ▼                  ▼
//	   │          closing ◀── destroy, expired, evicted, failed check
//	   ▼             ▼
//	 closed  ◀───────┘
//
// So opened = idle + busy + dialing + closing + closed at any moment, in total
// (Stat) and for each key (StatOf). A value that is being checked is busy. A dial
// that failed was opened, and is closed.
//
// # Who gets what
//
//   - Acquire takes an idle value, the one that was used last (Config.FIFO: the
//     one that has been idle longest). Where there is none it waits its turn.
//   - Waiters of a key are served in the order they came. A value that is
//     released or dialled goes to the first of them, or becomes idle.
//   - A dial belongs to the pool. A caller that gives up leaves it to the next
//     one. No more dials are begun than there are waiters without one.
//   - A failed dial serves its error to the first waiter, and the next dial is for
//     the next one. A key without any open value is different, so that nobody
//     waits for a dead target: a failed dial is not replaced while others are in
//     flight, and when the last of them has failed too, all waiters of that key
//     get its error. They are told within one DialTimeout, after one round of dials.
//   - Dials in flight are bounded over all keys (Config.MaxDials); keys that want
//     to dial take turns, one dial each.
//
// # Ends of a value
//
// A value that has reached its lifetime or its idle timeout, or whose key was
// evicted, gets no new work: it is closed where it is idle, and when it comes back
// where it is busy. Lifetimes of the values of a key are spread evenly over
// +-25 %, so that values born together do not die together. Config.Close is called
// exactly once for each value that Dial returned.
//
// # Costs
//
// One mutex guards the pool; it is never held while Dial, Close, Check, OnLeak,
// the logger or an Observer runs. There is one timer, and no goroutine for what is
// idle: a goroutine lives as long as a dial or a Close. Acquire and Release of
// an idle value allocate nothing where the Lease does not leave the caller's
// stack.
package pool
