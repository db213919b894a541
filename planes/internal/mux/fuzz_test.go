package mux_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// seeds are programs: random ones, and a quiet one in which much is delivered.
func seeds() [][]byte {
	var progs [][]byte
	for n := range uint64(24) {
		rnd := rand.New(rand.NewPCG(n, 1))
		prog := []byte{byte(n)}
		for range 20 + rnd.IntN(180) {
			prog = append(prog, byte(rnd.Uint32()), byte(rnd.Uint32()))
		}
		progs = append(progs, prog)
	}
	return append(progs, talk)
}

// talk is a program in which calls open, send a few items and end.
var talk = []byte{0,
	13, 0, 13 | 128, 0, 15, 255, 15 | 128, 255, // hello
	0, 10, 0, 200, 2, 100, 15, 255, 12 | 128, 0, // three calls
	3 | 128, 9, 3 | 128, 20, 4 | 128, 30, 3 | 128, 40, 15 | 128, 255, 15 | 128, 255,
	11, 0, 11, 1, 15, 255, 3 | 128, 50, 3 | 128, 7, 15 | 128, 255, 15 | 128, 255,
	6 | 128, 1, 15 | 128, 255, 6 | 128, 3, 15 | 128, 255,
}

// FuzzSession plays a program against two sessions and an oracle that knows what a
// caller and a handler may rely on, see world.
func FuzzSession(f *testing.F) {
	for _, prog := range seeds() {
		f.Add(prog)
	}
	f.Fuzz(func(t *testing.T, prog []byte) {
		if w := runProgram(prog, nil); len(w.bad) > 0 {
			t.Errorf("%q", w.bad)
		}
	})
}

// Random programs, the same ones each time.
func TestRandomPrograms(t *testing.T) {
	programs := uint64(600)
	if testenv.Race {
		programs = 100
	}
	for n := range programs {
		rnd := rand.New(rand.NewPCG(n, 2))
		prog := []byte{byte(n)}
		for range rnd.IntN(maxOps) {
			op := byte(rnd.Uint32())
			if op&0x7f%20 == 18 && rnd.IntN(20) > 0 {
				op = 15 // few programs shall end early
			}
			prog = append(prog, op, byte(rnd.Uint32()))
		}
		if w := runProgram(prog, nil); len(w.bad) > 0 {
			t.Fatalf("program %d (%d bytes): %q", n, len(prog), w.bad)
		}
	}
}

