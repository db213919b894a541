package mux_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// code returns the code of a connection error.
func code(err error) muxwire.Code {
	var e *mux.ConnError
	if errors.As(err, &e) {
		return e.Code
	}
	return muxwire.CodeOk
}

// Of 364 streams the readers of 300 never read: the 64 others get every item, and
// what lies unread stays within the budget.
func TestStalledStreamsDoNotStopTheirSiblings(t *testing.T) {
	const streams, stalled, items = 364, 300, 120
	const budget = 8 << 20
	l := newLink(t, mux.Config{MemoryBudget: budget, MaxStreams: 512}, mux.Config{})
	got := make(map[uint32]int)
	var ids []uint32
	for range streams {
		ids = append(ids, l.open(t, "r", ""))
	}
	l.b.events()
	sent := make(map[uint32]int)
	item := pattern(1 << 10)
	for round, left := 0, (streams-stalled)*items; left > 0; round++ {
		if round > items*4 {
			t.Fatalf("%d items of the siblings never came", left)
		}
		for _, id := range ids {
			if sent[id] < items {
				if _, done, err := l.b.s.Send(id, item, 0); err != nil {
					t.Fatal(err)
				} else if done {
					sent[id]++
				}
			}
		}
		l.pump()
		unread := 0
		for _, ev := range l.a.evs {
			if ev.Kind != mux.EvItem {
				continue
			}
			if got[ev.ID]++; ev.ID > 2*stalled {
				l.a.s.Consume(ev.ID, uint64(len(ev.Data)), 1)
				left--
			}
		}
		l.a.evs = nil
		for _, id := range ids[:stalled] {
			unread += got[id] << 10
		}
		granted, _ := l.a.s.Granted()
		if granted > budget || int64(unread) > granted {
			t.Fatalf("round %d: %d bytes unread, %d granted of %d", round, unread, granted, budget)
		}
	}
	t.Logf("stalled streams hold %d items each at most", got[ids[0]])
}

// mux-budget-2: with the budget handed out to the last byte, no stream starves,
// however its reader reads.
func TestNoStreamStarvesWhenTheBudgetIsUsedUp(t *testing.T) {
	const streams, total = 16, 200 << 10
	l := newLink(t, mux.Config{MemoryBudget: streams * 4096, WindowBytes: 4096, MaxStreams: streams}, mux.Config{})
	rnd := rand.New(rand.NewPCG(1, 2))
	sent, unread := map[uint32]int{}, map[uint32]int{}
	var ids []uint32
	for range streams {
		ids = append(ids, l.open(t, "r", ""))
	}
	if _, _, err := l.a.s.Open(&muxwire.Open{Route: []byte("r")}, 0, 0, nil); err == nil {
		t.Error("a call was opened beyond the budget")
	}
	for round := 0; len(ids) > 0; round++ {
		if round > 100000 {
			t.Fatalf("%d streams never finished: %v", len(ids), sent)
		}
		id := ids[rnd.IntN(len(ids))]
		item := pattern(1 + rnd.IntN(3000))
		if n, done, _ := l.b.s.Send(id, item, 0); !done {
			sendRest(t, l, id, item, n)
		}
		sent[id] += len(item)
		l.pump()
		for _, ev := range l.a.evs {
			if ev.Kind == mux.EvItem {
				unread[ev.ID] += len(ev.Data)
			}
		}
		l.a.evs = nil
		if n := rnd.IntN(unread[id] + 1); n > 0 {
			l.a.s.Consume(id, uint64(n), 1)
			unread[id] -= n
		}
		if g, _ := l.a.s.Granted(); g > streams*4096 {
			t.Fatalf("%d bytes granted", g)
		}
		if sent[id] > total {
			l.b.s.End(id, nil, false)
			ids = without(ids, id)
			l.a.s.Consume(id, uint64(unread[id]), 1)
			l.pump()
		}
	}
	idle(t, l)
}

func without(ids []uint32, id uint32) []uint32 {
	for i := range ids {
		if ids[i] == id {
			return append(ids[:i:i], ids[i+1:]...)
		}
	}
	return ids
}

