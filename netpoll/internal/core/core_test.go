package core_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// rig is a connection whose events and transport are played by the test, on one goroutine.
type rig struct {
	tb   testing.TB
	conn core.Conn
	sh   core.Shared

	onData   func(b []byte) (int, error)
	output   func() []byte
	drained  int
	closed   int
	closeErr error

	kicks int // posted flushes not run yet
	shuts int
	armed bool
	room  int // bytes the kernel takes before it refuses
	sent  []byte
}

func newRig(tb testing.TB, limits core.Limits) *rig {
	r := &rig{tb: tb, room: 1 << 30}
	r.sh.Limits = limits
	r.conn.Init(r, &r.sh)
	r.conn.Bind(r, true)
	r.conn.Opened()
	r.conn.RunDue()
	return r
}

var limits = core.Limits{MaxUnread: 1 << 20, HighWater: 4096, LowWater: 1024, MaxQueue: 16384}

func (r *rig) Opened() {}

func (r *rig) Data(b []byte) (int, error) {
	if r.onData == nil {
		return len(b), nil
	}
	return r.onData(b)
}

func (r *rig) Output() []byte {
	if r.output == nil {
		return nil
	}
	return r.output()
}

func (r *rig) Drained() { r.drained++ }

func (r *rig) Closed(err error) {
	r.closed++
	r.closeErr = err
}

func (r *rig) Kick()        { r.kicks++ }
func (r *rig) Shut(bool)    { r.shuts++ }
func (r *rig) Stalled()     {}
func (r *rig) Unacked() int { return 0 }

func (r *rig) Arm() error {
	r.armed = true
	return nil
}

func (r *rig) WriteSome(p []byte) (int, error) {
	if len(p) == 0 {
		r.tb.Error("write of nothing")
	}
	n := min(len(p), r.room)
	r.sent = append(r.sent, p[:n]...)
	if r.room -= n; n < len(p) {
		return n, core.ErrWouldBlock
	}
	return n, nil
}

// settle lets the kernel take everything and runs what was posted, as a driver would.
func (r *rig) settle() {
	r.room = 1 << 30
	for r.kicks > 0 || r.armed {
		if r.armed {
			r.armed = false
			r.conn.Resume()
			continue
		}
		r.kicks--
		r.conn.RunDue()
	}
}

func TestFirstCauseIsReportedOnce(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	r := newRig(t, limits)
	r.conn.CloseWith(first)
	r.conn.CloseWith(second)
	r.conn.Drain(second)
	if r.shuts != 1 {
		t.Errorf("shut %d times", r.shuts)
	}
	r.conn.Finish(second)
	if r.closed != 1 || r.closeErr != first {
		t.Errorf("closed %d times with %v", r.closed, r.closeErr)
	}
}

func TestDrainClosesWhenEverythingIsTaken(t *testing.T) {
	r := newRig(t, limits)
	r.room = 100
	if err := r.conn.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	r.conn.RunDue()
	r.conn.Drain(nil)
	if r.shuts != 0 || !r.armed {
		t.Fatalf("shut %d times before the kernel took everything", r.shuts)
	}
	r.settle()
	if r.shuts != 1 || len(r.sent) != 5000 {
		t.Errorf("shut %d times, %d bytes sent", r.shuts, len(r.sent))
	}
}

func TestSpentBudgetLetsOthersRun(t *testing.T) {
	r := newRig(t, limits)
	piece := make([]byte, 64<<10)
	r.output = func() []byte { return piece }
	r.conn.FlushNow()
	if !r.armed {
		t.Fatal("a producer without end keeps the loop")
	}
	if len(r.sent) > 4<<20 {
		t.Errorf("%d bytes in one go", len(r.sent))
	}
}

func TestWakeDuringFlushIsNotLost(t *testing.T) {
	r := newRig(t, limits)
	calls := 0
	r.output = func() []byte {
		switch calls++; calls {
		case 1:
			r.conn.Wake() // whatever it announces was not there when this call looked
			return nil
		case 2:
			return []byte("late")
		}
		return nil
	}
	r.conn.FlushNow()
	if string(r.sent) != "late" {
		t.Errorf("sent %q", r.sent)
	}
}