// The oracle finds each fault that is planted between the sessions and it.
func TestOracleFindsPlantedFaults(t *testing.T) {
	if w := runProgram(talk, nil); len(w.bad) > 0 || len(w.calls) != 3 || len(w.calls[0].got)+len(w.calls[1].got) < 4 {
		t.Fatalf("without a fault: %q, %d calls", w.bad, len(w.calls))
	}
	once := func(kind mux.EventKind, fault func(ev mux.Event) []mux.Event) func(int, mux.Event) []mux.Event {
		done := false
		return func(_ int, ev mux.Event) []mux.Event {
			if done || ev.Kind != kind || kind == mux.EvItem && len(ev.Data) == 0 {
				return []mux.Event{ev}
			}
			done = true
			return fault(ev)
		}
	}
	var kept []mux.Event
	for name, mutate := range map[string]func(int, mux.Event) []mux.Event{
		"an item lost":      once(mux.EvItem, func(mux.Event) []mux.Event { return nil }),
		"an item doubled":   once(mux.EvItem, func(ev mux.Event) []mux.Event { return []mux.Event{ev, ev} }),
		"a byte changed":    once(mux.EvItem, func(ev mux.Event) []mux.Event { ev.Data[0] ^= 1; return []mux.Event{ev} }),
		"a request changed": once(mux.EvRequest, func(ev mux.Event) []mux.Event { ev.Data[0] ^= 1; return []mux.Event{ev} }),
		"a request doubled": once(mux.EvRequest, func(ev mux.Event) []mux.Event { return []mux.Event{ev, ev} }),
		"an end lost":       once(mux.EvEnd, func(mux.Event) []mux.Event { return nil }),
		"an end doubled":    once(mux.EvEnd, func(ev mux.Event) []mux.Event { return []mux.Event{ev, ev} }),
		"a last item lost":  once(mux.EvEnd, func(ev mux.Event) []mux.Event { ev.HasItem, ev.Items = false, ev.Items-1; return []mux.Event{ev} }),
		"a false phase": once(mux.EvEnd, func(ev mux.Event) []mux.Event {
			ev.Code, ev.Phase = muxwire.CodeHandler, muxwire.PhaseNotStarted
			return []mux.Event{ev}
		}),
		"items swapped": func(_ int, ev mux.Event) []mux.Event {
			if ev.Kind == mux.EvItem && len(kept) == 0 {
				kept = append(kept, ev)
				return nil
			}
			if len(kept) == 1 && ev.Kind == mux.EvItem && ev.ID == kept[0].ID {
				kept = append([]mux.Event{ev}, kept...)
				return kept
			}
			return []mux.Event{ev}
		},
	} {
		if w := runProgram(slices.Clone(talk), mutate); len(w.bad) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

// FuzzReceive gives a session, in each of its states, bytes: as they are, or as
// the bodies of frames whose headers are right. It must not panic, must say why it
// gives up with a *ConnError and one GOAWAY, must keep its bounds, and must end
// each of its own calls exactly once.
func FuzzReceive(f *testing.F) {
	for i := range states {
		f.Add(byte(i), false, []byte("\x07\x00\x01\x00\x03abc\x0b\x04\x01\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
		f.Add(byte(i), true, []byte("\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"))
	}
	for i, ex := range examples {
		if b, err := ex.frame.Append(nil, false); err == nil {
			f.Add(byte(i), true, b)
			f.Add(byte(i), false, append([]byte{b[3], b[16], b[7], b[11], byte(len(b) - 20)}, b[20:]...))
		}
	}
	f.Fuzz(func(t *testing.T, state byte, raw bool, data []byte) {
		sc := &script{t: t, now: time.Hour}
		setup := states[int(state)%len(states)].setup
		for line := range strings.Lines(setup) {
			sc.run(line)
		}
		ended := map[uint32]int{}
		e := sc.e
		for len(data) > 0 && e.err == nil {
			var piece []byte
			if raw {
				n := min(len(data), 1+int(data[0]))
				piece, data = data[:n], data[n:]
			} else {
				piece, data = frameOf(data)
			}
			e.receive(sc.now, piece)
			sc.now += time.Millisecond
			e.tick(sc.now)
			if credit, pending := e.s.Granted(); credit < 0 || credit > 1<<20 || pending < 0 || pending > 1<<20 || e.s.Queued() > 5<<20 {
				t.Fatalf("%d granted, %d pending, %d queued", credit, pending, e.s.Queued())
			}
		}
		var ce *mux.ConnError
		if e.err != nil && (!errors.As(e.err, &ce) || ce != e.s.Err()) {
			t.Fatalf("not a *ConnError: %v", e.err)
		}
		if len(e.sent) == 0 || e.sent[0] != 0xf7 {
			t.Fatal("no greeting")
		}
		if e.err != nil && ce.Origin == muxwire.OriginLocal {
			if n := goaways(t, e); n != 1 {
				t.Errorf("%d GOAWAY after %v", n, e.err)
			}
		}
		e.note(e.s.Abort(&mux.ConnError{Code: muxwire.CodeTransport}, nil))
		for _, ev := range e.evs {
			if ev.Kind == mux.EvEnd {
				if ended[ev.ID]++; ended[ev.ID] > 1 {
					t.Errorf("stream %d ended twice", ev.ID)
				}
			}
		}
		if e.s.Streams() != 0 {
			t.Errorf("%d streams left", e.s.Streams())
		}
	})
}

// frameOf makes a frame without checksums of the front of data: type, flags,
// stream, arg, length, body.
func frameOf(data []byte) (frame, rest []byte) {
	var h [5]byte
	n := copy(h[:], data)
	data = data[n:]
	size := min(int(h[4]), len(data))
	frame = []byte{0, 0, byte(size), h[0] % 24, 0, 0, 0, h[2] % 8, 0, 0, 0, h[3], 0, 0, 0, 0, h[1] & 0xf, 0, 0, 0}
	return append(frame, data[:size]...), data[size:]
}
