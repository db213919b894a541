package mux_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

func TestHelloMakesBothSidesReady(t *testing.T) {
	l := &link{now: time.Hour}
	l.a = newEnd(mux.Config{Name: "router", Instance: 7, Epoch: 2}, l.now)
	l.b = newEnd(mux.Config{Role: mux.Accepter, MaxStreams: 9}, l.now)
	if _, _, err := l.a.s.Open(&muxwire.Open{Route: []byte("r")}, 0, 0, nil); err == nil || !err.(*mux.Refusal).Wait {
		t.Errorf("a call before HELLO: %v", err)
	}
	l.pump()
	l.a.want(t, "a", "ready")
	l.b.want(t, "b", "ready")
	if p := l.b.s.Peer(); p.Name != "router" || p.Instance != 7 || p.Epoch != 2 {
		t.Errorf("b knows its peer as %+v", p)
	}
	if p := l.a.s.Peer(); p.MaxStreams != 9 {
		t.Errorf("a may open %d", p.MaxStreams)
	}
	if !l.a.s.Checksums() || !l.b.s.Checksums() {
		t.Error("both offered checksums and do not use them")
	}
}

func TestUnaryCall(t *testing.T) {
	for _, plain := range []bool{false, true} {
		l := newLink(t, mux.Config{NoChecksum: plain}, mux.Config{})
		id := l.open(t, "echo", "hi")
		l.b.want(t, "b", `request 1 "hi"`)
		l.b.s.Started(id)
		l.b.s.End(id, []byte("ho"), true)
		l.pump()
		l.a.want(t, "a", `end 1 OK items=1 "ho"`)
		l.b.want(t, "b")
		idle(t, l)
	}
}

// idle fails unless nothing is left of any stream.
func idle(t *testing.T, l *link) {
	t.Helper()
	for name, e := range map[string]*end{"a": l.a, "b": l.b} {
		credit, pending := e.s.Granted()
		if e.err != nil || e.s.Streams() != 0 || credit != 0 || pending != 0 {
			t.Errorf("%s: %d streams, %d bytes granted, %d pending, %v", name, e.s.Streams(), credit, pending, e.err)
		}
	}
}

func TestStreamOfItems(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	id := l.open(t, "count", "")
	l.b.want(t, "b", `request 1 ""`)
	l.b.s.Accept(id, 3)
	l.b.s.Started(id)
	l.pump()
	l.a.want(t, "a", "accept 1 position=3", "started 1")
	for _, item := range []string{"one", "", "three"} {
		if n, done, err := l.b.s.Send(id, []byte(item), 0); n != len(item) || !done || err != nil {
			t.Fatal(n, done, err)
		}
	}
	l.pump()
	l.a.want(t, "a", `item 1 "one"`, `item 1 ""`, `item 1 "three"`)
	l.b.s.End(id, nil, false)
	l.pump()
	l.a.want(t, "a", "end 1 OK items=3")
	idle(t, l)
}

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return b
}

// sendAll sends an item as far as it goes whenever b may go on.
func sendAll(t *testing.T, l *link, id uint32, item []byte) {
	t.Helper()
	for off, done := 0, false; !done; {
		n, ok, err := l.b.s.Send(id, item, off)
		if err != nil {
			t.Fatal(err)
		}
		if off, done = n, ok; !done && !l.step() && off == n {
			l.pump()
			if m, _, _ := l.b.s.Send(id, item, off); m == off {
				t.Fatalf("stuck after %d of %d bytes", off, len(item))
			} else {
				off = m
			}
		}
	}
}

func TestItemLargerThanWindowAndFragment(t *testing.T) {
	for _, size := range []int{4 << 10, 4<<10 + 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		l := newLink(t, mux.Config{WindowBytes: 4 << 10}, mux.Config{})
		id := l.open(t, "big", "")
		l.b.events()
		item := pattern(size)
		sendAll(t, l, id, item)
		l.pump()
		if len(l.a.evs) != 1 || !bytes.Equal(l.a.evs[0].Data, item) {
			t.Fatalf("%d bytes: %d events, not the one item: %v", size, len(l.a.evs), l.a.err)
		}
		l.a.events()
		l.a.s.Consume(id, uint64(size), 1)
		l.pump()
		l.b.s.End(id, nil, false)
		l.pump()
		l.a.want(t, "a", "end 1 OK items=1")
		idle(t, l)
	}
}

func TestLastItemWaitsForCredit(t *testing.T) {
	l := newLink(t, mux.Config{WindowBytes: 4 << 10}, mux.Config{})
	id := l.open(t, "big", "")
	item := pattern(300 << 10)
	l.b.s.End(id, item, true)
	if _, pending := l.b.s.Granted(); pending != int64(len(item))-4<<10 {
		t.Errorf("%d bytes wait", pending)
	}
	l.pump()
	if len(l.a.evs) != 2 || !bytes.Equal(l.a.evs[0].Data, item) {
		t.Fatalf("%d events", len(l.a.evs))
	}
	l.a.evs = l.a.evs[1:]
	l.a.want(t, "a", "end 1 OK items=1")
	idle(t, l)
}

