package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrClosed is the error of a call on a closed pool, and of a call that was
// waiting when it was closed. It matches net.ErrClosed.
var ErrClosed error = closedError{}

// ErrExhausted is the error of a call that found a bound reached where it may not
// wait: MaxWaiters or MaxKeys. A later try may succeed.
var ErrExhausted = errors.New("pool: exhausted")

type closedError struct{}

func (closedError) Error() string        { return "pool: closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// waitError says what a caller waited for when its context ended.
func waitError(ctx context.Context, key any, waited time.Duration, what string) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("pool: key %v: gave up after %v waiting for %s: %w: %w", key, waited, what, err, cause)
	}
	return fmt.Errorf("pool: key %v: gave up after %v waiting for %s: %w", key, waited, what, context.Cause(ctx))
}
