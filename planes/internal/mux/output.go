package mux

import (
	"github.com/wireplane/wireplane/codec/muxwire"
)

// TakeOutput lends the bytes to be sent next; nil means none. They stay valid until
// the next call, which says that all of them have been sent. Streams that wait for
// room are told through TakeWritable.
func (s *Session) TakeOutput() []byte {
	if s.state == running {
		s.flushControl()
	}
	b := s.out
	if s.spare != nil {
		putBuffer(s.spare) // what was lent before has been sent
		s.spare = nil
	}
	if len(b) == 0 {
		if s.tx != nil { // an idle connection keeps no scratch
			frames.Put(s.tx)
			s.tx = nil
		}
		return nil
	}
	s.out, s.spare = nil, b
	s.taken += uint64(len(b))
	s.wakeOuts()
	return b
}

// HasOutput reports whether TakeOutput would lend anything.
func (s *Session) HasOutput() bool {
	return len(s.out) > 0 || s.state == running && (s.credits != nil || s.starts != nil || s.pongDue || s.streamsDue())
}

// Queued returns the bytes that wait to be taken.
func (s *Session) Queued() int { return len(s.out) }

// TakeWritable appends to dst the owners whose Send may make progress since
// output was taken, and forgets them.
func (s *Session) TakeWritable(dst []any) []any {
	dst = append(dst, s.writable...)
	clear(s.writable)
	s.writable = s.writable[:0]
	return dst
}

// wakeOuts lets those who wait for room try again, first come first.
func (s *Session) wakeOuts() {
	st := s.outs
	s.outs, s.outsEnd = nil, nil // pump may queue again
	for st != nil {
		next := st.nextOut
		st.nextOut = nil
		st.flags &^= inOuts
		switch {
		case st.id == 0:
			s.recycle(st)
		case st.is(endPending):
			s.pump(st)
		default:
			s.writable = append(s.writable, st.owner)
		}
		st = next
	}
}

// waitOut puts st at the end of those who wait for room.
func (s *Session) waitOut(st *stream) {
	if st.is(inOuts) {
		return
	}
	st.flags |= inOuts
	if s.outsEnd == nil {
		s.outs = st
	} else {
		s.outsEnd.nextOut = st
	}
	s.outsEnd = st
}

// flushControl appends what is announced by its latest value only: credits,
// started marks, stream-open credit, the answer to a ping. So the control frames
// in the queue are bounded by the number of streams ([mux-control-1]).
func (s *Session) flushControl() {
	for st := s.starts; st != nil; {
		next := st.nextStart
		st.nextStart = nil
		st.flags &^= inStarts
		switch {
		case st.id == 0:
			s.recycle(st)
		case !st.is(answered | cancelled):
			s.appendBare(muxwire.FrameTypeStarted, st.id, 0)
		}
		st = next
	}
	s.starts = nil
	for st := s.credits; st != nil; {
		next := st.nextCredit
		st.nextCredit = nil
		st.flags &^= inCredits
		if st.id != 0 {
			s.appendCredit(st)
		} else {
			s.recycle(st)
		}
		st = next
	}
	s.credits = nil
	if s.streamsDue() {
		s.peerOpenLimit = s.peerOpened + uint32(s.cfg.MaxStreams-s.peerActive)
		s.appendBare(muxwire.FrameTypeMaxStreams, 0, s.peerOpenLimit)
	}
	if s.pongDue {
		s.pongDue = false
		f := s.frame(muxwire.FrameTypePong, 0, s.lastPeerID)
		f.Body.Ping.Cookie = s.pongCookie
		s.append(f)
	}
}

// streamsDue reports whether the slots that came free would at least double what
// the peer may still open: seldom while it has many left, at once when it has none
// ([mux-slot-2]).
func (s *Session) streamsDue() bool {
	left := s.peerOpenLimit - s.peerOpened
	freed := uint32(s.cfg.MaxStreams-s.peerActive) - left
	return freed > 0 && freed >= left
}

// frame returns the scratch frame with its header set. The body's field for the
// type must be set by the caller; it holds what an earlier frame left there.
func (s *Session) frame(t muxwire.FrameType, id, arg uint32) *muxwire.Frame {
	if s.tx == nil {
		s.tx = frames.Get().(*muxwire.Frame)
		s.tx.Body.Open = muxwire.Open{} // what NewOpen promises
	}
	f := s.tx
	f.Type, f.Flags, f.Class, f.Stream, f.Arg = t, 0, 0, id, arg
	return f
}

// append encodes one frame to the output. A frame that the codec refuses is a
// fault of this package; it ends the connection rather than the process.
func (s *Session) append(f *muxwire.Frame) {
	if err := s.encode(f); err != nil {
		s.fail(muxwire.CodeInternal, muxwire.OriginLocal, "frame cannot be encoded", err)
		return
	}
	if len(s.out) > s.cfg.OutputHard {
		s.fail(muxwire.CodeFlood, muxwire.OriginLocal, "the peer asks for answers and does not read them", nil)
	}
}

// encode appends f to the output, or leaves the output as it is. Nothing follows
// the GOAWAY of a connection that has failed.
func (s *Session) encode(f *muxwire.Frame) error {
	if s.state == dead {
		return nil
	}
	if s.out == nil {
		s.out = getBuffer()
	}
	out, err := f.Append(s.out, s.sums)
	if err != nil {
		return err
	}
	s.stats.FramesOut++
	s.stats.BytesOut += uint64(len(out) - len(s.out))
	s.out = out
	return nil
}

// appendBare encodes a frame without a body.
func (s *Session) appendBare(t muxwire.FrameType, id, arg uint32) {
	s.append(s.frame(t, id, arg))
}

func (s *Session) appendCredit(st *stream) {
	f := s.frame(muxwire.FrameTypeCredit, st.id, st.recvItemLimit)
	f.Body.Credit.Bytes = st.recvLimit
	s.append(f)
}

func (s *Session) appendNotice(t muxwire.FrameType, arg uint32, code muxwire.Code, why string) {
	f := s.frame(t, 0, arg)
	f.Body.Notice = muxwire.Notice{Code: code, Why: text(why)}
	s.append(f)
}

// appendReason says why a call is over; for its receiver the peer says so.
func (s *Session) appendReason(t muxwire.FrameType, id uint32, code muxwire.Code, p muxwire.Phase, why string) {
	f := s.frame(t, id, uint32(code))
	f.Body.Reason = muxwire.Reason{Origin: muxwire.OriginPeer, Phase: p, Why: text(why)}
	s.append(f)
}

func (s *Session) appendRefuse(id uint32, code muxwire.Code, retryMillis, queue uint32, why string) {
	f := s.frame(muxwire.FrameTypeRefuse, id, 0)
	f.Body.Refuse = muxwire.Refuse{Code: code, Origin: muxwire.OriginPeer, RetryAfter: retryMillis, Queue: queue, Why: text(why)}
	s.append(f)
}

// text makes a reason fit the wire: valid UTF-8 of at most 255 bytes.
func text(s string) []byte { return fit(s, maxText) }
