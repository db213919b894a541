package mux

import (
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
	cfg   Config
	lim   muxwire.Limits
	peer  Peer
	state sessionState
	sums  bool // frames carry checksums
	err   *ConnError

	streams table
	free    *stream // recycled streams, linked by nextOut
	nFree   int

	nextID    uint32 // next id of ours
	opened    uint32 // calls that we opened
	openLimit uint32 // calls that we may have opened, cumulative
	wantOpen  bool   // Open was refused for lack of openLimit

	lastPeerID    uint32 // highest id that the peer opened
	peerOpened    uint32
	peerActive    int // slots in use; a slot is returned when the handler has ended
	peerOpenLimit uint32

	committed int64 // bytes granted to the peer and not yet consumed
	pending   int64 // bytes of responses that wait for credit
	late      int64 // late frames still explained

	out, spare []byte
	taken      uint64 // bytes lent by TakeOutput so far, all told
	credits    *stream
	starts     *stream
	outs       *stream // first and last of those who wait for room, in order
	outsEnd    *stream
	writable   []any // owners to be told, see TakeWritable

	localGoAway, peerGoAway bool
	drained                 bool
	pongDue                 bool
	pongCookie              uint64

	lastRecv     time.Duration
	pingSent     time.Duration // 0: none outstanding
	lastPeerPing time.Duration
	pingStrikes  int
	partialSince time.Duration // when the unfinished frame at the end of the input began; 0: none
	nextDeadline time.Duration
	lastTick     time.Duration

	stats Stats
}

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
	s := &Session{cfg: cfg.withDefaults(), lastRecv: now, lastTick: now, late: 64}
	s.lim = muxwire.Limits{MaxBody: uint64(s.cfg.MaxBody)}
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

// Granted returns the bytes of credit that the peer holds, and those of responses
// that wait; both are bounded by MemoryBudget.
func (s *Session) Granted() (credit, pending int64) { return s.committed, s.pending }

// fail makes the connection unusable and, where that helps the peer, tells it why.
func (s *Session) fail(code muxwire.Code, origin muxwire.Origin, reason string, err error) *ConnError {
	if s.err != nil {
		return s.err
	}
	s.err = &ConnError{Code: code, Origin: origin, Reason: reason, Err: err}
	if origin == muxwire.OriginLocal && s.state != dead {
		s.appendNotice(muxwire.FrameTypeGoaway, s.lastPeerID, code, reason)
	}
	s.state = dead
	return s.err
}

// Abort ends every stream because the connection is gone; e says why. Each stream
// of ours gets its EvEnd, each of the peer's its EvCancel.
func (s *Session) Abort(e *ConnError, evs []Event) []Event {
	if s.err == nil {
		s.err = e
	}
	s.state = dead
	for _, st := range s.streams.slots {
		if st == nil {
			continue
		}
		s.releaseCredit(st)
		if st.is(local) {
			evs = append(evs, Event{
				Kind: EvEnd, ID: st.id, Owner: st.owner, Code: e.Code, Origin: e.Origin,
				Phase: s.phase(st), Items: uint64(st.recvItems), Data: []byte(e.Reason),
			})
		} else if !st.is(cancelled) {
			evs = append(evs, Event{Kind: EvCancel, ID: st.id, Owner: st.owner, Code: e.Code, Origin: e.Origin, Data: []byte(e.Reason)})
		}
	}
	s.streams = table{}
	s.credits, s.starts, s.outs, s.outsEnd, s.free, s.nFree = nil, nil, nil, nil, nil, 0
	s.peerActive, s.committed, s.pending = 0, 0, 0
	return evs
}

// phase says how far a call of ours had come. A call whose OPEN was not yet lent
// to the driver cannot have started ([mux-phase-1]).
func (s *Session) phase(st *stream) muxwire.Phase {
	if st.openEnd > s.taken {
		return muxwire.PhaseNotStarted
	}
	return st.phase
}

func (s *Session) newStream(id uint32) *stream {
	st := s.free
	if st != nil {
		s.free = st.nextOut
		s.nFree--
		partial, pend := st.partial[:0], st.pend[:0]
		*st = stream{partial: partial, pend: pend}
	} else {
		st = new(stream)
	}
	st.id = id
	st.window, st.windowItems = uint32(s.cfg.WindowBytes), uint32(s.cfg.WindowItems)
	st.recvLimit, st.recvItemLimit = uint64(st.window), st.windowItems
	s.committed += int64(st.window)
	st.byteLimit, st.itemLimit = uint64(s.peer.WindowBytes), uint32(s.peer.WindowItems)
	s.streams.put(st)
	return st
}

// remove frees the slot of a stream. What the peer may still send for it is
// added to the late frames that are taken without complaint ([mux-late-1]).
func (s *Session) remove(st *stream) {
	s.releaseCredit(st)
	s.late = min(s.late+int64(st.recvItemLimit-st.recvItems)+4, s.cfg.MaxLate)
	s.streams.del(st.id)
	if !st.is(local) {
		s.peerActive--
	}
	st.owner = nil
	// A stream that still stands in a list is left to the collector once the list
	// has dropped it; only the others are kept for reuse.
	if st.flags&(inCredits|inStarts|inOuts) == 0 && s.nFree < 256 {
		if cap(st.partial) > 4096 || cap(st.pend) > 4096 {
			st.partial, st.pend = nil, nil
		}
		st.flags = 0
		st.nextOut = s.free
		s.free = st
		s.nFree++
		return
	}
	st.id = 0 // lists skip it
}

// releaseCredit takes back what a stream holds of the budget.
func (s *Session) releaseCredit(st *stream) {
	s.committed -= int64(st.recvLimit-st.consumed) + int64(st.held)
	st.consumed, st.held = st.recvLimit, 0
	s.pending -= int64(len(st.pend) - st.pendOff)
	st.pendOff = len(st.pend)
}
