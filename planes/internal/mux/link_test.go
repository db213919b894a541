package mux_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// end is one side of an in-memory connection: a session and what happened to it.
type end struct {
	s    *mux.Session
	in   []byte       // bytes from the peer that Receive has not taken
	evs  []mux.Event  // copied events, oldest first
	sent []byte       // everything that was lent for sending
	err  error        // the first error of Receive or Tick
	wake []any        // owners told through TakeWritable
	open []openRecord // what Accept saw
}

// openRecord is a copy of what Accept was given.
type openRecord struct {
	id, total uint32
	open      muxwire.Open
}

// accept is the Accept of an end: it takes each call and makes its id the owner.
func (e *end) accept(id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) {
	e.open = append(e.open, openRecord{id, total, o.Clone()})
	if string(o.Route) == "nowhere" {
		return nil, muxwire.CodeNotFound, "no such route"
	}
	return id, muxwire.CodeOk, ""
}

func newEnd(cfg mux.Config, now time.Duration) *end {
	e := &end{}
	if cfg.Accept == nil {
		cfg.Accept = e.accept
	}
	e.s = mux.New(cfg, now)
	return e
}

// note copies events, because their data is borrowed.
func (e *end) note(evs []mux.Event) {
	for _, ev := range evs {
		ev.Data = bytes.Clone(ev.Data)
		e.evs = append(e.evs, ev)
	}
}

// receive gives the session b behind what it has not taken yet.
func (e *end) receive(now time.Duration, b []byte) {
	if e.err != nil {
		return
	}
	e.in = append(e.in, b...)
	n, evs, err := e.s.Receive(now, e.in, nil)
	e.note(evs)
	e.in = append(e.in[:0:0], e.in[n:]...) // a new array: borrowed data must not show through
	e.err = err
}

func (e *end) tick(now time.Duration) {
	if e.err != nil {
		return
	}
	evs, err := e.s.Tick(now, nil)
	e.note(evs)
	e.err = err
}

// take returns a copy of the output that is due.
func (e *end) take() []byte {
	out := bytes.Clone(e.s.TakeOutput())
	e.sent = append(e.sent, out...)
	e.wake = e.s.TakeWritable(e.wake)
	return out
}

// events returns what happened since the last call, one line each.
func (e *end) events() []string {
	var lines []string
	for _, ev := range e.evs {
		lines = append(lines, eventText(ev))
	}
	e.evs = nil
	return lines
}

// eventText is an event on one line; long data is shown by its size.
func eventText(ev mux.Event) string {
	s := ev.Kind.String()
	if ev.ID != 0 {
		s += fmt.Sprintf(" %d", ev.ID)
	}
	switch ev.Kind { //nolint:exhaustive // the others say nothing more
	case mux.EvEnd:
		s += fmt.Sprintf(" %s", ev.Code)
		if ev.Code != muxwire.CodeOk {
			s += fmt.Sprintf(" by=%s phase=%s", ev.Origin, ev.Phase)
		}
		s += fmt.Sprintf(" items=%d", ev.Items)
		if ev.Arg != 0 {
			s += fmt.Sprintf(" retry-after=%dms", ev.Arg)
		}
		if !ev.HasItem && ev.Code == muxwire.CodeOk {
			return s
		}
	case mux.EvCancel, mux.EvStop, mux.EvGoAway:
		s += fmt.Sprintf(" %s", ev.Code)
	case mux.EvDrain:
		s += fmt.Sprintf(" %s left=%dms", ev.Code, ev.Arg)
	case mux.EvAccept:
		s += fmt.Sprintf(" position=%d", ev.Arg)
	}
	if ev.Data != nil || ev.HasItem {
		s += " " + dataText(ev.Data)
	}
	return s
}

func dataText(b []byte) string {
	if len(b) > 100 {
		return fmt.Sprintf("(%d bytes)", len(b))
	}
	return fmt.Sprintf("%q", b)
}

// link is a connection between the dialer a and the accepter b.
type link struct {
	a, b *end
	now  time.Duration
}

// newLink returns a connection on which both HELLOs are in.
func newLink(tb testing.TB, a, b mux.Config) *link {
	tb.Helper()
	b.Role = mux.Accepter
	l := &link{now: time.Hour}
	l.a, l.b = newEnd(a, l.now), newEnd(b, l.now)
	l.pump()
	if !l.a.s.Ready() || !l.b.s.Ready() {
		tb.Fatalf("not ready: %v, %v", l.a.err, l.b.err)
	}
	l.a.events()
	l.b.events()
	return l
}

// pump carries bytes both ways until nothing moves.
func (l *link) pump() {
	for l.step() {
	}
}

// step carries what is due once, and reports whether there was anything.
func (l *link) step() bool {
	fromA, fromB := l.a.take(), l.b.take()
	if len(fromA) > 0 {
		l.b.receive(l.now, fromA)
	}
	if len(fromB) > 0 {
		l.a.receive(l.now, fromB)
	}
	return len(fromA)+len(fromB) > 0
}

// open opens a call from a and delivers it.
func (l *link) open(tb testing.TB, route, payload string) uint32 {
	tb.Helper()
	id, rest, err := l.a.s.Open(&muxwire.Open{Route: []byte(route), Payload: []byte(payload)}, muxwire.ClassInteractive, 0, route)
	if err != nil || rest != 0 {
		tb.Fatalf("open %q: rest %d, %v", route, rest, err)
	}
	l.pump()
	return id
}

// want fails unless the events of e since the last look are these.
func (e *end) want(tb testing.TB, who string, lines ...string) {
	tb.Helper()
	got := e.events()
	if fmt.Sprint(got) != fmt.Sprint(lines) || len(got) != len(lines) {
		tb.Errorf("events of %s:\n got %q\nwant %q\nerror %v", who, got, lines, e.err)
	}
}
