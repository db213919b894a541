package mux

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/muxwire"
)

// version is the one protocol version that this build speaks.
const version = 1

// appendHello puts the preface and HELLO into the output ([mux-hello-1]).
func (s *Session) appendHello() {
	p := muxwire.Preface{MinVersion: version, MaxVersion: version}
	out, err := p.Append(s.out)
	if err != nil {
		s.fail(muxwire.CodeInternal, muxwire.OriginLocal, "preface cannot be encoded", err)
		return
	}
	s.out = out
	f := s.frame(muxwire.FrameTypeHello, 0, 0)
	f.Body.Hello = muxwire.Hello{
		Features:    s.features(),
		MaxBody:     uint32(s.cfg.MaxBody),
		MaxMessage:  uint32(s.cfg.MaxMessage),
		MaxStreams:  uint32(s.cfg.MaxStreams),
		WindowBytes: uint32(s.cfg.WindowBytes),
		WindowItems: uint32(s.cfg.WindowItems),
		PingMin:     uint32(s.cfg.PingMin.Milliseconds()),
		Instance:    s.cfg.Instance,
		Epoch:       s.cfg.Epoch,
		Name:        text(s.cfg.Name),
	}
	s.append(f)
	f.Body.Hello = muxwire.Hello{}
}

func (s *Session) features() muxwire.Features {
	if s.cfg.NoChecksum {
		return 0
	}
	return muxwire.FeaturesChecksum
}

// receivePreface reads the peer's preface and says clearly what else it looks like.
func (s *Session) receivePreface(b []byte) (int, error) {
	var p muxwire.Preface
	n, err := p.Decode(b, &s.cfg.lim)
	if n > 0 && err == nil {
		if version < p.MinVersion || version > p.MaxVersion {
			return 0, s.fail(muxwire.CodeUnsupported, muxwire.OriginLocal,
				fmt.Sprintf("peer speaks versions %d to %d, this side %d", p.MinVersion, p.MaxVersion, version), nil)
		}
		s.state = wantHello
		return n, nil
	}
	if isNeed(err) && !alien(b) {
		return 0, nil
	}
	return 0, s.fail(muxwire.CodeProtocol, muxwire.OriginLocal, "not the preface of this protocol: "+lookalike(b), err)
}

func isNeed(err error) bool {
	var need codec.Need
	return errors.As(err, &need)
}

// alien reports whether b cannot become a preface, however many bytes follow.
func alien(b []byte) bool { return len(b) > 0 && b[0] != 0xf7 }

// lookalike names the protocol that b is more likely to be.
func lookalike(b []byte) string {
	switch {
	case len(b) >= 1 && b[0] == 0x16:
		return "looks like TLS on a clear-text port"
	case bytes.HasPrefix(b, []byte("PRI")), bytes.HasPrefix(b, []byte("GET")), bytes.HasPrefix(b, []byte("POST")),
		bytes.HasPrefix(b, []byte("HEAD")), bytes.HasPrefix(b, []byte("PUT")), bytes.HasPrefix(b, []byte("OPTI")):
		return "looks like HTTP"
	case len(b) >= 1 && b[0] <= 4:
		return "looks like a Dynamo request frame"
	}
	return fmt.Sprintf("starts with % x", b[:min(len(b), 8)])
}

// onHello takes the peer's limits; from here on the connection is open.
func (s *Session) onHello(f *muxwire.Frame, evs []Event) ([]Event, error) {
	h := &f.Body.Hello
	if f.Stream != 0 {
		return evs, s.illegal(f, "HELLO belongs to stream 0")
	}
	const known = muxwire.FeaturesChecksum
	if h.Critical&^known != 0 {
		return evs, s.fail(muxwire.CodeUnsupported, muxwire.OriginLocal, fmt.Sprintf("peer insists on unknown features %#x", uint64(h.Critical&^known)), nil)
	}
	s.peer = Peer{
		MaxBody: int(h.MaxBody), MaxMessage: int(h.MaxMessage), MaxStreams: int(h.MaxStreams),
		WindowBytes: int(h.WindowBytes), WindowItems: int(h.WindowItems),
		PingMin:  time.Duration(h.PingMin) * time.Millisecond,
		Instance: h.Instance, Epoch: h.Epoch, Name: string(h.Name),
	}
	s.sums = h.Features&s.features()&muxwire.FeaturesChecksum != 0
	s.openLimit = min(h.MaxStreams, math.MaxInt32)
	s.state = running
	s.sayEarly()
	return append(evs, Event{Kind: EvReady}), nil
}
