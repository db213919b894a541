package mux

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/muxwire"
)

// Receive takes bytes from the peer and appends what happened to evs. It returns
// how many bytes it took; the rest is the start of a frame, to be given again with
// more behind it. An error is a *ConnError: the driver sends the output that is
// left, closes the connection and calls Abort.
func (s *Session) Receive(now time.Duration, b []byte, evs []Event) (n int, _ []Event, _ error) {
	if s.err != nil {
		return 0, evs, s.err
	}
	s.lastRecv, s.forgiven = now, false
	if s.state == wantPreface {
		m, err := s.receivePreface(b)
		if err != nil || m == 0 {
			s.markPartial(now, len(b), false)
			return 0, evs, err
		}
		n = m
	}
	f := frames.Get().(*muxwire.Frame)
	n, evs, err := s.receiveFrames(now, b, n, f, evs)
	if err != nil {
		*f = muxwire.Frame{} // half decoded: nobody else shall find that
	}
	frames.Put(f)
	return n, evs, err
}

// frames are scratch for decoding, shared because they are large for a connection
// that is idle.
var frames = sync.Pool{New: func() any { return new(muxwire.Frame) }}

// receiveFrames takes the frames of b from n on.
func (s *Session) receiveFrames(now time.Duration, b []byte, n int, f *muxwire.Frame, evs []Event) (int, []Event, error) {
	for {
		whole, err := s.whole(b[n:])
		if err != nil {
			return n, evs, s.badFrame(b[n:], err)
		}
		if !whole {
			break
		}
		m, err := f.Decode(b[n:], &s.cfg.lim, s.sums)
		if err != nil {
			return n, evs, s.badFrame(b[n:], err)
		}
		n += m
		s.stats.FramesIn++
		s.stats.BytesIn += uint64(m)
		if evs, err = s.step(now, f, evs); err != nil {
			return n, evs, err
		}
		if s.err != nil {
			return n, evs, s.err
		}
	}
	s.markPartial(now, len(b)-n, n > 0)
	if s.wantOpen && s.CanOpen() {
		s.wantOpen = false
		evs = append(evs, Event{Kind: EvCanOpen})
	}
	return n, evs, nil
}

// whole reports whether b starts with a whole frame. The header of one that is
// not whole is checked before its length is believed and waited for ([mux-sum-1]).
// Asking here rather than the decoder keeps its Need from being allocated.
func (s *Session) whole(b []byte) (bool, error) {
	if len(b) < HeaderBytes {
		return false, nil
	}
	if len(b)-HeaderBytes >= int(b[0])<<16|int(b[1])<<8|int(b[2]) {
		return true, nil
	}
	_, _, err := muxwire.FrameLen(b, &s.cfg.lim, s.sums)
	return false, err
}

// markPartial notes since when an unfinished frame has been lying there; fresh
// says that it is another one than before. Bytes that do not complete it do not
// move the time ([mux-slow-1]).
func (s *Session) markPartial(now time.Duration, left int, fresh bool) {
	switch {
	case left == 0:
		s.partialSince = 0
	case fresh || s.partialSince == 0:
		s.partialSince = now
	}
}

// badFrame ends the connection for bytes that are no frame. A peer that gave up
// before it had our HELLO sends its GOAWAY with checksums even where this side no
// longer expects them; that one is understood ([mux-sum-2]).
func (s *Session) badFrame(b []byte, err error) error {
	if !s.sums {
		var f muxwire.Frame
		if _, plain := f.Decode(b, &s.cfg.lim, true); plain == nil && f.Type == muxwire.FrameTypeGoaway && f.Stream == 0 {
			return s.onEarlyGoAway(&f)
		}
	}
	code := muxwire.CodeProtocol
	var e *codec.Error
	if errors.As(err, &e) {
		switch e.Kind { //nolint:exhaustive // the others are protocol errors
		case codec.KindChecksum:
			code = muxwire.CodeChecksum
		case codec.KindLimit:
			code = muxwire.CodeTooLarge
		}
	}
	return s.fail(code, muxwire.OriginLocal, "bad frame: "+err.Error(), err)
}

