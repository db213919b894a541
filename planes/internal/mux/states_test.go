package mux_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

const protocol = "../../../spec/PROTOCOL.md"

// states are the states of stream 1, or of the connection, with the script that
// leads there.
var states = []struct{ name, setup string }{
	{"hello", "new accepter quiet\nraw f757503101010000"},
	{"stream 0", "new accepter"},
	{"H none", "new accepter"},
	{"H request", "new accepter\nin OPEN stream=1 FIN MORE arg=4 payload=abc"},
	{"H running", "new accepter\nin OPEN stream=1 FIN"},
	{"H cancelled", "new accepter\nin OPEN stream=1 FIN\nin RESET stream=1 arg=CANCELLED"},
	{"H ending", "new accepter\nin OPEN stream=1 FIN\nend 1 a*5000"},
	{"H over", "new accepter\nin OPEN stream=1 FIN\nend 1"},
	{"C none", "new dialer"},
	{"C request", "new dialer\nopen payload=a*5000"},
	{"C open", "new dialer\nopen"},
	{"C started", "new dialer\nopen\nin STARTED stream=1"},
	{"C item", "new dialer\nopen\nin DATA stream=1 MORE data=x"},
	{"C over", "new dialer\nopen\nin END stream=1"},
}

// probes are the frames that are sent in each state; %d is the stream.
var probes = []struct{ name, frame string }{
	{"HELLO", "in HELLO stream=%d"},
	{"OPEN", "in OPEN stream=%d FIN"},
	{"ACCEPT", "in ACCEPT stream=%d"},
	{"STARTED", "in STARTED stream=%d"},
	{"REFUSE", "in REFUSE stream=%d code=OVERLOADED"},
	{"DATA", "in DATA stream=%d data=y"},
	{"CREDIT", "in CREDIT stream=%d arg=9 bytes=9"},
	{"MAX_STREAMS", "in MAX_STREAMS stream=%d arg=200"},
	{"CLOSE_SEND", "in CLOSE_SEND stream=%d"},
	{"END", "in END stream=%d"},
	{"STOP", "in STOP stream=%d arg=CANCELLED"},
	{"RESET", "in RESET stream=%d arg=CANCELLED"},
	{"PING", "in PING stream=%d"},
	{"PONG", "in PONG stream=%d"},
	{"DRAIN", "in DRAIN stream=%d code=DRAINING"},
	{"GOAWAY", "in GOAWAY stream=%d code=DRAINING arg=1"},
	{"others", "in ALIVE stream=%d"},
}

// mux-state-1: the table of PROTOCOL.md says what each frame does in each state.
func TestStateTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| frame |")
	for _, st := range states {
		fmt.Fprintf(&b, " %s |", st.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(states)) + "\n")
	for _, p := range probes {
		fmt.Fprintf(&b, "| %s |", p.name)
		for i, st := range states {
			stream := 1
			if i < 2 {
				stream = 0
			}
			fmt.Fprintf(&b, " %s |", outcome(t, st.setup, fmt.Sprintf(p.frame, stream)))
		}
		b.WriteString("\n")
	}
	golden(t, "states", b.String())
}

// outcome plays setup, then one frame, and says in a word what it did.
func outcome(t *testing.T, setup, frame string) string {
	sc := &script{t: t, now: time.Hour}
	for line := range strings.Lines(setup) {
		sc.run(line)
	}
	late := sc.e.s.Stats().Late
	sc.log.Reset()
	sc.run(frame)
	log := sc.log.String()
	var e *mux.ConnError
	byPeer := errors.As(sc.e.err, &e) && e.Origin == muxwire.OriginPeer
	if n := strings.Count(log, "> GOAWAY"); (sc.e.err != nil && !byPeer) != (n == 1) {
		t.Errorf("%q, then %q: error %v, %d GOAWAY", setup, frame, sc.e.err, n)
	}
	switch {
	case byPeer:
		return "gone"
	case errors.As(sc.e.err, &e) && e.Code == muxwire.CodeProtocol:
		return "error"
	case sc.e.err != nil:
		return sc.e.err.Error()
	case sc.e.s.Stats().Late > late:
		return "skip"
	case strings.Contains(log, "PROTOCOL by=LOCAL"):
		return "call"
	case strings.Contains(log, "! end"), strings.Contains(log, "! cancel"):
		return "over"
	}
	return "ok"
}

// golden compares got with what stands in PROTOCOL.md between the marks of that
// name, or puts it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	src, err := os.ReadFile(protocol)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(src), "<!-- "+name+" -->\n")
	want, tail, closed := strings.Cut(rest, "<!-- /"+name+" -->\n")
	if !ok || !closed {
		t.Fatalf("%s has no marks %q", protocol, name)
	}
	switch {
	case want == got:
	case *update:
		text := head + "<!-- " + name + " -->\n" + got + "<!-- /" + name + " -->\n" + tail
		if err := os.WriteFile(protocol, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s, %s: run with -update and read the difference\n%s", protocol, name, firstDifference(got, want))
	}
}
