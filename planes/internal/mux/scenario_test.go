package mux_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

var update = flag.Bool("update", false, "rewrite the expectations of testdata and the tables of spec/PROTOCOL.md")

// TestScenarios plays each file of testdata: blocks of commands, a line "----",
// and what happened, up to an empty line. One session is under test; the script is
// its peer. See script.do for the commands. In the expectations, ">" is a frame
// that the session sent, "!" an event, "=" the answer to a command.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(src))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(src) {
				t.Errorf("%s: run with -update and read the difference\n%s", file, firstDifference(got, string(src)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i+1, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return "the end is missing"
}

// play runs a scenario and returns it with what really happened.
func play(t *testing.T, src string) string {
	if !strings.HasPrefix(src, "# ") {
		t.Error("the first line must say what the scenario proves")
	}
	var out strings.Builder
	sc := &script{t: t, now: time.Hour}
	expect, ran := false, false
	for line := range strings.Lines(src) {
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			expect = false
		case expect:
			continue
		case text == "----":
			out.WriteString("----\n")
			out.WriteString(sc.log.String())
			sc.log.Reset()
			expect, ran = true, false
			continue
		case !strings.HasPrefix(text, "#"):
			sc.run(text)
			ran = true
		}
		out.WriteString(line)
	}
	if ran {
		t.Error("commands without ---- at the end")
	}
	return out.String()
}

// script is the state of a scenario.
type script struct {
	t    *testing.T
	now  time.Duration
	e    *end
	peer bool // frames that the script sends carry checksums
	hold bool // output is left where it is
	skip int  // preface of the session still to be skipped
	out  []byte
	log  strings.Builder
}

func (sc *script) run(line string) {
	words, err := split(line)
	if err != nil {
		sc.t.Fatalf("%s: %v", line, err)
	}
	a := args{t: sc.t, line: line, words: words[1:]}
	sc.do(words[0], &a)
	if len(a.words) > 0 {
		sc.t.Fatalf("%s: %q is not understood", line, a.words)
	}
	sc.show()
}

// do carries out one command.
func (sc *script) do(cmd string, a *args) {
	if cmd != "new" && sc.e == nil {
		sc.t.Fatalf("%s: there is no session", cmd)
	}
	var s *mux.Session
	if sc.e != nil {
		s = sc.e.s
	}
	switch cmd {
	case "new":
		sc.fresh(a)
	case "in": // a frame from the peer
		sc.receive(sc.encode(a))
	case "raw": // bytes from the peer
		b, err := hex.DecodeString(strings.Join(a.rest(), ""))
		if err != nil {
			sc.t.Fatal(err)
		}
		sc.receive(b)
	case "sums": // what the script's frames carry from now on, if not what was agreed
		sc.peer = a.word() == "on"
	case "tick": // time passes
		sc.now += a.duration()
		before := sc.e.err
		sc.e.tick(sc.now)
		sc.failed(before)
	case "wait": // time passes unnoticed
		sc.now += a.duration()
	case "hold":
		sc.hold = true
	case "take":
		sc.hold = false
	case "stat":
		granted, pending := s.Granted()
		fmt.Fprintf(&sc.log, "= streams=%d granted=%d pending=%d late=%d\n", s.Streams(), granted, pending, s.Stats().Late)
	case "next":
		fmt.Fprintf(&sc.log, "= tick in %v\n", s.NextTick()-sc.now)
	case "abort":
		evs := s.Abort(&mux.ConnError{Code: a.code(), Reason: a.text()}, nil)
		slices.SortFunc(evs, func(x, y mux.Event) int { return int(x.ID) - int(y.ID) }) // their order means nothing
		sc.e.note(evs)
	default:
		sc.command(cmd, a, s)
	}
}