func TestRequestLargerThanWindowAndFragment(t *testing.T) {
	for _, size := range []int{4<<10 + 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		l := newLink(t, mux.Config{}, mux.Config{WindowBytes: 4 << 10})
		req := pattern(size)
		id, rest, err := l.a.s.Open(&muxwire.Open{Route: []byte("up"), Payload: req}, 0, 0, nil)
		if err != nil || rest == 0 {
			t.Fatalf("rest %d, %v", rest, err)
		}
		for off := size - rest; off < size; {
			l.pump()
			if off, err = l.a.s.SendRequest(id, req, off); err != nil {
				t.Fatal(err)
			}
		}
		l.pump()
		if len(l.b.evs) != 1 || !bytes.Equal(l.b.evs[0].Data, req) {
			t.Fatalf("%d bytes: events %d, %v", size, len(l.b.evs), l.b.err)
		}
		if l.b.open[0].total != uint32(size) {
			t.Errorf("announced as %d", l.b.open[0].total)
		}
		l.b.s.End(id, nil, false)
		l.pump()
		idle(t, l)
	}
}

func TestOpenCarriesItsFields(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	o := muxwire.Open{
		Route: []byte("a/b"), Payload: []byte("p"), HasDeadline: true, Deadline: 1500,
		HasTrace: true, Trace: muxwire.Trace{ID: [16]byte{1}, Span: [8]byte{2}, Sampled: 1},
		HasState: true, State: []byte("k=v"), HasCall: true, Call: [16]byte{9},
		HasHeaders: true, Headers: []muxwire.Header{{Name: []byte("n"), Value: []byte("v")}},
	}
	if _, _, err := l.a.s.Open(&o, muxwire.ClassBulk, 0, nil); err != nil {
		t.Fatal(err)
	}
	l.pump()
	got := l.b.open[0].open
	want, err := o.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if enc, err := got.Append(nil); err != nil || !bytes.Equal(enc, want) {
		t.Errorf("came as %+v, %v", got, err)
	}
}

func TestOpenThatCannotBeSentLeavesTheConnectionAsItWas(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{MaxBody: 16 << 10, MaxMessage: 16 << 10})
	long := strings.Repeat("x", 4096)
	var many []muxwire.Header
	for range 5 {
		many = append(many, muxwire.Header{Name: []byte("n"), Value: []byte(long)})
	}
	for name, c := range map[string]struct {
		open muxwire.Open
		code muxwire.Code
	}{
		"no route":        {muxwire.Open{}, muxwire.CodeInternal},
		"a long route":    {muxwire.Open{Route: []byte(long)}, muxwire.CodeInternal},
		"not UTF-8":       {muxwire.Open{Route: []byte{0xff}}, muxwire.CodeInternal},
		"large metadata":  {muxwire.Open{Route: []byte("r"), HasHeaders: true, Headers: many}, muxwire.CodeTooLarge},
		"a large payload": {muxwire.Open{Route: []byte("r"), Payload: make([]byte, 16<<10+1)}, muxwire.CodeTooLarge},
	} {
		if _, _, err := l.a.s.Open(&c.open, 0, 0, nil); err == nil || err.(*mux.Refusal).Code != c.code || err.(*mux.Refusal).Wait {
			t.Errorf("%s: %v", name, err)
		}
		if l.a.s.Queued() != 0 || l.a.s.Streams() != 0 || l.a.s.Err() != nil {
			t.Errorf("%s: %d bytes queued, %d streams, %v", name, l.a.s.Queued(), l.a.s.Streams(), l.a.s.Err())
		}
	}
	if id := l.open(t, "r", "x"); id != 1 {
		t.Errorf("the first call has id %d", id)
	}
}

func TestRefuse(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	l.open(t, "nowhere", "")
	l.a.want(t, "a", `end 1 NOT_FOUND by=PEER phase=NOT_STARTED items=0 "no such route"`)
	id := l.open(t, "busy", "")
	l.b.s.Refuse(id, muxwire.CodeOverloaded, 40*time.Millisecond, 12, "queue full")
	l.pump()
	l.a.want(t, "a", `end 3 OVERLOADED by=PEER phase=NOT_STARTED items=0 retry-after=40ms "queue full"`)
	idle(t, l)
}

