package tcpplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/wireplane/wireplane/planes/internal/mux"
)

// Limits bounds one connection. Sizes are bytes; the zero value of each field
// takes the default. Both sides announce theirs and respect the other's.
type Limits struct {
	// MaxMessageBytes is the largest request or item taken; default 16 MiB. A
	// larger one ends its call with CodeTooLarge, before it is sent if possible.
	MaxMessageBytes int
	// MaxStreams is the number of calls that the peer may have open; default 4096.
	// The peer's further calls wait on its side.
	MaxStreams int
	// BudgetBytes bounds what the peer may make this side hold for a connection:
	// credit granted for items, requests of running handlers, responses that wait
	// for credit; default 64 MiB. Calls beyond it end with CodeOverloaded.
	BudgetBytes int
	// WindowBytes is the first credit of a stream; default BudgetBytes/MaxStreams,
	// at least 4 KiB, at most 64 KiB. It grows with what the reader consumes.
	WindowBytes int
	// WindowItems is the first credit of a stream in items; default 256.
	WindowItems int
	// OutputBytes is the queue of a connection above which Send waits; default
	// 256 KiB. A peer that makes answers pile up to 16 times that is dropped.
	OutputBytes int
	// ProbeAfter is the silence after which a connection with open calls is
	// probed; default 3 s. ProbeTimeout after that the peer is lost; default 6 s.
	ProbeAfter, ProbeTimeout time.Duration
	// IdleProbe is the longest silence on a connection without calls; default 30 s.
	IdleProbe time.Duration
	// Checksums says when this side offers checksums of frames; the zero value is
	// ChecksumAuto. They are used if both sides offer them.
	Checksums ChecksumPolicy
}

// ChecksumPolicy says when frames carry CRC-32C checks of their header and body.
type ChecksumPolicy uint8

// The policies.
const (
	// ChecksumAuto offers checksums except on loopback addresses, where bytes do
	// not leave the memory of the machine.
	ChecksumAuto ChecksumPolicy = iota
	// ChecksumOn always offers them.
	ChecksumOn
	// ChecksumOff never does.
	ChecksumOff
)

// String returns "auto", "on" or "off".
func (p ChecksumPolicy) String() string {
	switch p {
	case ChecksumOn:
		return "on"
	case ChecksumOff:
		return "off"
	default:
		return "auto"
	}
}

// offered reports whether checksums are offered to the peer at addr.
func (p ChecksumPolicy) offered(addr net.Addr) bool {
	if p != ChecksumAuto {
		return p == ChecksumOn
	}
	tcp, ok := addr.(*net.TCPAddr)
	return !ok || !tcp.IP.IsLoopback()
}

// Validate reports all wrong fields at once.
func (l Limits) Validate() error {
	var errs []error
	check := func(name string, value int, lo, hi int64) {
		if v := int64(value); v != 0 && (v < lo || v > hi) {
			errs = append(errs, fmt.Errorf("tcpplane: Limits.%s is %d; want 0 for the default, or %d to %d", name, v, lo, hi))
		}
	}
	check("MaxMessageBytes", l.MaxMessageBytes, 16<<10, 1<<30)
	check("MaxStreams", l.MaxStreams, 1, 1<<20)
	check("BudgetBytes", l.BudgetBytes, 64<<10, 1<<40)
	check("WindowBytes", l.WindowBytes, 1<<10, 1<<20)
	check("WindowItems", l.WindowItems, 1, 1<<20)
	check("OutputBytes", l.OutputBytes, 64<<10, 64<<20)
	if l.Checksums > ChecksumOff {
		errs = append(errs, fmt.Errorf("tcpplane: Limits.Checksums is %d; want ChecksumAuto, ChecksumOn or ChecksumOff", l.Checksums))
	}
	for name, d := range map[string]time.Duration{"ProbeAfter": l.ProbeAfter, "ProbeTimeout": l.ProbeTimeout, "IdleProbe": l.IdleProbe} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("tcpplane: Limits.%s is %v; want 0 for the default, or more", name, d))
		}
	}
	return errors.Join(errs...)
}

// configs is what all connections of a client or server share.
type configs struct {
	policy       ChecksumPolicy
	sums, noSums *mux.Config
}

func (c *configs) to(addr net.Addr) *mux.Config {
	if c.policy.offered(addr) {
		return c.sums
	}
	return c.noSums
}

func (l Limits) configs(role mux.Role, instance, epoch uint64) *configs {
	c := mux.Config{
		Role: role, MaxMessage: l.MaxMessageBytes, MaxStreams: l.MaxStreams, MemoryBudget: l.BudgetBytes,
		WindowBytes: l.WindowBytes, WindowItems: l.WindowItems, OutputHigh: l.OutputBytes, OutputHard: 16 * l.OutputBytes,
		ProbeLive: l.ProbeAfter, ProbeTimeout: l.ProbeTimeout, ProbeIdle: l.IdleProbe,
		Scatter: rand.Uint32(), Name: "wireplane", Instance: instance, Epoch: epoch,
	}
	sums := c.Complete()
	c.NoChecksum = true
	return &configs{policy: l.Checksums, sums: sums, noSums: c.Complete()}
}
