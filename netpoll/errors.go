package netpoll

import (
	"errors"
	"fmt"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// Errors of this package. A connection's end by the peer is [io.EOF], one by this side matches [net.ErrClosed].
var (
	// ErrQueueFull refuses a write that would exceed Config.MaxQueueBytes; nothing of it was queued.
	ErrQueueFull = core.ErrQueueFull
	// ErrUnreadFull closes a connection whose handler left more than Config.MaxUnreadBytes unconsumed.
	ErrUnreadFull = core.ErrUnreadFull
	// ErrWriteStalled closes a connection whose peer took no byte for Config.WriteTimeout.
	ErrWriteStalled = core.ErrWriteStalled
	// ErrIdle closes a connection on which nothing moved for Config.IdleTimeout.
	ErrIdle = core.ErrIdle
	// ErrConsumed closes a connection whose handler claimed more bytes than it was given.
	ErrConsumed = core.ErrConsumed
	// ErrNotPollable is returned for a connection that the event loop cannot take, when nothing else is allowed.
	ErrNotPollable = errors.New("netpoll: connection is not a TCP or Unix socket")
)

// PanicError is the cause of a connection that ended because its handler panicked.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // the goroutine's stack at that point
}

// Error describes the panic in one line; the stack is in the field.
func (e *PanicError) Error() string { return fmt.Sprintf("netpoll: handler panicked: %v", e.Value) }

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