func TestHandlerError(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	id := l.open(t, "r", "")
	_, _, _ = l.b.s.Send(id, []byte("x"), 0)
	l.b.s.Fail(id, muxwire.CodeHandler, muxwire.OriginApp, "it broke")
	l.pump()
	l.a.want(t, "a", `item 1 "x"`, `end 1 HANDLER by=APP phase=STARTED items=1 "it broke"`)
	idle(t, l)
}

func TestResetFromTheCaller(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	id := l.open(t, "r", "")
	l.b.events()
	if phase, items, ok := l.a.s.Reset(id, muxwire.CodeCancelled, "enough"); phase != muxwire.PhaseMaybe || items != 0 || !ok {
		t.Error(phase, items, ok)
	}
	if _, _, ok := l.a.s.Reset(id, muxwire.CodeCancelled, "enough"); ok {
		t.Error("reset twice")
	}
	l.pump()
	l.b.want(t, "b", `cancel 1 CANCELLED "enough"`)
	if l.b.s.Streams() != 1 {
		t.Error("the slot came free while the handler ran")
	}
	if _, _, err := l.b.s.Send(id, []byte("x"), 0); err == nil {
		t.Error("an item could be sent on it")
	}
	l.b.s.End(id, []byte("late"), true)
	l.pump()
	l.a.want(t, "a")
	idle(t, l)
}

func TestStopLetsTheHandlerFinish(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	id := l.open(t, "r", "")
	l.b.events()
	l.a.s.Stop(id, "enough")
	l.pump()
	l.b.want(t, "b", `stop 1 CANCELLED "enough"`)
	l.b.s.End(id, []byte("last"), true)
	l.pump()
	l.a.want(t, "a", `end 1 OK items=1 "last"`)
	idle(t, l)
}

func TestDeadlineOnBothSides(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	o := muxwire.Open{Route: []byte("r"), HasDeadline: true, Deadline: 50}
	id, _, err := l.a.s.Open(&o, 0, l.now+50*time.Millisecond, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.pump()
	l.b.events()
	for _, e := range []*end{l.a, l.b} {
		if due := e.s.NextTick(); due != l.now+50*time.Millisecond {
			t.Errorf("tick due in %v", due-l.now)
		}
	}
	l.now += 50 * time.Millisecond
	l.a.tick(l.now)
	l.b.tick(l.now)
	l.pump()
	l.a.want(t, "a", `end 1 DEADLINE by=LOCAL phase=MAYBE items=0 "the deadline has passed"`)
	l.b.want(t, "b", `cancel 1 DEADLINE "the deadline has passed"`)
	l.b.s.End(id, nil, false)
	l.pump()
	idle(t, l)
}

func TestDrainAndGoAway(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	first := l.open(t, "r", "")
	l.b.s.Drain(5*time.Second, "update")
	l.pump()
	l.a.want(t, "a", `drain DRAINING left=5000ms "update"`)
	l.b.s.GoAway("update")
	// A call that crosses the notice is not started, and says so.
	if _, _, err := l.a.s.Open(&muxwire.Open{Route: []byte("late")}, 0, 0, nil); err != nil {
		t.Fatal(err)
	}
	l.pump()
	l.a.want(t, "a", `goaway DRAINING "update"`, `end 3 DRAINING by=PEER phase=NOT_STARTED items=0 "update"`)
	if _, _, err := l.a.s.Open(&muxwire.Open{Route: []byte("r")}, 0, 0, nil); err == nil || err.(*mux.Refusal).Code != muxwire.CodeDraining {
		t.Errorf("a call after GOAWAY: %v", err)
	}
	l.b.s.End(first, []byte("x"), true)
	l.pump()
	l.a.want(t, "a", `end 1 OK items=1 "x"`)
	idle(t, l)
}

func TestPingFindsADeadPeer(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	l.open(t, "r", "")
	l.a.events()
	for _, d := range []time.Duration{3 * time.Second, 6 * time.Second} {
		if due := l.a.s.NextTick() - l.now; due != d {
			t.Fatalf("tick due in %v, want %v", due, d)
		}
		l.now += d
		l.a.tick(l.now)
		l.a.take() // lost
	}
	if e, ok := l.a.err.(*mux.ConnError); !ok || e.Code != muxwire.CodePeerLost {
		t.Fatalf("after 9 s of silence: %v", l.a.err)
	}
	l.a.note(l.a.s.Abort(l.a.s.Err(), nil))
	l.a.want(t, "a", `end 1 PEER_LOST by=LOCAL phase=MAYBE items=0 "no sign of life from the peer for 9s"`)
}

func TestPingKeepsALivingPeer(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	l.open(t, "r", "")
	for range 20 {
		l.now += 3 * time.Second
		l.a.tick(l.now)
		l.b.tick(l.now)
		l.pump()
	}
	if l.a.err != nil || l.b.err != nil {
		t.Error(l.a.err, l.b.err)
	}
}