// sendRest sends what is left of an item for whose credit the stream waits, while
// its reader reads all there is.
func sendRest(t *testing.T, l *link, id uint32, item []byte, off int) {
	t.Helper()
	for tries := 0; ; tries++ {
		n, done, err := l.b.s.Send(id, item, off)
		if err != nil || tries > 100 {
			t.Fatalf("stream %d stuck at %d of %d: %v", id, n, len(item), err)
		}
		if done {
			return
		}
		off = n
		l.pump()
		l.a.s.Consume(id, 1<<20, 1000) // more than there is counts as all
		l.pump()
	}
}

// mux-queue-1: a peer that never reads costs a bounded queue: items wait for room,
// ends are short, and questions that want answers end the connection.
func TestPeerThatNeverReads(t *testing.T) {
	const high, hard = 16 << 10, 256 << 10
	l := newLink(t, mux.Config{WindowBytes: 1 << 20, MemoryBudget: 1 << 30}, mux.Config{OutputHigh: high, OutputHard: hard, MaxStreams: 512})
	var ids []uint32
	for range 500 {
		ids = append(ids, l.open(t, "r", ""))
	}
	for _, id := range ids {
		for range 10 {
			_, _, _ = l.b.s.Send(id, pattern(4096), 0)
		}
	}
	if q := l.b.s.Queued(); q > high+4096+mux.HeaderBytes {
		t.Errorf("items: %d bytes queued, %d is high water", q, high)
	}
	for i, id := range ids {
		switch i % 3 {
		case 0:
			l.b.s.End(id, pattern(4096), true)
		case 1:
			l.b.s.Fail(id, muxwire.CodeHandler, muxwire.OriginApp, strings.Repeat("x", 5000))
		case 2:
			l.b.s.Refuse(id, muxwire.CodeOverloaded, 0, 0, "full")
		}
	}
	if q := l.b.s.Queued(); q > hard {
		t.Errorf("ends: %d bytes queued, %d is the hard limit", q, hard)
	}
	if l.b.err != nil || l.b.s.Err() != nil {
		t.Error(l.b.err, l.b.s.Err())
	}
	// The peer goes on opening calls whose refusals it does not read.
	f := muxwire.Frame{Type: muxwire.FrameTypeOpen, Flags: muxwire.FrameFlagsFin}
	f.Body.Open.Route = []byte("nowhere")
	for i := range uint32(100000) {
		f.Stream = 1001 + 2*i
		b, err := f.Append(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if l.b.receive(l.now, b); l.b.err != nil {
			break
		}
	}
	if q := l.b.s.Queued(); code(l.b.err) != muxwire.CodeFlood || q > hard+1024 {
		t.Errorf("opens: %d bytes queued, %v", q, l.b.err)
	}
}

// A caller whose peer does not read is told to wait, and to go on once it may.
func TestOpenWaitsWhileNothingIsRead(t *testing.T) {
	const hard = 64 << 10
	l := newLink(t, mux.Config{OutputHigh: 4 << 10, OutputHard: hard}, mux.Config{})
	o := muxwire.Open{Route: []byte("r"), Payload: pattern(5000)}
	n := 0
	var err error
	for ; err == nil; n++ {
		_, _, err = l.a.s.Open(&o, 0, 0, n)
	}
	var r *mux.Refusal
	if !errors.As(err, &r) || !r.Wait || l.a.s.Queued() > hard || l.a.s.Err() != nil {
		t.Fatalf("after %d calls: %v, %d bytes queued", n, err, l.a.s.Queued())
	}
	l.pump()
	if due := l.a.s.NextTick(); due > l.now {
		t.Errorf("nobody says that calls may be opened until %v", due-l.now)
	}
	l.a.tick(l.now)
	l.a.want(t, "a", "can-open")
	if _, _, err := l.a.s.Open(&o, 0, 0, n); err != nil {
		t.Error(err)
	}
}

// mux-slot-1: opening and resetting gives a peer no more running handlers than its
// slots; one call more ends the connection.
func TestRapidReset(t *testing.T) {
	const slots = 50
	l := newLink(t, mux.Config{}, mux.Config{MaxStreams: slots})
	running := 0
	var f muxwire.Frame
	f.Body.Open.Route = []byte("r")
	for i := 0; l.b.err == nil && i < 1000; i++ {
		f.Type, f.Flags, f.Stream, f.Arg = muxwire.FrameTypeOpen, muxwire.FrameFlagsFin, uint32(2*i+1), 0
		b, _ := f.Append(nil, true)
		f.Type, f.Flags, f.Arg = muxwire.FrameTypeReset, 0, uint32(muxwire.CodeCancelled)
		b, _ = f.Append(b, true)
		l.b.receive(l.now, b)
	}
	for _, ev := range l.b.evs {
		if ev.Kind == mux.EvRequest {
			running++
		}
	}
	if code(l.b.err) != muxwire.CodeFlood || running != slots {
		t.Errorf("%d handlers of %d allowed, %v", running, slots, l.b.err)
	}
}

// mux-late-2: frames for calls that are over are taken as often as they are
// explained, then they end the connection.
func TestFloodOfLateFrames(t *testing.T) {
	for _, frame := range []string{"DATA stream=1 data=x", "CREDIT stream=1 arg=1", "200 data=x", "PONG", "DRAIN code=DRAINING"} {
		t.Run(frame, func(t *testing.T) {
			sc := &script{t: t, now: time.Hour}
			sc.run("new dialer late=500")
			sc.run("open")
			sc.run("reset 1 CANCELLED enough")
			b := lines(t, false, []string{frame})
			n := 0
			for ; sc.e.err == nil && n < 1000; n++ {
				sc.e.receive(sc.now, b)
			}
			if code(sc.e.err) != muxwire.CodeFlood || n < 64 || n > 600 {
				t.Errorf("after %d: %v", n, sc.e.err)
			}
		})
	}
}

// Everybody resets everything at once: what is still on its way is explained.
func TestMassResetIsNoFlood(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	var ids []uint32
	for range 200 {
		ids = append(ids, l.open(t, "r", ""))
	}
	for _, id := range ids {
		for range 256 {
			if _, done, err := l.b.s.Send(id, []byte("t"), 0); !done || err != nil {
				break
			}
		}
	}
	for _, id := range ids {
		l.a.s.Reset(id, muxwire.CodeCancelled, "enough")
	}
	l.pump()
	if l.a.err != nil || l.b.err != nil {
		t.Error(l.a.err, l.b.err)
	}
	if late := l.a.s.Stats().Late; late < 1000 {
		t.Errorf("only %d frames were late", late)
	}
}

// Deadlines of many calls pass at once on both sides: the notices cross.
func TestMassDeadlineIsNoFlood(t *testing.T) {
	l := newLink(t, mux.Config{}, mux.Config{})
	for i := range 1000 {
		o := muxwire.Open{Route: []byte("r"), HasDeadline: true, Deadline: 100}
		if _, _, err := l.a.s.Open(&o, 0, l.now+100*time.Millisecond, nil); err != nil {
			t.Fatal(i, err)
		}
	}
	l.pump()
	l.now += 100 * time.Millisecond
	l.a.tick(l.now)
	l.b.tick(l.now)
	l.pump()
	if l.a.err != nil || l.b.err != nil {
		t.Error(l.a.err, l.b.err)
	}
	for i := range uint32(1000) {
		l.b.s.End(2*i+1, nil, false)
	}
	l.pump()
	idle(t, l)
}

// The stream ids end before they wrap.
func TestIDsRunOut(t *testing.T) {
	l := newLink(t, mux.Config{Role: mux.Dialer}, mux.Config{})
	if id := l.open(t, "r", ""); id != 1 {
		t.Errorf("first id %d", id)
	}
	id, _, err := l.b.s.Open(&muxwire.Open{Route: []byte("r")}, 0, 0, nil)
	if err != nil || id != 2 {
		t.Error(fmt.Sprint(id, err))
	}
}