// step takes one frame. The frames of the fast path come first.
func (s *Session) step(now time.Duration, f *muxwire.Frame, evs []Event) ([]Event, error) {
	if f.Flags != 0 && f.Flags&^flagsOf(f.Type) != 0 {
		return evs, s.illegal(f, "flags "+f.Flags.String()+" mean nothing on it")
	}
	if s.state == wantHello {
		switch f.Type { //nolint:exhaustive // every other type is refused
		case muxwire.FrameTypeHello:
			return s.onHello(f, evs)
		case muxwire.FrameTypeGoaway:
			return evs, s.onEarlyGoAway(f)
		}
		return evs, s.illegal(f, "before HELLO")
	}
	if f.Stream == 0 {
		return s.stepConn(now, f, evs)
	}
	switch f.Type {
	case muxwire.FrameTypeOpen:
		return s.onOpen(now, f, evs)
	case muxwire.FrameTypeData, muxwire.FrameTypeCredit, muxwire.FrameTypeEnd, muxwire.FrameTypeReset, muxwire.FrameTypeStop,
		muxwire.FrameTypeAccept, muxwire.FrameTypeStarted, muxwire.FrameTypeRefuse, muxwire.FrameTypeCloseSend:
	default:
		if known(f.Type) {
			return evs, s.illegal(f, "a frame of the connection")
		}
		return evs, s.unexplained(f) // a type of a later version: skipped, but counted
	}
	st := s.streams.get(f.Stream)
	if st == nil || st.is(cancelled) {
		return evs, s.onLate(f)
	}
	switch f.Type {
	case muxwire.FrameTypeData:
		return s.onData(st, f, evs)
	case muxwire.FrameTypeEnd:
		return s.onEnd(st, f, evs)
	case muxwire.FrameTypeCredit:
		return s.onCredit(st, f, evs)
	case muxwire.FrameTypeReset, muxwire.FrameTypeStop:
		return s.onReason(st, f, evs)
	case muxwire.FrameTypeCloseSend:
		return evs, s.illegal(f, "client streaming is not offered by this build")
	default:
		return s.onProgress(st, f, evs)
	}
}

// stepConn takes a frame of stream 0.
func (s *Session) stepConn(now time.Duration, f *muxwire.Frame, evs []Event) ([]Event, error) {
	switch f.Type { //nolint:exhaustive // stream frames are refused below
	case muxwire.FrameTypePing:
		return evs, s.onPing(now, f)
	case muxwire.FrameTypePong:
		return evs, s.onPong(f)
	case muxwire.FrameTypeMaxStreams:
		s.onMaxStreams(f)
		return evs, nil
	case muxwire.FrameTypeDrain:
		return s.onDrain(f, evs)
	case muxwire.FrameTypeGoaway:
		return s.onGoAway(f, evs)
	}
	switch {
	case !known(f.Type):
		return evs, s.unexplained(f)
	case f.Type == muxwire.FrameTypeHello:
		return evs, s.illegal(f, "HELLO comes once")
	}
	return evs, s.illegal(f, "a frame of streams")
}

// flagsOf returns the flags that may stand on a frame of type t ([mux-flags-1]).
func flagsOf(t muxwire.FrameType) muxwire.FrameFlags {
	switch t { //nolint:exhaustive // the others have none
	case muxwire.FrameTypeOpen:
		return muxwire.FrameFlagsMore | muxwire.FrameFlagsFin
	case muxwire.FrameTypeData:
		return muxwire.FrameFlagsMore
	case muxwire.FrameTypeEnd:
		return muxwire.FrameFlagsItem | muxwire.FrameFlagsText
	}
	if known(t) {
		return 0
	}
	return ^muxwire.FrameFlags(0)
}

// known reports whether this build knows what the type means. The types that
// later features use are unknown to it, and so skipped.
func known(t muxwire.FrameType) bool {
	switch t { //nolint:exhaustive // reserved types count as unknown
	case muxwire.FrameTypeUpdate, muxwire.FrameTypeAlive, muxwire.FrameTypeResume, muxwire.FrameTypeResumed:
		return false
	}
	return t >= muxwire.FrameTypeHello && t <= muxwire.FrameTypeResumed
}

// illegal ends the connection for a frame that its state does not allow ([mux-state-1]).
func (s *Session) illegal(f *muxwire.Frame, why string) error {
	return s.fail(muxwire.CodeProtocol, muxwire.OriginLocal, fmt.Sprintf("%s on stream %d: %s", f.Type, f.Stream, why), nil)
}

// onLate takes a frame for a stream that is over. That is normal after a reset,
// and so allowed as often as the credit of closed streams explains ([mux-late-1]).
func (s *Session) onLate(f *muxwire.Frame) error {
	limit := s.lastPeerID
	if s.mine(f.Stream) {
		limit = s.nextID - 1
	}
	if f.Stream > limit {
		return s.illegal(f, "the stream was never opened")
	}
	return s.unexplained(f)
}

// unexplained counts a frame that is skipped, and ends the connection when there
// are too many of them.
func (s *Session) unexplained(*muxwire.Frame) error {
	s.stats.Late++
	s.late--
	if s.late < 0 {
		return s.fail(muxwire.CodeFlood, muxwire.OriginLocal, "too many frames that mean nothing here", nil)
	}
	return nil
}

// mine reports whether ids like this one are given out by this side.
func (s *Session) mine(id uint32) bool { return id&1 == s.nextID&1 }
