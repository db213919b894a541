package core

import (
	"errors"
	"sync/atomic"
)

// Errors that end a connection or refuse a write. The public package re-exports them.
var (
	ErrQueueFull    = errors.New("netpoll: outbound queue is full")
	ErrUnreadFull   = errors.New("netpoll: unread bytes exceed the limit")
	ErrWriteStalled = errors.New("netpoll: peer takes no bytes")
	ErrIdle         = errors.New("netpoll: connection idle for too long")
	ErrConsumed     = errors.New("netpoll: handler consumed more bytes than it was given")
	ErrWouldBlock   = errors.New("netpoll: write would block")
)

// Limits are the resolved figures of a group; bytes unless a name says otherwise.
type Limits struct {
	MaxUnread int
	HighWater int
	LowWater  int
	MaxQueue  int
}

// Counters are a group's totals, safe for concurrent use.
type Counters struct {
	BytesIn, BytesOut, Reads, Writes, Wakeups atomic.Uint64
}

// Shared is what all connections of a group have in common. Limits are read-only once connections exist.
type Shared struct {
	Limits   Limits
	Counters Counters

	// Now is the group's coarse clock in ticks; zero for ever when no watchdog is configured. Timeouts are in ticks
	// as well, zero meaning off.
	Now        atomic.Uint32
	IdleTicks  uint32
	StallTicks uint32
	DrainTicks uint32
}
