package mux

import (
	"fmt"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// Started says that the handler of a call runs. The peer is told with the next
// output, unless an item or the end says it first ([mux-started-1]).
func (s *Session) Started(id uint32) {
	st := s.streams.get(id)
	if st == nil || st.is(local|answered|cancelled|inStarts|started) {
		return
	}
	st.flags |= inStarts | started
	st.nextStart = s.starts
	s.starts = st
}

// Accept tells the peer that its call is queued behind position others.
func (s *Session) Accept(id uint32, position uint32) {
	if st := s.streams.get(id); st != nil && !st.is(cancelled|local) {
		s.appendBare(muxwire.FrameTypeAccept, id, position)
	}
}

// Refuse ends a call of the peer whose handler never ran. retryAfter is advice,
// queue the number of calls that were waiting.
func (s *Session) Refuse(id uint32, code muxwire.Code, retryAfter time.Duration, queue uint32, why string) {
	st := s.streams.get(id)
	if st == nil || st.is(local) {
		return
	}
	if !st.is(cancelled) {
		s.appendRefuse(id, code, uint32(retryAfter.Milliseconds()), queue, why)
	}
	s.remove(st)
}

// End ends a call of the peer cleanly, with a last item if has is true, and frees
// its slot. The item is copied; if credit for it is missing it waits inside the
// memory budget.
func (s *Session) End(id uint32, item []byte, has bool) {
	st := s.streams.get(id)
	switch {
	case st == nil, st.is(local | endPending):
		return
	case st.is(cancelled):
		s.remove(st)
		return
	case st.is(sendOpen):
		s.Fail(id, muxwire.CodeInternal, muxwire.OriginPeer, "the handler ended inside an item")
		return
	case len(item) > s.peer.MaxMessage:
		s.Fail(id, muxwire.CodeTooLarge, muxwire.OriginPeer, fmt.Sprintf("item of %d bytes, the peer takes %d", len(item), s.peer.MaxMessage))
		return
	}
	if !has {
		s.appendEnd(st, nil, false)
		return
	}
	if len(item) <= FragmentBytes-64 && uint64(len(item)) <= st.byteLimit-st.sentBytes && st.sentItems != st.itemLimit &&
		len(item)+11 <= s.peer.MaxBody && len(s.out) < s.cfg.OutputHigh {
		s.appendEnd(st, item, true)
		return
	}
	if s.pending+int64(len(item)) > int64(s.cfg.MemoryBudget) {
		s.Fail(id, muxwire.CodeOverloaded, muxwire.OriginPeer, "too many responses wait for credit")
		return
	}
	st.pend, st.pendOff = append(st.pend[:0], item...), 0
	s.pending += int64(len(item))
	st.flags |= endPending
	s.pump(st)
}

// pump goes on with a last item that waits, and ends the stream behind it.
func (s *Session) pump(st *stream) {
	n, done, err := s.Send(st.id, st.pend, st.pendOff)
	s.pending -= int64(n - st.pendOff)
	st.pendOff = n
	if err == nil && done {
		s.appendEnd(st, nil, false)
	}
}

// appendEnd sends END with the totals and frees the slot.
func (s *Session) appendEnd(st *stream, item []byte, has bool) {
	f := s.frame(muxwire.FrameTypeEnd, st.id, st.sentItems)
	f.Class = st.class
	f.Body.End = muxwire.End{Bytes: st.sentBytes}
	if has {
		f.Flags = muxwire.FrameFlagsItem
		f.Arg++
		f.Body.End.Bytes += uint64(len(item))
		f.Body.End.Tail = item
		s.stats.ItemsOut++
	}
	s.append(f)
	f.Body.End.Tail = nil
	s.remove(st)
}

// Fail ends a call of the peer with an error and frees its slot.
func (s *Session) Fail(id uint32, code muxwire.Code, origin muxwire.Origin, why string) {
	st := s.streams.get(id)
	if st == nil || st.is(local|endPending) {
		return
	}
	if !st.is(cancelled) {
		if code == muxwire.CodeOk {
			code = muxwire.CodeHandler
		}
		most := maxEndText
		if len(s.out) >= s.cfg.OutputHigh {
			most = maxText / 2 // ends need no credit, so what all of them add must be little
		}
		f := s.frame(muxwire.FrameTypeEnd, id, st.sentItems)
		f.Class, f.Flags = st.class, muxwire.FrameFlagsText
		f.Body.End = muxwire.End{Code: code, Origin: origin, Bytes: st.sentBytes, Tail: fit(why, most)}
		s.append(f)
		f.Body.End.Tail = nil
	}
	s.remove(st)
}

// Reset ends a call of ours at once: the peer is told, and nothing more comes for
// it. It reports false if the call is over already, that is if its EvEnd has been
// returned or is being delivered. phase and items say how far it had come; a call
// whose OPEN is still queued counts as maybe started, because OPEN will be sent.
func (s *Session) Reset(id uint32, code muxwire.Code, why string) (phase muxwire.Phase, items uint64, ok bool) {
	st := s.streams.get(id)
	if st == nil || !st.is(local) {
		return muxwire.PhaseMaybe, 0, false
	}
	phase, items = st.phase, uint64(st.recvItems)
	if s.err == nil {
		s.appendReason(muxwire.FrameTypeReset, id, code, phase, why)
	}
	s.remove(st)
	return phase, items, true
}

// Stop asks the peer to end a call of ours early; what it has produced still comes.
func (s *Session) Stop(id uint32, why string) {
	if st := s.streams.get(id); st != nil && st.is(local) && !st.is(stopped) && s.err == nil {
		st.flags |= stopped
		s.appendReason(muxwire.FrameTypeStop, id, muxwire.CodeCancelled, st.phase, why)
	}
}

// resetFor ends a stream of ours because of what the peer sent on it.
func (s *Session) resetFor(st *stream, code muxwire.Code, why string, evs []Event) []Event {
	s.appendReason(muxwire.FrameTypeReset, st.id, code, st.phase, why)
	evs = append(evs, s.ended(st, code, muxwire.OriginLocal, []byte(why)))
	s.remove(st)
	return evs
}

// ended makes the one terminal event of a stream of ours.
func (s *Session) ended(st *stream, code muxwire.Code, origin muxwire.Origin, data []byte) Event {
	return Event{
		Kind: EvEnd, ID: st.id, Owner: st.owner, Code: code, Origin: origin,
		Phase: st.phase, Items: uint64(st.recvItems), Data: data,
	}
}

// onEnd takes the end of a call of ours. It is clean only if the totals agree with
// what came ([mux-end-1]).
func (s *Session) onEnd(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	if !st.is(local) {
		return evs, s.illegal(f, "END from the caller")
	}
	e := &f.Body.End
	has := f.Flags&muxwire.FrameFlagsItem != 0
	switch {
	case e.Code != muxwire.CodeOk && has, e.Code == muxwire.CodeOk && f.Flags&muxwire.FrameFlagsText != 0,
		f.Flags == 0 && len(e.Tail) > 0:
		return evs, s.illegal(f, "flags, code and body disagree")
	case has && st.recvItems == st.recvItemLimit, has && st.recvBytes+uint64(len(e.Tail)) > st.recvLimit:
		return evs, s.illegal(f, "beyond its credit")
	}
	st.phase = muxwire.PhaseStarted
	items, bytes := st.recvItems, st.recvBytes
	if has {
		items++
		bytes += uint64(len(e.Tail))
	}
	var ev Event
	switch {
	case e.Code != muxwire.CodeOk:
		ev = s.ended(st, e.Code, e.Origin, endText(e.Tail))
	case f.Arg != items || e.Bytes != bytes || len(st.partial) > 0:
		ev = s.ended(st, muxwire.CodeProtocol, muxwire.OriginLocal,
			fmt.Appendf(nil, "the end says %d items and %d bytes, %d and %d came", f.Arg, e.Bytes, items, bytes))
	case has && len(e.Tail) > s.cfg.MaxMessage:
		ev = s.ended(st, muxwire.CodeTooLarge, muxwire.OriginLocal, fmt.Appendf(nil, "an item above %d bytes", s.cfg.MaxMessage))
	default:
		st.recvItems, st.recvBytes = items, bytes
		ev = s.ended(st, muxwire.CodeOk, e.Origin, e.Tail)
		if ev.HasItem = has; has {
			s.stats.ItemsIn++
		}
	}
	s.remove(st)
	return append(evs, ev), nil
}

// onReason takes RESET from either side and STOP from the caller.
func (s *Session) onReason(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	code, r := muxwire.Code(f.Arg), &f.Body.Reason
	if f.Arg > 0xffff || code == muxwire.CodeOk {
		return evs, s.illegal(f, "no code")
	}
	switch {
	case f.Type == muxwire.FrameTypeStop && st.is(local):
		return evs, s.illegal(f, "STOP from the handler's side")
	case f.Type == muxwire.FrameTypeStop:
		return append(evs, Event{Kind: EvStop, ID: st.id, Owner: st.owner, Code: code, Data: r.Why}), nil
	case st.is(local):
		if st.phase != muxwire.PhaseStarted && r.Phase <= muxwire.PhaseStarted {
			st.phase = r.Phase
		}
		evs = append(evs, s.ended(st, code, r.Origin, r.Why))
		s.remove(st)
		return evs, nil
	}
	return append(evs, s.cancel(st, code, r.Origin, r.Why)), nil
}

// cancel takes a call of the peer away from its caller. The slot stays in use until
// the handler has ended, so that opening and resetting costs the peer its own
// concurrency ([mux-slot-1]).
func (s *Session) cancel(st *stream, code muxwire.Code, origin muxwire.Origin, why []byte) Event {
	running := st.is(requestDone) && !st.is(endPending)
	ev := Event{Kind: EvCancel, ID: st.id, Owner: st.owner, Code: code, Origin: origin, Data: why}
	s.explain(st)
	st.flags |= cancelled
	st.partial = nil
	if !running {
		s.remove(st) // no handler was started, or it has ended
	}
	return ev
}

// onProgress takes ACCEPT, STARTED and REFUSE of a call of ours.
func (s *Session) onProgress(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	if !st.is(local) {
		return evs, s.illegal(f, "from the caller")
	}
	if f.Type == muxwire.FrameTypeRefuse {
		if st.phase == muxwire.PhaseStarted {
			return evs, s.illegal(f, "the call has started")
		}
		r := &f.Body.Refuse
		if r.Code == muxwire.CodeOk {
			return evs, s.illegal(f, "no code") // it would end the call as END does
		}
		st.phase = muxwire.PhaseNotStarted
		ev := s.ended(st, r.Code, r.Origin, r.Why)
		ev.Arg = r.RetryAfter
		s.remove(st)
		return append(evs, ev), nil
	}
	if st.phase == muxwire.PhaseStarted {
		return evs, nil // an item said it first, or it was said before
	}
	if f.Type == muxwire.FrameTypeStarted {
		st.phase = muxwire.PhaseStarted
		return append(evs, Event{Kind: EvStarted, ID: st.id, Owner: st.owner}), nil
	}
	return append(evs, Event{Kind: EvAccept, ID: st.id, Owner: st.owner, Arg: f.Arg}), nil
}
