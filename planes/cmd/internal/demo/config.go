package demo

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Bounds and defaults of Config.
const (
	DefaultStreams = 256
	MaxStreams     = 16384
	DefaultStall   = 20 * time.Second
)

// Config describes a run. Source is required.
type Config struct {
	Source  *Source
	Streams int           // streams at once, 1 to MaxStreams; 0 means 256
	Rate    float64       // tokens a second of each stream; 0: as fast as it goes
	Stall   time.Duration // a run in which nothing arrives for so long has failed; 0 means 20 s, or 5 tokens
	View    View          // is shown what happens; nil: nobody

	// Fault is for tests of the check: what it returns is sent instead of the
	// token, and its error ends the stream.
	Fault Fault
	// Via is for tests, too: the router connects to the address that it returns.
	Via func(addr string) (string, error)
}

// Fault damages a stream between worker and check. Streams and items count from 0.
// token is borrowed until it returns.
type Fault func(stream int, item int64, token []byte) ([][]byte, error)

// Validate reports all wrong fields at once.
func (c Config) Validate() error {
	var errs []error
	if c.Source == nil {
		errs = append(errs, errors.New("demo: no source"))
	}
	if c.Streams < 0 || c.Streams > MaxStreams {
		errs = append(errs, fmt.Errorf("demo: %d streams; want 1 to %d", c.Streams, MaxStreams))
	}
	if c.Rate < 0 || c.Rate > 1e6 {
		errs = append(errs, fmt.Errorf("demo: a rate of %v tokens a second; want 0 for no pace, or up to 1,000,000", c.Rate))
	}
	if c.Stall < 0 {
		errs = append(errs, fmt.Errorf("demo: Stall is %v; want 0 for %v, or more", c.Stall, DefaultStall))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Streams == 0 {
		c.Streams = DefaultStreams
	}
	if c.View == nil {
		c.View = noView{}
	}
	if c.Stall == 0 {
		c.Stall = DefaultStall
		if c.Rate > 0 {
			c.Stall = max(c.Stall, time.Duration(5/c.Rate*float64(time.Second)))
		}
	}
	return c
}

// A text that somebody watches takes about showTime, unless that would need more
// than showRate items a second over all streams.
const (
	showTime     = 3 * time.Second
	showRate     = 250_000
	showSlowRate = 20 // tokens a second of a stream, for texts of a few words
)

// RateToWatch returns the pace at which a text of so many tokens is good to watch,
// or 0 if it is too long for that.
func RateToWatch(tokens int64, streams int) float64 {
	rate := max(math.Round(float64(tokens)/showTime.Seconds()), showSlowRate)
	if rate*float64(streams) > showRate {
		return 0
	}
	return rate
}
