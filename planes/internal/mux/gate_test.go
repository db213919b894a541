package mux_test

import (
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// wire connects two sessions without copying, as a driver does.
type wire struct {
	tb   testing.TB
	a, b *mux.Session
	evs  []mux.Event
	now  time.Duration
	owns any
}

func newWire(tb testing.TB, plain bool) *wire {
	w := &wire{tb: tb, now: time.Hour, owns: new(int)}
	w.a = mux.New(mux.Config{NoChecksum: plain}, w.now)
	w.b = mux.New(mux.Config{Role: mux.Accepter, Accept: func(uint32, uint32, *muxwire.Open) (any, muxwire.Code, string) {
		return w.owns, muxwire.CodeOk, ""
	}}, w.now)
	w.carry(w.a, w.b)
	w.carry(w.b, w.a)
	return w
}

// carry moves the output of from to to and returns the events there.
func (w *wire) carry(from, to *mux.Session) []mux.Event {
	w.evs = w.evs[:0]
	for b := from.TakeOutput(); len(b) > 0; b = from.TakeOutput() {
		var err error
		if _, w.evs, err = to.Receive(w.now, b, w.evs); err != nil {
			w.tb.Fatal(err)
		}
	}
	return w.evs
}

func (w *wire) open(o *muxwire.Open) uint32 {
	id, _, err := w.a.Open(o, 0, 0, w.owns)
	if err != nil {
		w.tb.Fatal(err)
	}
	return id
}

// A unary call costs no allocation on either side.
func TestUnaryAllocs(t *testing.T) {
	for name, plain := range map[string]bool{"checksums": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, plain)
			o := muxwire.Open{Route: []byte("echo"), Payload: pattern(64), HasDeadline: true, Deadline: 1000}
			testenv.Allocs(t, 0, func() {
				id := w.open(&o)
				evs := w.carry(w.a, w.b)
				w.b.Started(id)
				w.b.End(id, evs[0].Data, true)
				if evs := w.carry(w.b, w.a); len(evs) != 1 || evs[0].Kind != mux.EvEnd || len(evs[0].Data) != 64 {
					t.Fatal(evs)
				}
			})
		})
	}
}

// An item of a stream costs no allocation, its credit included.
func TestItemAllocs(t *testing.T) {
	w := newWire(t, false)
	id := w.open(&muxwire.Open{Route: []byte("tokens")})
	w.carry(w.a, w.b)
	item := pattern(64)
	testenv.Allocs(t, 0, func() {
		if _, done, err := w.b.Send(id, item, 0); !done || err != nil {
			t.Fatal(done, err)
		}
		for _, ev := range w.carry(w.b, w.a) {
			w.a.Consume(ev.ID, uint64(len(ev.Data)), 1)
		}
		w.carry(w.a, w.b)
	})
}

// A frame that comes in two parts costs no allocation for being asked twice.
func TestPartialFrameAllocs(t *testing.T) {
	w := newWire(t, false)
	o := muxwire.Open{Route: []byte("echo"), Payload: pattern(4000)}
	testenv.Allocs(t, 0, func() {
		id := w.open(&o)
		b := w.a.TakeOutput()
		var err error
		for _, cut := range []int{0, 10, 30, len(b)} {
			if _, w.evs, err = w.b.Receive(w.now, b[:cut], w.evs[:0]); err != nil {
				t.Fatal(err)
			}
		}
		w.b.End(id, nil, false)
		w.carry(w.b, w.a)
	})
}

func TestSizes(t *testing.T) {
	testenv.CheckSize(t, "mux stream", mux.StreamSize, 256)
	testenv.CheckSize(t, "mux session", mux.SessionSize, 768)
}

// A stream that waits costs both ends less than 1 KiB, its share of the table included.
func TestIdleStreamSize(t *testing.T) {
	const n = 2000
	testenv.CheckRetained(t, n, 1024, func() any {
		w := newWire(t, false)
		for range n {
			w.open(&muxwire.Open{Route: []byte("tokens")})
		}
		w.carry(w.a, w.b)
		w.evs = nil
		return w
	})
}

func BenchmarkUnary(b *testing.B) {
	w := newWire(b, false)
	o := muxwire.Open{Route: []byte("echo"), Payload: pattern(64)}
	b.ReportAllocs()
	for b.Loop() {
		id := w.open(&o)
		evs := w.carry(w.a, w.b)
		w.b.End(id, evs[0].Data, true)
		w.carry(w.b, w.a)
	}
}

func BenchmarkItem(b *testing.B) {
	w := newWire(b, false)
	id := w.open(&muxwire.Open{Route: []byte("tokens")})
	w.carry(w.a, w.b)
	item := pattern(64)
	b.ReportAllocs()
	for b.Loop() {
		for range 16 {
			_, _, _ = w.b.Send(id, item, 0)
		}
		for _, ev := range w.carry(w.b, w.a) {
			w.a.Consume(ev.ID, uint64(len(ev.Data)), 1)
		}
		w.carry(w.a, w.b)
	}
}