// command calls the session's method of that name.
func (sc *script) command(cmd string, a *args, s *mux.Session) {
	switch cmd {
	case "open":
		o := muxwire.Open{Route: []byte("r")}
		var deadline time.Duration
		for k, v := range a.pairs() {
			switch k {
			case "route":
				o.Route = []byte(v)
			case "payload":
				o.Payload = []byte(v)
			case "deadline":
				d, err := time.ParseDuration(v)
				if err != nil {
					sc.t.Fatal(err)
				}
				deadline, o.HasDeadline, o.Deadline = sc.now+d, true, uint32(d.Milliseconds())
			}
		}
		id, rest, err := s.Open(&o, 0, deadline, nil)
		fmt.Fprintf(&sc.log, "= id=%d rest=%d %v\n", id, rest, err)
	case "send":
		id, item := a.id(), a.text()
		n, done, err := s.Send(id, []byte(item), 0)
		fmt.Fprintf(&sc.log, "= %d of %d done=%v %v\n", n, len(item), done, err)
	case "end":
		id, has := a.id(), len(a.words) > 0
		s.End(id, []byte(a.text()), has)
	case "fail":
		s.Fail(a.id(), a.code(), muxwire.OriginApp, a.text())
	case "refuse":
		s.Refuse(a.id(), a.code(), time.Duration(a.number())*time.Millisecond, 3, a.text())
	case "accept":
		s.Accept(a.id(), uint32(a.number()))
	case "started":
		s.Started(a.id())
	case "reset":
		phase, items, ok := s.Reset(a.id(), a.code(), a.text())
		fmt.Fprintf(&sc.log, "= phase=%s items=%d %v\n", phase, items, ok)
	case "stop":
		s.Stop(a.id(), a.text())
	case "consume":
		s.Consume(a.id(), a.number(), uint32(a.number()))
	case "drain":
		s.Drain(a.duration(), a.text())
	case "goaway":
		s.GoAway(a.text())
	default:
		sc.t.Fatalf("no command %q", cmd)
	}
}

// fresh starts a session, and says hello to it unless told "quiet".
func (sc *script) fresh(a *args) {
	cfg := mux.Config{WindowBytes: 4096, WindowItems: 8, MemoryBudget: 1 << 20}
	hello := muxwire.Hello{MaxBody: 65536, MaxMessage: 1 << 20, MaxStreams: 100, WindowBytes: 4096, WindowItems: 8, Name: []byte("script")}
	sc.peer, sc.out, sc.skip, sc.hold = true, nil, mux.PrefaceBytes, false
	if a.word() == "accepter" {
		cfg.Role = mux.Accepter
	}
	quiet := false
	for k, v := range a.pairs() {
		n, _ := strconv.Atoi(v)
		switch k {
		case "quiet":
			quiet = true
		case "sums":
			hello.Features |= muxwire.FeaturesChecksum
		case "features":
			more, _ := strconv.ParseUint(v, 0, 64)
			hello.Features |= muxwire.Features(more)
		case "critical":
			hello.Critical = muxwire.Features(n)
		case "streams":
			cfg.MaxStreams = n
		case "budget":
			cfg.MemoryBudget = n
		case "max-message":
			cfg.MaxMessage = n
		case "late":
			cfg.MaxLate = int64(n)
		case "peer-streams":
			hello.MaxStreams = uint32(n)
		case "peer-ping-min":
			hello.PingMin = uint32(n)
		default:
			sc.t.Fatalf("no setting %q", k)
		}
	}
	sc.e = newEnd(cfg, sc.now)
	if quiet {
		return
	}
	p := muxwire.Preface{MinVersion: 1, MaxVersion: 1}
	b, err := p.Append(nil)
	if err != nil {
		sc.t.Fatal(err)
	}
	f := muxwire.Frame{Type: muxwire.FrameTypeHello}
	f.Body.Hello = hello
	if b, err = f.Append(b, true); err != nil {
		sc.t.Fatal(err)
	}
	sc.receive(b)
	sc.peer = hello.Features&muxwire.FeaturesChecksum != 0
}

func (sc *script) receive(b []byte) {
	before := sc.e.err
	sc.e.receive(sc.now, b)
	sc.failed(before)
}

// failed shows the connection error, once.
func (sc *script) failed(before error) {
	if before == nil && sc.e.err != nil {
		fmt.Fprintf(&sc.log, "= %v\n", sc.e.err)
	}
}

// show logs the events and the frames that the session sends.
func (sc *script) show() {
	for _, line := range sc.e.events() {
		fmt.Fprintf(&sc.log, "! %s\n", line)
	}
	if sc.hold {
		return
	}
	for b := sc.e.take(); len(b) > 0; b = sc.e.take() {
		sc.out = append(sc.out, b...)
	}
	for _, who := range sc.e.wake {
		fmt.Fprintf(&sc.log, "! writable %v\n", who)
	}
	sc.e.wake = nil
	n := min(sc.skip, len(sc.out))
	sc.out, sc.skip = sc.out[n:], sc.skip-n
	for len(sc.out) > 0 {
		var f muxwire.Frame
		// HELLO and what comes before the peer's HELLO carries checksums in any case.
		n, err := f.Decode(sc.out, nil, sc.e.s.Checksums())
		if err != nil {
			n, err = f.Decode(sc.out, nil, true)
		}
		if err != nil {
			sc.t.Fatalf("the session sent %x: %v", sc.out, err)
		}
		sc.out = sc.out[n:]
		fmt.Fprintf(&sc.log, "> %s\n", frameText(&f))
	}
}
