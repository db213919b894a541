package mux

import (
	"fmt"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// Refusal is why Open did not open a call. The call has not started.
type Refusal struct {
	Code   muxwire.Code
	Reason string
	Wait   bool // more calls may be opened later: EvCanOpen or EvReady tells
}

// Error returns the reason.
func (r *Refusal) Error() string { return "mux: " + r.Reason }

var (
	errNotReady = &Refusal{muxwire.CodeTransport, "the connection is not ready", true}
	errFull     = &Refusal{muxwire.CodeOverloaded, "the peer takes no more calls for now", true}
	errGoAway   = &Refusal{muxwire.CodeDraining, "the connection takes no new calls", false}
	errRetired  = &Refusal{muxwire.CodeDraining, "the connection has used up its stream ids", false}
	errBudget   = &Refusal{muxwire.CodeOverloaded, "the memory budget of the connection is used up for now", true}
	errBacklog  = &Refusal{muxwire.CodeOverloaded, "the peer does not read what is queued for it", true}
)

// smallPayload is how much of a request goes into OPEN although the output is full:
// splitting it off would save nothing.
const smallPayload = 4 << 10

// CanOpen reports whether Open has room for a call: open credit from the peer,
// memory for the responses, and an output queue that moves.
func (s *Session) CanOpen() bool { return s.state == running && s.opens() == nil }

// opens says why no call can be opened for now, or nil.
func (s *Session) opens() *Refusal {
	switch {
	case s.opened >= s.openLimit:
		return errFull
	case !s.fits(uint64(s.cfg.WindowBytes)):
		return errBudget
	case len(s.out) >= s.cfg.OutputHard/2:
		return errBacklog
	}
	return nil
}

// NewOpen returns an empty OPEN to fill in and give to Open at once: it is the
// session's own scratch, which saves Open a copy.
func (s *Session) NewOpen() *muxwire.Open {
	o := &s.frame(muxwire.FrameTypeOpen, 0, 0).Body.Open
	if o.Route != nil { // left by an Open that was refused
		*o = muxwire.Open{}
	}
	return o
}

// Open starts a call whose request message is o.Payload, all of it. Fields of o are
// read until Open returns; if it returns rest > 0, so many bytes at the end of
// o.Payload wait for credit or room: EvWritable or TakeWritable tells when to go on
// with SendRequest, and o.Payload must stay unchanged until that is done or the call
// over. deadline 0 means none. owner comes back with each event of the stream.
func (s *Session) Open(o *muxwire.Open, class muxwire.Class, deadline time.Duration, owner any) (id uint32, rest int, err error) {
	switch {
	case s.err != nil:
		return 0, 0, s.err
	case s.localGoAway, s.peerGoAway:
		return 0, 0, errGoAway
	case s.nextID > retireIDs:
		return 0, 0, errRetired
	case s.state != running:
		return 0, 0, errNotReady
	case len(o.Payload) > s.peer.MaxMessage:
		return 0, 0, &Refusal{Code: muxwire.CodeTooLarge,
			Reason: fmt.Sprintf("request of %d bytes, the peer takes %d", len(o.Payload), s.peer.MaxMessage)}
	}
	if why := s.opens(); why != nil {
		s.wantOpen = true
		return 0, 0, why
	}
	payload := o.Payload
	first := s.firstPiece(o)
	if err := s.appendOpen(o, class, first); err != nil {
		return 0, 0, err
	}
	id = s.nextID
	s.nextID += 2
	s.opened++
	st := s.newStream(id)
	st.flags = local
	st.class, st.owner = class, owner
	st.phase = muxwire.PhaseMaybe
	st.openEnd = s.taken + uint64(len(s.out))
	st.sentBytes, st.sentItems = uint64(first), 1
	s.stats.ItemsOut++
	s.arm(st, deadline)
	if first < len(payload) {
		st.flags |= sendOpen | finPending
		first = s.sendPieces(st, payload, first)
	}
	return id, len(payload) - first, nil
}

// firstPiece is how much of the payload goes into OPEN: what fits into the peer's
// largest body, a fragment and the first credit, and no more than a little while
// the output is full.
func (s *Session) firstPiece(o *muxwire.Open) int {
	n := len(o.Payload)
	if n <= smallPayload && n <= s.peer.WindowBytes {
		return n // whether the frame is too large shows when it is encoded
	}
	if len(s.out) >= s.cfg.OutputHigh {
		return 0
	}
	meta := o.Size() - n
	return max(0, min(n, FragmentBytes, s.peer.WindowBytes, s.peer.MaxBody-meta))
}

// appendOpen encodes OPEN with the first bytes of the payload, or says why the
// caller's fields cannot travel and leaves no trace of them.
func (s *Session) appendOpen(o *muxwire.Open, class muxwire.Class, first int) error {
	f := s.frame(muxwire.FrameTypeOpen, s.nextID, uint32(len(o.Payload)))
	f.Class, f.Flags = class, muxwire.FrameFlagsFin
	if first < len(o.Payload) {
		f.Flags |= muxwire.FrameFlagsMore
	}
	if o != &f.Body.Open {
		f.Body.Open = *o
	}
	f.Body.Open.Payload = o.Payload[:first]
	before, stats := len(s.out), s.stats
	err := s.encode(f)
	f.Body.Open = muxwire.Open{} // holds on to nothing of the caller's
	if err != nil {
		return &Refusal{Code: muxwire.CodeInternal, Reason: "request cannot be encoded: " + err.Error()}
	}
	if size := len(s.out) - before - HeaderBytes; size > s.peer.MaxBody {
		s.out, s.stats = s.out[:before], stats
		return &Refusal{Code: muxwire.CodeTooLarge,
			Reason: fmt.Sprintf("route, headers and trace take %d bytes, the peer takes %d in one frame", size-first, s.peer.MaxBody)}
	}
	return nil
}

// SendRequest goes on with a request message that Open could not send whole; off
// bytes of it have gone. It returns how many have gone now, all told.
func (s *Session) SendRequest(id uint32, payload []byte, off int) (int, error) {
	st := s.streams.get(id)
	switch {
	case st == nil, s.err != nil:
		return off, s.over()
	case !st.is(finPending):
		return len(payload), nil
	}
	return s.sendPieces(st, payload, off), nil
}

// onOpen takes a call from the peer ([mux-open-1]).
func (s *Session) onOpen(now time.Duration, f *muxwire.Frame, evs []Event) ([]Event, error) {
	o := &f.Body.Open
	switch {
	case s.mine(f.Stream):
		return evs, s.illegal(f, "OPEN with an id of the other side")
	case f.Stream <= s.lastPeerID:
		return evs, s.illegal(f, fmt.Sprintf("ids must rise; the last was %d", s.lastPeerID))
	case s.peerOpened >= s.peerOpenLimit:
		return evs, s.fail(muxwire.CodeFlood, muxwire.OriginLocal, fmt.Sprintf("call %d of %d allowed", s.peerOpened+1, s.peerOpenLimit), nil)
	case f.Flags&muxwire.FrameFlagsFin == 0:
		return evs, s.illegal(f, "client streaming is not offered by this build")
	case len(o.Payload) > s.cfg.WindowBytes:
		return evs, s.illegal(f, "more than the first credit")
	case uint64(len(o.Payload)) > uint64(f.Arg), f.Flags&muxwire.FrameFlagsMore == 0 && uint64(len(o.Payload)) != uint64(f.Arg):
		return evs, s.illegal(f, "arg is not the size of the request")
	}
	s.lastPeerID = f.Stream
	s.peerOpened++
	meta := metaBytes(o)
	code, why := s.admit(f, meta)
	var owner any
	if code == muxwire.CodeOk {
		owner, code, why = s.accept(f.Stream, f.Arg, o)
	}
	if code != muxwire.CodeOk {
		// What the caller sends before it knows is within the first credit.
		s.late = min(s.late+int64(s.cfg.WindowBytes>>10)+8, s.cfg.MaxLate)
		s.appendRefuse(f.Stream, code, 0, 0, why)
		return evs, nil
	}
	s.stats.ItemsIn++
	s.peerActive++
	st := s.newStream(f.Stream)
	st.owner, st.class, st.total = owner, f.Class, f.Arg
	st.recvBytes, st.recvItems = uint64(len(o.Payload)), 1
	if meta > 0 {
		st.meta = meta
		s.reserve(st, st.reserved+uint64(meta))
	}
	if o.HasDeadline {
		s.arm(st, now+time.Duration(max(o.Deadline, 1))*time.Millisecond)
	}
	if f.Flags&muxwire.FrameFlagsMore != 0 {
		st.partial = append(st.partial[:0], o.Payload...)
		if uint64(f.Arg) > st.recvLimit { // admit has seen that the budget has room
			s.reserve(st, uint64(f.Arg)+uint64(meta))
			st.recvLimit = uint64(f.Arg)
			s.dueCredit(st)
		}
		return evs, nil
	}
	return append(evs, s.request(st, o.Payload)), nil
}

// admit checks what this side can say about a call before its owner is asked.
func (s *Session) admit(f *muxwire.Frame, meta uint32) (muxwire.Code, string) {
	switch {
	case s.localGoAway:
		return muxwire.CodeDraining, "this side takes no new calls"
	case int64(f.Arg) > int64(s.cfg.MaxMessage):
		return muxwire.CodeTooLarge, fmt.Sprintf("request of %d bytes, at most %d are taken", f.Arg, s.cfg.MaxMessage)
	case !s.fits(max(uint64(s.cfg.WindowBytes), uint64(f.Arg)) + uint64(meta)):
		return muxwire.CodeOverloaded, "the memory budget of the connection is used up"
	}
	return muxwire.CodeOk, ""
}

// metaBytes is what the headers and the state of a call cost its owner, who keeps a
// copy while the handler runs; they count against the budget as the request does.
func metaBytes(o *muxwire.Open) uint32 {
	n := len(o.State)
	for i := range o.Headers {
		n += len(o.Headers[i].Name) + len(o.Headers[i].Value) + itemCost
	}
	return uint32(n)
}

func (s *Session) accept(id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) {
	if s.admitCall == nil {
		return nil, muxwire.CodeUnsupported, "this side takes no calls"
	}
	return s.admitCall(id, total, o)
}

// request says that the whole request message of st is in. What was reserved beyond
// it goes back to the budget; the message itself counts until the handler ends.
func (s *Session) request(st *stream, msg []byte) Event {
	st.flags |= requestDone
	s.reserve(st, uint64(len(msg))+uint64(st.meta))
	return Event{Kind: EvRequest, ID: st.id, Owner: st.owner, Data: msg}
}

// onMaxStreams takes the peer's word on how many calls may be opened. The number is
// cumulative, so an older one is ignored.
func (s *Session) onMaxStreams(f *muxwire.Frame) {
	s.openLimit = max(s.openLimit, f.Arg) // Receive tells those who wait
}
