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
)

// Open starts a call whose request message is o.Payload, all of it. Fields of o are
// read until Open returns; o.Payload must stay unchanged until SendRequest has said
// that it is done if Open returns rest > 0: so many bytes at its end wait for
// credit. deadline 0 means none. owner comes back with each event of the stream.
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
	case s.opened >= s.openLimit:
		s.wantOpen = true
		return 0, 0, errFull
	case len(o.Payload) > s.peer.MaxMessage:
		return 0, 0, &Refusal{Code: muxwire.CodeTooLarge,
			Reason: fmt.Sprintf("request of %d bytes, the peer takes %d", len(o.Payload), s.peer.MaxMessage)}
	}
	payload := o.Payload
	f := muxwire.Frame{Type: muxwire.FrameTypeOpen, Class: class, Arg: uint32(len(payload)), Stream: s.nextID}
	f.Body.Open = *o
	first := s.firstPiece(&f.Body.Open)
	f.Body.Open.Payload = payload[:first]
	f.Flags = muxwire.FrameFlagsFin
	if first < len(payload) {
		f.Flags |= muxwire.FrameFlagsMore
	}
	before := len(s.out)
	s.append(&f)
	if len(s.out) == before {
		// The codec refused a field of the caller's: route, header or state.
		refused := s.err
		s.err, s.state = nil, running
		return 0, 0, &Refusal{Code: muxwire.CodeInternal, Reason: "request cannot be encoded: " + refused.Err.Error()}
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
	if first < len(payload) {
		st.flags |= sendOpen | finPending
	}
	s.arm(st, deadline)
	return id, len(payload) - first, nil
}

// firstPiece is how much of the payload goes into OPEN: what fits into the peer's
// largest body, a fragment and the first credit.
func (s *Session) firstPiece(o *muxwire.Open) int {
	n := len(o.Payload)
	if small := min(FragmentBytes, s.peer.WindowBytes); n <= small/2 {
		return n // the metadata is at most a few KiB, but check only when it matters
	}
	meta := o.Size() - n
	return max(0, min(n, FragmentBytes, s.peer.WindowBytes, s.peer.MaxBody-meta))
}

// SendRequest goes on with a request message that Open could not send whole; off
// bytes of it have gone. It returns how many have gone now.
func (s *Session) SendRequest(id uint32, payload []byte, off int) (int, error) {
	st := s.streams.get(id)
	if st == nil {
		return off, s.over()
	}
	off = s.sendPieces(st, payload, off)
	return off, nil
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
	code, why := s.admit(f)
	var owner any
	if code == muxwire.CodeOk {
		owner, code, why = s.cfg.accept(f.Stream, f.Arg, o)
	}
	if code != muxwire.CodeOk {
		s.late = min(s.late+int64(s.cfg.WindowItems)+4, s.cfg.MaxLate)
		s.appendRefuse(f.Stream, code, 0, 0, why)
		return evs, nil
	}
	s.stats.ItemsIn++
	s.peerActive++
	st := s.newStream(f.Stream)
	st.owner, st.class, st.total = owner, f.Class, f.Arg
	st.recvBytes, st.recvItems = uint64(len(o.Payload)), 1
	if o.HasDeadline {
		s.arm(st, now+time.Duration(max(o.Deadline, 1))*time.Millisecond)
	}
	if f.Flags&muxwire.FrameFlagsMore != 0 {
		st.partial = append(st.partial[:0], o.Payload...)
		s.assembling(st)
		return evs, nil
	}
	return append(evs, s.request(st, o.Payload)), nil
}

// admit checks what this side can say about a call before its owner is asked.
func (s *Session) admit(f *muxwire.Frame) (muxwire.Code, string) {
	switch {
	case s.localGoAway:
		return muxwire.CodeDraining, "this side takes no new calls"
	case int64(f.Arg) > int64(s.cfg.MaxMessage):
		return muxwire.CodeTooLarge, fmt.Sprintf("request of %d bytes, at most %d are taken", f.Arg, s.cfg.MaxMessage)
	case s.committed+max(int64(s.cfg.WindowBytes), int64(f.Arg)) > int64(s.cfg.MemoryBudget):
		return muxwire.CodeOverloaded, "the memory budget of the connection is used up"
	}
	return muxwire.CodeOk, ""
}

func (c *Config) accept(id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) {
	if c.Accept == nil {
		return nil, muxwire.CodeUnsupported, "this side takes no calls"
	}
	return c.Accept(id, total, o)
}

// request says that the whole request message of st is in. What was granted beyond
// it goes back to the budget; the message itself counts until the handler ends.
func (s *Session) request(st *stream, msg []byte) Event {
	st.flags |= requestDone
	st.held = uint32(len(msg))
	s.committed += int64(st.held) - int64(st.recvLimit-st.consumed)
	st.consumed = st.recvLimit
	return Event{Kind: EvRequest, ID: st.id, Owner: st.owner, Data: msg}
}

// onMaxStreams takes the peer's word on how many calls may be opened. The number is
// cumulative, so an older one is ignored.
func (s *Session) onMaxStreams(f *muxwire.Frame, evs []Event) []Event {
	if f.Arg <= s.openLimit {
		return evs
	}
	s.openLimit = f.Arg
	if s.wantOpen {
		s.wantOpen = false
		evs = append(evs, Event{Kind: EvCanOpen})
	}
	return evs
}
