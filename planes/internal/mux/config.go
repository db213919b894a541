package mux

import (
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// Role says which side of the connection a Session is.
type Role uint8

// The roles. The dialer's stream ids are odd, the accepter's even.
const (
	Dialer Role = iota
	Accepter
)

// String returns "dialer" or "accepter".
func (r Role) String() string {
	if r == Accepter {
		return "accepter"
	}
	return "dialer"
}

// The fixed numbers of the protocol, in bytes unless said otherwise.
const (
	// HeaderBytes is the size of a frame's header.
	HeaderBytes = 20
	// PrefaceBytes is the size of what each side sends first.
	PrefaceBytes = 8
	// FragmentBytes is the most payload that one frame carries, so that frames of
	// other streams get in between.
	FragmentBytes = 64 << 10
	// retireIDs is the share of the id space after which a connection takes no new calls.
	retireIDs = 3 << 29
	// maxText is the longest reason that travels in most frames, maxEndText in END.
	maxText, maxEndText = 255, 1024
	// itemCost is what a queued item costs beside its bytes; item credit beyond the
	// first is charged to the memory budget at this rate.
	itemCost = 32
)

// AcceptFunc decides on a call of the peer; see Config.Accept.
type AcceptFunc func(id, total uint32, o *muxwire.Open) (owner any, code muxwire.Code, why string)

// Config sets a Session's role and limits. Zero fields take the default that is
// named, values outside what HELLO can carry the nearest that it can; sizes are bytes.
type Config struct {
	Role Role
	// Accept decides on each call that the peer opens. It runs inside Receive, so
	// it must not block and must not call the Session; o and its slices are
	// borrowed until it returns, total is the size of the whole request message.
	// A code other than OK refuses the call. A nil Accept refuses every call.
	Accept AcceptFunc

	MaxBody      int   // largest frame body taken; default 128 KiB, 16 KiB to 1 MiB
	MaxMessage   int   // largest item or request taken; default 16 MiB
	MaxStreams   int   // calls that the peer may have open; default 4096, at most 1 Mi
	MemoryBudget int   // bytes of credit granted to the peer, and of responses that wait; default 64 MiB
	WindowBytes  int   // first credit of a stream; default MemoryBudget/MaxStreams within 4 KiB..64 KiB, at least 1 KiB
	WindowItems  int   // first item credit of a stream; default 256
	MaxWindow    int   // largest credit of one stream; default 1 MiB
	OutputHigh   int   // queued output above which Send waits; default 256 KiB
	OutputHard   int   // queued output at which the peer is given up; default 4 MiB
	MaxLate      int64 // frames taken for closed streams beyond what their credit explains; default 1 Mi

	HelloTimeout time.Duration // preface and HELLO must be in by then; default 10 s
	FrameTimeout time.Duration // an incomplete frame must be completed by then; default 10 s
	ProbeLive    time.Duration // silence before a PING while calls are open; default 3 s
	ProbeIdle    time.Duration // silence before a PING otherwise; default 30 s
	ProbeTimeout time.Duration // silence after a PING before the peer is lost; default 6 s
	PingMin      time.Duration // the peer's pings may come this often; default 1 s

	// Scatter spreads stream ids over the table of streams. A driver gives a number
	// that peers cannot know, so that they cannot choose ids that all fall on the
	// same place; default 0x9e3779b1.
	Scatter uint32

	NoChecksum bool   // do not offer frame checksums
	Instance   uint64 // announced in HELLO
	Epoch      uint64
	Name       string // at most 255 bytes

	lim muxwire.Limits // of the decoder, from MaxBody
}

func def[T int | int64 | uint32 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c Config) withDefaults() Config {
	def(&c.MaxBody, 128<<10)
	c.MaxBody = min(max(c.MaxBody, 16<<10), 1<<20)
	def(&c.MaxMessage, 16<<20)
	c.MaxMessage = min(max(c.MaxMessage, 16<<10), 1<<30)
	def(&c.MaxStreams, 4096)
	c.MaxStreams = min(max(c.MaxStreams, 1), 1<<20)
	def(&c.MemoryBudget, 64<<20)
	c.MemoryBudget = max(c.MemoryBudget, 1<<10)
	def(&c.WindowBytes, min(max(c.MemoryBudget/c.MaxStreams, 4<<10), 64<<10))
	c.WindowBytes = min(max(c.WindowBytes, 1<<10), c.MemoryBudget, 1<<30)
	def(&c.WindowItems, 256)
	c.WindowItems = min(max(c.WindowItems, 1), 1<<20)
	def(&c.MaxWindow, 1<<20)
	c.MaxWindow = min(max(c.MaxWindow, c.WindowBytes), 1<<30)
	def(&c.OutputHigh, 256<<10)
	def(&c.OutputHard, 4<<20)
	def(&c.MaxLate, 1<<20)
	def(&c.HelloTimeout, 10*time.Second)
	def(&c.FrameTimeout, 10*time.Second)
	def(&c.ProbeLive, 3*time.Second)
	def(&c.ProbeIdle, 30*time.Second)
	def(&c.ProbeTimeout, 6*time.Second)
	def(&c.PingMin, time.Second)
	def(&c.Scatter, 0x9e3779b1)
	c.lim = muxwire.Limits{MaxBody: uint64(c.MaxBody)}
	return c
}