func TestWakesInsideDataCostNoKick(t *testing.T) {
	r := newRig(t, limits)
	r.onData = func(b []byte) (int, error) {
		for range 100 {
			r.conn.Wake()
			r.conn.FlushNow()
			if err := r.conn.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
		return len(b), nil
	}
	r.conn.Feed([]byte("in"))
	if r.kicks != 0 || len(r.sent) != 0 {
		t.Errorf("%d kicks, %d bytes sent inside OnData", r.kicks, len(r.sent))
	}
	if !r.conn.Due() {
		t.Fatal("nothing due afterwards")
	}
	r.conn.RunDue()
	if len(r.sent) != 100 {
		t.Errorf("%d bytes sent", len(r.sent))
	}
}

func TestDrainedComesOncePerEpisode(t *testing.T) {
	r := newRig(t, limits)
	for episode := 1; episode <= 3; episode++ {
		r.room = 0
		for range 10 {
			if err := r.conn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		r.settle()
		if r.drained != episode {
			t.Fatalf("episode %d: Drained ran %d times", episode, r.drained)
		}
	}
}

func TestCopyingEndsWithTheStraddlingFrame(t *testing.T) {
	r := newRig(t, limits)
	const frame = 100
	var last []byte
	r.onData = func(b []byte) (int, error) {
		last = b
		return len(b) / frame * frame, nil
	}
	read := make([]byte, 64<<10)
	for range 10 { // 64 KiB is no multiple of the frame: each read but the first completes one of the read before
		r.conn.Feed(read)
		if &last[len(last)-1] != &read[len(read)-1] {
			t.Fatal("the end of the read was copied before it was presented")
		}
	}
}

func TestLastTryWritesWhatIsDue(t *testing.T) {
	r := newRig(t, limits)
	if err := r.conn.Write([]byte("queued")); err != nil {
		t.Fatal(err)
	}
	r.room = 4
	r.conn.LastTry()
	if string(r.sent) != "queu" {
		t.Errorf("sent %q", r.sent)
	}
	r.conn.Finish(nil)
	r.conn.LastTry()
	r.settle()
	if string(r.sent) != "queu" {
		t.Errorf("sent %q after the end", r.sent)
	}
}

// FuzzFeed cuts a script into reads and has a handler consume it in records whose sizes come from the script. Whatever
// the cuts, the handler must see every byte in order, and after each read all bytes read so far.
func FuzzFeed(f *testing.F) {
	f.Add([]byte{3, 'a', 'b', 'c', 0, 1, 'x'}, []byte{1, 1, 2})
	f.Add(slices.Repeat([]byte{200}, 2000), []byte{255, 1, 7})
	f.Add(slices.Repeat([]byte{5}, 20_000), []byte{0, 0, 9, 255, 255})
	f.Fuzz(func(t *testing.T, script, cuts []byte) {
		script = script[:min(len(script), 8192)]
		r := newRig(t, limits)
		consumed, seen := 0, 0
		r.onData = func(b []byte) (int, error) {
			if consumed+len(b) > len(script) || !slices.Equal(b, script[consumed:consumed+len(b)]) {
				t.Fatalf("at %d: presented bytes are not the script's", consumed)
			}
			if consumed+len(b) <= seen {
				t.Fatalf("at %d: called without a new byte", consumed)
			}
			seen = consumed + len(b)
			n := 0
			for n < len(b) && n+1+int(b[n])*16 <= len(b) {
				n += 1 + int(b[n])*16
			}
			consumed += n
			return n, nil
		}
		fed := 0
		for i := 0; fed < len(script); i++ {
			step := len(script) - fed
			if len(cuts) > 0 {
				step = min(step, 1+int(cuts[i%len(cuts)])*37)
			}
			read := slices.Clone(script[fed : fed+step])
			r.conn.Feed(read)
			clear(read) // the read buffer is used again
			if fed += step; seen != fed {
				t.Fatalf("%d bytes read, %d presented", fed, seen)
			}
		}
	})
}

// FuzzFlush runs a program of writes, wake-ups, kernel room and driver calls against a model that only appends. The
// bytes must arrive in order, the queue must keep its bound, and when the driver has run what it was asked to run,
// nothing may be left: no wake-up is lost.
func FuzzFlush(f *testing.F) {
	f.Add([]byte{0, 10, 1, 3, 2, 200, 3, 4, 5})
	f.Add([]byte{0, 255, 0, 255, 2, 1, 3, 0, 6, 9, 4, 3, 4})
	f.Fuzz(func(t *testing.T, program []byte) {
		r := newRig(t, limits)
		var queued, produced []byte // what is owed by Write and by the handler's own output, in order
		next := byte(0)
		bytes := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = next
				next++
			}
			return b
		}
		var want []byte
		r.output = func() []byte {
			if len(queued) != 0 {
				want = append(want, queued...)
				queued = nil
			}
			out := produced
			want = append(want, out...)
			produced = nil
			return out
		}
		program = program[:min(len(program), 2000)]
		for i := 0; i+1 < len(program); i += 2 {
			arg := int(program[i+1])
			switch program[i] % 7 {
			case 0:
				p := bytes(1 + arg*17)
				before := r.conn.Queued()
				err := r.conn.Write(p)
				if fits := before+len(p) <= limits.MaxQueue; fits != (err == nil) {
					t.Fatalf("write of %d onto %d: %v", len(p), before, err)
				}
				if err == nil {
					queued = append(queued, p...)
				}
			case 1:
				produced = append(produced, bytes(arg)...)
				r.conn.Wake()
			case 2:
				r.room = arg * 29
			case 3:
				if r.kicks > 0 {
					r.kicks--
					r.conn.RunDue()
				}
			case 4:
				if r.armed {
					r.armed = false
					r.conn.Resume()
				}
			case 5:
				r.conn.FlushNow()
			case 6:
				r.conn.Feed(bytes(1 + arg))
				if r.conn.Due() {
					r.conn.RunDue()
				}
			}
			if q := r.conn.Queued(); q < 0 || q > limits.MaxQueue {
				t.Fatalf("%d bytes queued", q)
			}
		}
		r.settle()
		want = append(want, queued...)
		if len(produced) != 0 || r.conn.Queued() != 0 {
			t.Fatalf("left behind: %d produced, %d queued", len(produced), r.conn.Queued())
		}
		if !slices.Equal(r.sent, want) {
			t.Fatalf("sent %d bytes, want %d, or in another order", len(r.sent), len(want))
		}
	})
}
