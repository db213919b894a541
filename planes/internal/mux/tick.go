package mux

import (
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// arm gives a stream a deadline.
func (s *Session) arm(st *stream, deadline time.Duration) {
	st.deadline = deadline
	if deadline != 0 && (s.nextDeadline == 0 || deadline < s.nextDeadline) {
		s.nextDeadline = deadline
	}
}

// NextTick returns when Tick is due at the latest; it may become earlier with any
// command that sets a deadline. 0 means never.
func (s *Session) NextTick() time.Duration {
	if s.err != nil {
		return 0
	}
	if s.wantOpen && s.CanOpen() {
		return s.lastRecv // at once: EvCanOpen is due
	}
	return s.nextWait()
}

// nextWait returns when the first wait for the peer or for a deadline is over.
func (s *Session) nextWait() time.Duration {
	next := s.nextProbe()
	if s.state != running {
		next = s.lastTick + s.cfg.HelloTimeout
	}
	if s.state == running && s.partialSince != 0 {
		next = min(next, s.partialSince+s.cfg.FrameTimeout)
	}
	if s.nextDeadline != 0 {
		next = min(next, s.nextDeadline)
	}
	return next
}

// nextProbe returns when a PING is due, or the peer is lost if one is outstanding.
func (s *Session) nextProbe() time.Duration {
	if s.pinging() {
		return s.pingSent + s.cfg.ProbeTimeout
	}
	silence := s.cfg.ProbeIdle
	if s.streams.n > 0 {
		silence = s.cfg.ProbeLive
	}
	next := s.lastRecv + silence
	if s.pingSent != 0 {
		next = max(next, s.pingSent+s.peer.PingMin)
	}
	return next
}

// pinging reports whether a PING is out and nothing has come since.
func (s *Session) pinging() bool { return s.pingSent != 0 && s.lastRecv < s.pingSent }

// Tick acts on the time: deadlines of calls, silence of the peer, an unfinished
// HELLO or frame. A *ConnError means the same as from Receive.
func (s *Session) Tick(now time.Duration, evs []Event) ([]Event, error) {
	if s.err != nil {
		return evs, s.err
	}
	if now-s.nextWait() > time.Second {
		s.forgive(now)
	}
	if s.state != running {
		if now >= s.lastTick+s.cfg.HelloTimeout {
			return evs, s.fail(muxwire.CodeTransport, muxwire.OriginLocal, "no HELLO in time", nil)
		}
		return evs, nil
	}
	s.lastTick = now
	if s.partialSince != 0 && now >= s.partialSince+s.cfg.FrameTimeout {
		return evs, s.fail(muxwire.CodeTransport, muxwire.OriginLocal, "a frame was begun and not completed in time", nil)
	}
	if err := s.probe(now); err != nil {
		return evs, err
	}
	if s.nextDeadline != 0 && now >= s.nextDeadline {
		evs = s.expire(now, evs)
	}
	if s.wantOpen && s.CanOpen() {
		s.wantOpen = false
		evs = append(evs, Event{Kind: EvCanOpen})
	}
	return evs, nil
}

// forgive starts the waits for the peer anew where this process itself did not run:
// the peer's bytes may lie in the kernel unread. Once per silence, so that a driver
// that always ticks late still finds out ([mux-ping-2]).
func (s *Session) forgive(now time.Duration) {
	if s.forgiven {
		return
	}
	s.forgiven = true
	if s.pinging() {
		s.pingSent = now
	}
	if s.partialSince != 0 {
		s.partialSince = now
	}
	if s.state != running {
		s.lastTick = now
	}
}

// probe asks a silent peer for a sign of life. Any byte counts as one, and the
// clock of the answer starts when the PING is queued ([mux-ping-1]).
func (s *Session) probe(now time.Duration) error {
	if now < s.nextProbe() {
		return nil
	}
	if s.pinging() {
		return s.fail(muxwire.CodePeerLost, muxwire.OriginLocal, "no sign of life from the peer for "+(now-s.lastRecv).Round(time.Millisecond).String(), nil)
	}
	if s.streams.n == 0 {
		s.streams = table{scatter: s.cfg.Scatter}
		s.free, s.nFree, s.peak = nil, 0, 0 // idle for long: keep nothing
	}
	s.pingSent = now
	s.pongsDue++
	f := s.frame(muxwire.FrameTypePing, 0, 0)
	f.Body.Ping.Cookie = uint64(now)
	s.append(f)
	return nil
}

// expire ends the calls whose deadline has passed, and finds the next one. The
// scan is over all streams, but deadlines that are set later than the next one do
// not bring it forward, so it runs about once per timeout and not once per call.
func (s *Session) expire(now time.Duration, evs []Event) []Event {
	s.nextDeadline = 0
	var due []*stream
	for _, e := range s.streams.slots {
		switch st := e.st; {
		case st == nil || st.deadline == 0 || st.is(cancelled):
		case st.deadline <= now:
			due = append(due, st)
		case s.nextDeadline == 0 || st.deadline < s.nextDeadline:
			s.nextDeadline = st.deadline
		}
	}
	byID(due)
	const why = "the deadline has passed"
	for _, st := range due {
		if !st.is(local) {
			s.appendReason(muxwire.FrameTypeReset, st.id, muxwire.CodeDeadline, st.reached(), why)
			evs = append(evs, s.cancel(st, muxwire.CodeDeadline, muxwire.OriginLocal, []byte(why)))
			continue
		}
		evs = s.resetFor(st, muxwire.CodeDeadline, why, evs)
	}
	return evs
}

// reached says how far a call of the peer has come.
func (st *stream) reached() muxwire.Phase {
	switch {
	case st.is(started | answered):
		return muxwire.PhaseStarted
	case st.is(requestDone):
		return muxwire.PhaseMaybe
	}
	return muxwire.PhaseNotStarted
}
