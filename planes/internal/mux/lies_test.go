package mux_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// mux-end-2: nothing but END with the right totals makes a call end cleanly. A peer
// that says OK where only failures are said must not make a call that never ran
// look complete.
func TestOnlyEndEndsCleanly(t *testing.T) {
	for _, setup := range []string{
		"new dialer\nopen\nin REFUSE stream=1 code=OK",
		"new dialer\nopen\nin GOAWAY code=OK arg=0",
		"new dialer quiet\nraw f757503101010000\nin GOAWAY code=OK",
	} {
		sc := &script{t: t, now: time.Hour}
		for line := range strings.Lines(setup) {
			sc.run(line)
		}
		if log := sc.log.String(); strings.Contains(log, "end 1 OK") {
			t.Errorf("%q:\n%s", setup, log)
		}
		if err := sc.e.err; err != nil && code(err) == muxwire.CodeOk {
			t.Errorf("%q: the connection failed with code OK", setup)
		}
	}
}

// mux-end-1: a reason beyond what END may carry is cut, and what is not text never
// reaches the caller as such.
func TestReasonOfEndIsCutAndText(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	l.open(t, "r", "")
	f := muxwire.Frame{Type: muxwire.FrameTypeEnd, Flags: muxwire.FrameFlagsText, Stream: 1}
	f.Body.End = muxwire.End{Code: muxwire.CodeHandler, Tail: []byte("\xff" + strings.Repeat("é", 2000))}
	b, err := f.Append(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	_, evs, err := l.a.s.Receive(l.now, b, nil)
	if err != nil || len(evs) != 1 {
		t.Fatal(evs, err)
	}
	if why := evs[0].Data; len(why) > 1024 || !utf8.Valid(why) {
		t.Errorf("a reason of %d bytes, valid: %v", len(why), utf8.Valid(why))
	}
}

// mux-budget-1: headers, which a handler keeps as long as the request, count against
// the budget like it, and free it when the call ends.
func TestHeadersCountAgainstTheBudget(t *testing.T) {
	const budget = 1 << 20
	l := newLink(t, mux.Config{}, mux.Config{MemoryBudget: budget})
	headers := make([]muxwire.Header, 16)
	for i := range headers {
		headers[i] = muxwire.Header{Name: []byte("h"), Value: pattern7(4096)}
	}
	var ids []uint32
	for range 32 {
		id, _, err := l.a.s.Open(&muxwire.Open{Route: []byte("r"), HasHeaders: true, Headers: headers}, 0, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		l.pump()
	}
	running := 0
	for _, ev := range l.b.evs {
		if ev.Kind == mux.EvRequest {
			running++
		}
	}
	credit, _ := l.b.s.Granted()
	if held := running * 16 * 4096; held > budget || credit < int64(held) {
		t.Errorf("%d calls run and hold %d bytes of headers, %d of %d are charged", running, held, credit, budget)
	}
	for _, id := range ids {
		l.b.s.End(id, nil, false)
	}
	l.pump()
	idle(t, l)
}

// pattern7 is n bytes of ASCII.
func pattern7(n int) []byte { return []byte(strings.Repeat("v", n)) }
