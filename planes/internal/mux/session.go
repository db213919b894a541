package mux

import (
	"sync"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// phaseOf a connection.
type sessionState uint8

const (
	wantPreface sessionState = iota
	wantHello
	running
	dead
)

// Stats counts what passed through a Session. Frames and bytes are those of the
// wire, prefaces excluded.
type Stats struct {
	FramesIn, FramesOut uint64
	ItemsIn, ItemsOut   uint64
	BytesIn, BytesOut   uint64
	Late                uint64 // frames for streams that were over
}

// Session is one side of a multiplexed connection. Its zero value is not usable;
// see New. It is not safe for concurrent use.
type Session struct {
	cfg       *Config
	admitCall AcceptFunc
	peer      Peer
	err       *ConnError

	state       sessionState
	sums        bool // frames carry checksums
	wantOpen    bool // Open was refused for lack of openLimit
	localGoAway bool
	peerGoAway  bool
	drained     bool
	peerDrained bool
	pongDue     bool
	forgiven    bool // the silence since lastRecv was forgiven once

	nFree int32 // streams in free
	peak  int32 // most streams at once since the connection was last idle for long

	nextID    uint32 // next id of ours
	opened    uint32 // calls that we opened
	openLimit uint32 // calls that we may have opened, cumulative

	lastPeerID    uint32 // highest id that the peer opened
	peerOpened    uint32
	peerOpenLimit uint32
	peerActive    int // slots in use; a slot is returned when the handler has ended

	pongsDue    uint32 // PINGs of ours without an answer
	pingStrikes int32
	pongCookie  uint64

	streams table
	free    *stream // ended streams for reuse, linked by nextOut: fewer than peak

	committed int64 // bytes of the budget that streams have reserved; never above MemoryBudget
	pending   int64 // bytes of responses that wait for credit
	late      int64 // late frames still explained

	out, spare []byte
	taken      uint64 // bytes lent by TakeOutput so far, all told
	credits    *stream
	starts     *stream
	outs       *stream // first and last of those who wait for room, in order
	outsEnd    *stream
	writable   []any // owners to be told, see TakeWritable
	early      *notice

	lastRecv     time.Duration
	pingSent     time.Duration // 0: none outstanding
	lastPeerPing time.Duration
	partialSince time.Duration // when the unfinished frame at the end of the input began; 0: none
	nextDeadline time.Duration
	lastTick     time.Duration

	stats Stats

	tx *muxwire.Frame // scratch: the frame being sent; nil while nothing is
}

// streams keeps stream structs for reuse by all connections. A busy connection has
// some of its own; one that has a call at a time keeps none.
var streams = sync.Pool{New: func() any { return new(stream) }}

// Peer is what the other side announced in its HELLO. Sizes are bytes.
type Peer struct {
	MaxBody, MaxMessage      int
	WindowBytes, WindowItems int
	MaxStreams               int
	PingMin                  time.Duration
	Instance, Epoch          uint64
	Name                     string
}

// New returns a Session whose first output is the preface and HELLO. now is the
// driver's monotonic time; it must not be 0 and must never go back.
func New(cfg Config, now time.Duration) *Session {
	full := cfg.withDefaults()
	return NewShared(&full, cfg.Accept, now)
}

// Complete returns cfg with its defaults filled in, for NewShared.
func (c Config) Complete() *Config {
	full := c.withDefaults()
	return &full
}

// NewShared is New for many connections that share one Config, as Complete returns
// it. It is not changed; its Accept is not used, accept is.
func NewShared(cfg *Config, accept AcceptFunc, now time.Duration) *Session {
	s := &Session{cfg: cfg, streams: table{scatter: cfg.Scatter}, admitCall: accept, lastRecv: now, lastTick: now, late: 64}
	s.nextID = 1
	if s.cfg.Role == Accepter {
		s.nextID = 2
	}
	s.sums = true // HELLO, and an early GOAWAY, always carry checksums
	s.peerOpenLimit = uint32(s.cfg.MaxStreams)
	s.peer.MaxBody = FragmentBytes
	s.appendHello()
	return s
}

// Peer returns what the other side announced; it is complete from EvReady on.
func (s *Session) Peer() *Peer { return &s.peer }

// Ready reports whether both HELLOs are in and the connection lives.
func (s *Session) Ready() bool { return s.state == running }

// Checksums reports whether frames carry checksums on this connection.
func (s *Session) Checksums() bool { return s.sums }

// Err returns why the connection must be closed, or nil.
func (s *Session) Err() *ConnError { return s.err }

// Stats returns the counters.
func (s *Session) Stats() Stats { return s.stats }

// Streams returns the number of streams that hold a slot, of either side.
func (s *Session) Streams() int { return s.streams.n }

// Granted returns the bytes of the budget that streams have reserved: what the peer
// may send, what lies unconsumed, and requests whose handlers run; and the bytes
// of responses that wait for credit. Each is bounded by MemoryBudget ([mux-budget-1]).
func (s *Session) Granted() (credit, pending int64) { return s.committed, s.pending }

// fail makes the connection unusable and, where that helps the peer, tells it why.
func (s *Session) fail(code muxwire.Code, origin muxwire.Origin, reason string, err error) *ConnError {
	if s.err != nil {
		return s.err
	}
	e := &ConnError{Code: code, Origin: origin, Reason: reason, Err: err}
	s.err = e
	if origin == muxwire.OriginLocal && s.state != dead {
		s.appendNotice(muxwire.FrameTypeGoaway, s.lastPeerID, code, reason)
	}
	s.state = dead
	return e
}

// Abort ends every stream because the connection is gone; e says why. Each stream
// of ours gets its EvEnd, each of the peer's its EvCancel. Output that was not
// taken is dropped, because calls are reported as not started on its strength.
func (s *Session) Abort(e *ConnError, evs []Event) []Event {
	if s.err == nil {
		s.err = e
	}
	s.state = dead
	for _, st := range s.streams.sorted() {
		if st.is(local) {
			st.phase = s.phase(st)
			ev := s.ended(st, e.Code, e.Origin, []byte(e.Reason))
			ev.Lost = true
			evs = append(evs, ev)
		} else if !st.is(cancelled) {
			evs = append(evs, Event{Kind: EvCancel, Lost: true, ID: st.id, Owner: st.owner, Code: e.Code, Origin: e.Origin, Data: []byte(e.Reason)})
		}
	}
	s.streams = table{scatter: s.cfg.Scatter}
	s.free, s.nFree, s.peak = nil, 0, 0
	s.out, s.writable = nil, nil
	s.credits, s.starts, s.outs, s.outsEnd = nil, nil, nil, nil
	s.peerActive, s.committed, s.pending = 0, 0, 0
	return evs
}

// phase says how far a call of ours had come when the connection broke. A call whose
// OPEN was not yet lent to the driver cannot have started ([mux-phase-1]).
func (s *Session) phase(st *stream) muxwire.Phase {
	if st.openEnd > s.taken {
		return muxwire.PhaseNotStarted
	}
	return st.phase
}

func (s *Session) newStream(id uint32) *stream {
	st := s.free
	if st != nil {
		s.free, st.nextOut = st.nextOut, nil
		s.nFree--
	} else {
		st = streams.Get().(*stream)
	}
	partial, pend := st.partial[:0], st.pend[:0]
	*st = stream{partial: partial, pend: pend}
	st.id = id
	st.window, st.windowItems = uint32(s.cfg.WindowBytes), uint32(s.cfg.WindowItems)
	st.recvLimit, st.recvItemLimit = uint64(st.window), st.windowItems
	s.reserve(st, uint64(st.window))
	st.byteLimit, st.itemLimit = uint64(s.peer.WindowBytes), uint32(s.peer.WindowItems)
	s.streams.put(st)
	s.peak = max(s.peak, int32(s.streams.n))
	return st
}

// explain adds what the peer may still send for a stream that is over to the late
// frames that are taken without complaint: pieces of items within its credit, and
// a handful of control frames ([mux-late-1]).
func (s *Session) explain(st *stream) {
	pieces := int64(st.recvItemLimit-st.recvItems) + int64((st.recvLimit-st.recvBytes)>>10)
	s.late = min(s.late+pieces+8, s.cfg.MaxLate)
}

// remove frees the slot of a stream.
func (s *Session) remove(st *stream) {
	if !st.is(cancelled) {
		s.explain(st)
	}
	s.reserve(st, 0)
	s.pending -= int64(len(st.pend) - st.pendOff)
	st.pendOff = len(st.pend)
	s.streams.del(st.id)
	if !st.is(local) {
		s.peerActive--
	}
	st.owner = nil
	st.id = 0 // lists skip it
	s.recycle(st)
}

// recycle keeps a removed stream for reuse, unless it still stands in a list:
// then the list gives it here when it drops it.
func (s *Session) recycle(st *stream) {
	if st.id != 0 || st.is(inCredits|inStarts|inOuts) {
		return
	}
	if cap(st.partial) > 4096 || cap(st.pend) > 4096 {
		st.partial, st.pend = nil, nil
	}
	st.nextOut, st.nextStart, st.nextCredit = nil, nil, nil
	if s.nFree < s.peak-1 {
		st.nextOut, s.free = s.free, st
		s.nFree++
		return
	}
	streams.Put(st)
}

// reserve sets what a stream holds of the memory budget to n bytes.
func (s *Session) reserve(st *stream, n uint64) {
	s.committed += int64(n) - int64(st.reserved)
	st.reserved = n
}

// fits reports whether the budget has room for n more bytes.
func (s *Session) fits(n uint64) bool {
	return n <= uint64(int64(s.cfg.MemoryBudget)-s.committed)
}
