package netpoll

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of [Config] fields that are zero.
const (
	DefaultLoops             = 1
	DefaultReadBufferBytes   = 64 << 10 // per loop
	DefaultNetReadBytes      = 16 << 10 // per connection of the net.Conn driver
	DefaultMaxUnreadBytes    = 2 << 20
	DefaultHighWaterBytes    = 256 << 10
	DefaultLowWaterBytes     = 64 << 10
	DefaultMaxQueueBytes     = 4 << 20
	DefaultWriteTimeout      = 10 * time.Second
	maxLoops                 = 256
	maxConfigBytes           = 1 << 30
	shortestTick             = time.Millisecond
	longestTick              = time.Second
	ticksPerTimeout          = 8
	drainTimeoutWithoutWatch = 10 * time.Second
)

// Config describes a [Group]. The zero value is usable; New copies it.
type Config struct {
	// Driver selects what moves the bytes; zero is [DriverAuto].
	Driver Driver
	// Loops is the number of event loops; 0 means 1, which is right up to a few thousand busy connections on two
	// cores. The net.Conn driver ignores it.
	Loops int
	// ReadBufferBytes is the size of one read; 0 means 64 KiB per loop (rounded up to a power of two) and 16 KiB per
	// connection of the net.Conn driver.
	ReadBufferBytes int
	// MaxUnreadBytes bounds what is kept of input that the handler did not consume, per connection; beyond it the
	// connection closes with [ErrUnreadFull]. 0 means 2 MiB. It must not be below the largest frame.
	MaxUnreadBytes int
	// HighWaterBytes is the queue length above which WriteWait blocks; 0 means 256 KiB.
	HighWaterBytes int
	// LowWaterBytes is the queue length below which blocked writers go on and OnWritable runs; 0 means 64 KiB. It must
	// be below HighWaterBytes.
	LowWaterBytes int
	// MaxQueueBytes is the hard bound of a connection's queue; a Write that would exceed it fails with [ErrQueueFull]
	// and queues nothing. 0 means 4 MiB. It must not be below HighWaterBytes.
	MaxQueueBytes int
	// MaxConns bounds the open connections of the group as far as Serve accepts them: those above it are closed at
	// once and counted in Stat.Refused. 0 means no bound. Dialled and attached connections count but are not refused.
	MaxConns int
	// IdleTimeout closes a connection with [ErrIdle] when no byte moved either way for this long, or up to a quarter
	// longer; 0 means never.
	IdleTimeout time.Duration
	// WriteTimeout closes a connection with [ErrWriteStalled] when bytes were waiting and the kernel took none for this
	// long, or up to a quarter longer; on the event loop, bytes that the peer acknowledged count as well. It bounds the flush of CloseAfterFlush as well. 0 means 10 s; negative means
	// no watchdog, and 10 s for CloseAfterFlush.
	WriteTimeout time.Duration
	// Logger receives one line per episode of trouble; nil discards.
	Logger *slog.Logger
}

// Validate reports every problem of c, joined; nil if New would accept it.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("netpoll: "+format, args...)) }
	if c.Driver > DriverNet {
		bad("Driver: unknown driver %d", c.Driver)
	}
	if c.Loops < 0 || c.Loops > maxLoops {
		bad("Loops: %d is not in 0..%d", c.Loops, maxLoops)
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"ReadBufferBytes", c.ReadBufferBytes},
		{"MaxUnreadBytes", c.MaxUnreadBytes},
		{"HighWaterBytes", c.HighWaterBytes},
		{"LowWaterBytes", c.LowWaterBytes},
		{"MaxQueueBytes", c.MaxQueueBytes},
	} {
		if f.value < 0 || f.value > maxConfigBytes {
			bad("%s: %d is not in 0..%d", f.name, f.value, maxConfigBytes)
		}
	}
	if c.MaxConns < 0 {
		bad("MaxConns: %d is negative", c.MaxConns)
	}
	if c.IdleTimeout < 0 {
		bad("IdleTimeout: %v is negative", c.IdleTimeout)
	}
	d := c.withDefaults()
	if d.LowWaterBytes >= d.HighWaterBytes {
		bad("LowWaterBytes: %d is not below HighWaterBytes %d", d.LowWaterBytes, d.HighWaterBytes)
	}
	if d.HighWaterBytes > d.MaxQueueBytes {
		bad("HighWaterBytes: %d is above MaxQueueBytes %d", d.HighWaterBytes, d.MaxQueueBytes)
	}
	return errors.Join(errs...)
}

// withDefaults resolves zero values, except ReadBufferBytes, whose default depends on the driver.
func (c Config) withDefaults() Config {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.Loops, DefaultLoops)
	set(&c.MaxUnreadBytes, DefaultMaxUnreadBytes)
	set(&c.HighWaterBytes, DefaultHighWaterBytes)
	set(&c.LowWaterBytes, DefaultLowWaterBytes)
	set(&c.MaxQueueBytes, DefaultMaxQueueBytes)
	if c.WriteTimeout == 0 {
		c.WriteTimeout = DefaultWriteTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// tick is the watchdog's period: an eighth of the shortest timeout, between a millisecond and a second.
func (c Config) tick() time.Duration {
	shortest := ticksPerTimeout * longestTick
	if c.IdleTimeout > 0 {
		shortest = min(shortest, c.IdleTimeout)
	}
	if c.WriteTimeout > 0 {
		shortest = min(shortest, c.WriteTimeout)
	}
	return max(shortest/ticksPerTimeout, shortestTick)
}

// ticks converts a timeout, rounding up; 0 for one that is off.
func ticks(timeout, tick time.Duration) uint32 {
	if timeout <= 0 {
		return 0
	}
	return uint32(min((timeout+tick-1)/tick, 1<<31-1))
}
