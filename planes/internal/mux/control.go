package mux

import (
	"fmt"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// maxPingStrikes is how many pings may come sooner than PingMin allows.
const maxPingStrikes = 8

// onPing notes that an answer is due. Answers merge: the latest cookie counts.
func (s *Session) onPing(now time.Duration, f *muxwire.Frame) error {
	if now-s.lastPeerPing < s.cfg.PingMin && s.lastPeerPing != 0 {
		s.pingStrikes++
		if s.pingStrikes > maxPingStrikes {
			return s.fail(muxwire.CodeFlood, muxwire.OriginLocal, fmt.Sprintf("pings come faster than one each %v", s.cfg.PingMin), nil)
		}
	} else {
		s.pingStrikes = 0
	}
	s.lastPeerPing = now
	s.pongDue, s.pongCookie = true, f.Body.Ping.Cookie
	return nil
}

// notice is what a connection that is not ready yet has to tell when it is: only
// then is it known whether frames carry checksums.
type notice struct {
	drain, goAway       bool
	left                time.Duration
	whyDrain, whyGoAway string
}

// Drain tells the peer that this side goes away in left; calls go on meanwhile,
// and new ones are still taken until GoAway ([mux-drain-1]). Before EvReady it is
// put off until then.
func (s *Session) Drain(left time.Duration, why string) {
	switch {
	case s.err != nil, s.drained:
	case s.state != running:
		s.early = &notice{drain: true, left: left, whyDrain: why}
		s.drained = true
	default:
		s.drained = true
		s.appendDrain(left, why)
	}
}

func (s *Session) appendDrain(left time.Duration, why string) {
	s.appendNotice(muxwire.FrameTypeDrain, uint32(min(max(left.Milliseconds(), 0), 1<<31)), muxwire.CodeDraining, why)
}

// sayEarly tells what was put off.
func (s *Session) sayEarly() {
	n := s.early
	if n == nil {
		return
	}
	s.early = nil
	if n.drain {
		s.appendDrain(n.left, n.whyDrain)
	}
	if n.goAway {
		s.appendNotice(muxwire.FrameTypeGoaway, s.lastPeerID, muxwire.CodeDraining, n.whyGoAway)
	}
}

// GoAway refuses new calls from here on and tells the peer the last one that was
// taken. Running calls go on; the connection may be closed once Streams is 0.
func (s *Session) GoAway(why string) {
	switch {
	case s.err != nil, s.localGoAway:
	case s.state != running:
		if s.early == nil {
			s.early = new(notice)
		}
		s.early.goAway, s.early.whyGoAway = true, why
		s.localGoAway = true
	default:
		s.localGoAway = true
		s.appendNotice(muxwire.FrameTypeGoaway, s.lastPeerID, muxwire.CodeDraining, why)
	}
}

// Closing reports whether either side has said that it takes no new calls.
func (s *Session) Closing() bool { return s.localGoAway || s.peerGoAway || s.err != nil }

// onDrain passes the peer's notice on. Its sender needs one; more are counted.
func (s *Session) onDrain(f *muxwire.Frame, evs []Event) ([]Event, error) {
	n := &f.Body.Notice
	evs = append(evs, Event{Kind: EvDrain, Arg: f.Arg, Code: n.Code, Data: n.Why})
	if s.peerDrained {
		return evs, s.unexplained(f)
	}
	s.peerDrained = true
	return evs, nil
}

// onGoAway ends the calls of ours that the peer did not take: they have not
// started, so they may be sent elsewhere ([mux-goaway-1]). A code other than
// DRAINING says that the peer has given the connection up ([mux-goaway-2]).
func (s *Session) onGoAway(f *muxwire.Frame, evs []Event) ([]Event, error) {
	n := &f.Body.Notice
	code := leaving(n.Code)
	again := s.peerGoAway
	s.peerGoAway = true
	evs = append(evs, Event{Kind: EvGoAway, Code: code, Data: n.Why})
	var lost []*stream
	for _, st := range s.streams.sorted() {
		if st.is(local) && st.id > f.Arg && st.phase != muxwire.PhaseStarted {
			lost = append(lost, st)
		}
	}
	for _, st := range lost {
		st.phase = muxwire.PhaseNotStarted
		evs = append(evs, s.ended(st, code, muxwire.OriginPeer, n.Why))
		s.remove(st)
	}
	switch {
	case code != muxwire.CodeDraining:
		return evs, s.fail(code, muxwire.OriginPeer, string(n.Why), nil)
	case again:
		return evs, s.unexplained(f)
	}
	if s.wantOpen {
		s.wantOpen = false
		evs = append(evs, Event{Kind: EvCanOpen}) // those who wait learn that they wait in vain
	}
	return evs, nil
}

// leaving is the code of a GOAWAY. OK is taken for DRAINING: calls end with it, and
// only END may end one with OK.
func leaving(code muxwire.Code) muxwire.Code {
	if code == muxwire.CodeOk {
		return muxwire.CodeDraining
	}
	return code
}

// onPong takes an answer. One for which there was no PING is counted.
func (s *Session) onPong(f *muxwire.Frame) error {
	if s.pongsDue == 0 {
		return s.unexplained(f)
	}
	s.pongsDue--
	return nil
}

// onEarlyGoAway is the peer's word that it does not understand this side at all.
func (s *Session) onEarlyGoAway(f *muxwire.Frame) error {
	n := &f.Body.Notice
	return s.fail(leaving(n.Code), muxwire.OriginPeer, string(n.Why), nil)
}
