package mux_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// exchange is what a peer sends to a session in one scripted exchange: hello, then
// the rest. setup runs when the session is ready.
type exchange struct {
	name        string
	role        mux.Role
	hello, rest []byte
	setup       func(s *mux.Session)
}

// exchanges returns one exchange for each role, with or without checksums.
func exchanges(t *testing.T, sums bool) []exchange {
	asked := []string{
		"OPEN stream=1 FIN arg=2 route=echo payload=hi",
		"OPEN stream=3 FIN MORE arg=9 deadline=5000 payload=abc",
		"DATA stream=3 MORE data=def",
		"CREDIT stream=1 arg=20 bytes=9000",
		"DATA stream=3 data=ghi",
		"STOP stream=1 arg=CANCELLED why=enough",
		"PING cookie=7", "200 data=grease",
		"OPEN stream=5 FIN route=nowhere",
		"RESET stream=1 arg=CANCELLED why=now",
		"CREDIT stream=1 arg=30 bytes=9500",
		"DRAIN arg=5000 code=DRAINING why=update",
		"MAX_STREAMS arg=300",
		"GOAWAY arg=0 code=DRAINING why=update",
	}
	answered := []string{
		"ACCEPT stream=1 arg=3", "STARTED stream=3", "DATA stream=1 data=one", "DATA stream=1 arg=1",
		"DATA stream=1 arg=2 MORE data=th", "DATA stream=3 data=x", "DATA stream=1 arg=2 data=ree",
		"END stream=1 ITEM arg=4 bytes=12 data=four", "REFUSE stream=5 code=OVERLOADED retry=20 why=full",
		"PING cookie=7", "END stream=3 TEXT code=HANDLER arg=1 bytes=1 origin=3 data=broken",
		"RESET stream=7 arg=DEADLINE phase=2 why=late", "DATA stream=7 data=late",
	}
	open4 := func(s *mux.Session) {
		for range 4 {
			if _, _, err := s.Open(&muxwire.Open{Route: []byte("r")}, 0, 0, nil); err != nil {
				t.Error(err)
			}
		}
	}
	return []exchange{
		{"asked", mux.Accepter, hello(t, sums), lines(t, sums, asked), func(*mux.Session) {}},
		{"answered", mux.Dialer, hello(t, sums), lines(t, sums, answered), open4},
	}
}

// hello is a peer's preface and HELLO.
func hello(t *testing.T, sums bool) []byte {
	p := muxwire.Preface{MinVersion: 1, MaxVersion: 1}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := muxwire.Frame{Type: muxwire.FrameTypeHello}
	f.Body.Hello = muxwire.Hello{MaxBody: 65536, MaxMessage: 1 << 20, MaxStreams: 100, WindowBytes: 4096, WindowItems: 8}
	if sums {
		f.Body.Hello.Features = muxwire.FeaturesChecksum
	}
	if b, err = f.Append(b, true); err != nil {
		t.Fatal(err)
	}
	return b
}

// lines encodes frames that are written as in scenarios.
func lines(t *testing.T, sums bool, frames []string) []byte {
	var b []byte
	sc := &script{t: t, peer: sums}
	for _, line := range frames {
		words, err := split(line)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, sc.encode(&args{t: t, line: line, words: words})...)
	}
	return b
}

// feed plays the exchange in pieces and returns everything that happened: events,
// error and output.
func (x *exchange) feed(pieces ...[]byte) string {
	const now = time.Hour
	e := newEnd(mux.Config{Role: x.role, WindowBytes: 4096, WindowItems: 8}, now)
	e.receive(now, x.hello)
	x.setup(e.s)
	for _, p := range pieces {
		e.receive(now, p)
	}
	out := e.take()
	return fmt.Sprintf("%s\nerror %v\n%d bytes, SHA-256 %x, %+v", strings.Join(e.events(), "\n"), e.err, len(out), sha256.Sum256(out), e.s.Stats())
}

// Every split of the bytes into two, and into equal pieces of each size, gives the
// same events and the same output.
func TestEverySplitOfAnExchange(t *testing.T) {
	for _, sums := range []bool{false, true} {
		for _, x := range exchanges(t, sums) {
			want := x.feed(x.rest)
			if !strings.Contains(want, "error <nil>") {
				t.Fatalf("%s: %s", x.name, want)
			}
			for cut := range len(x.rest) {
				if got := x.feed(x.rest[:cut], x.rest[cut:]); got != want {
					t.Fatalf("%s, cut at %d:\n%s\nwant\n%s", x.name, cut, got, want)
				}
			}
			for size := 1; size < 64; size++ {
				if got := x.feed(slices.Collect(slices.Chunk(x.rest, size))...); got != want {
					t.Fatalf("%s, pieces of %d:\n%s\nwant\n%s", x.name, size, got, want)
				}
			}
		}
	}
}

// The greeting itself, split everywhere.
func TestEverySplitOfTheGreeting(t *testing.T) {
	b := hello(t, true)
	for cut := range len(b) {
		e := newEnd(mux.Config{}, time.Hour)
		e.receive(time.Hour, b[:cut])
		e.receive(time.Hour, b[cut:])
		e.want(t, fmt.Sprintf("cut at %d", cut), "ready")
	}
}

// A connection that breaks at any byte gives each call exactly one end, and a clean
// one only to calls whose END was there.
func TestEveryTruncationOfAnExchange(t *testing.T) {
	for _, x := range exchanges(t, true) {
		whole := len(x.rest)
		for cut := range whole + 1 {
			e := newEnd(mux.Config{Role: x.role, WindowBytes: 4096, WindowItems: 8}, time.Hour)
			e.receive(time.Hour, x.hello)
			x.setup(e.s)
			e.receive(time.Hour, x.rest[:cut])
			if e.err != nil {
				t.Fatalf("%s, cut at %d: %v", x.name, cut, e.err)
			}
			e.note(e.s.Abort(&mux.ConnError{Code: muxwire.CodeTransport, Reason: "cut"}, nil))
			ends := map[uint32]int{}
			for _, ev := range e.evs {
				if ev.Kind == mux.EvEnd {
					ends[ev.ID]++
				}
			}
			if x.role == mux.Dialer && len(ends) != 4 {
				t.Fatalf("cut at %d: ends %v, want one for each of 4 calls", cut, ends)
			}
			for id, n := range ends {
				if n != 1 {
					t.Fatalf("%s, cut at %d: call %d ended %d times", x.name, cut, id, n)
				}
			}
			idle(t, &link{a: &end{s: e.s}, b: &end{s: e.s}})
		}
	}
}

// mux-sum-1: with checksums every single bit that flips is found, and nothing behind
// it is believed; what happened before it stands.
func TestEveryFlippedBitIsFound(t *testing.T) {
	for _, x := range exchanges(t, true) {
		want, _, _ := strings.Cut(x.feed(x.rest), "\nerror")
		for i := range x.rest {
			for bit := range 8 {
				if testenv.Race && bit != i%8 {
					continue // all of them in a build that is not ten times slower
				}
				b := bytes.Clone(x.rest)
				b[i] ^= 1 << bit
				got, rest, _ := strings.Cut(x.feed(b), "\nerror")
				if !strings.HasPrefix(want, got) || !strings.HasPrefix(rest, " mux: connection error CHECKSUM (LOCAL)") {
					t.Fatalf("%s, bit %d of byte %d: %s\nerror%s", x.name, bit, i, got, rest)
				}
			}
		}
	}
}

// Without checksums a flipped bit never does worse than end the connection.
func TestEveryFlippedBitIsSurvived(t *testing.T) {
	for _, x := range exchanges(t, false) {
		for i := range x.rest {
			for bit := range 8 {
				if testenv.Race && bit != i%8 {
					continue
				}
				b := bytes.Clone(x.rest)
				b[i] ^= 1 << bit
				x.feed(b)
			}
		}
	}
}

// wreck is input that no session takes.
type wreck struct {
	name  string
	input []byte
	code  muxwire.Code
}

func wrecks(t *testing.T) []wreck {
	greeting := hello(t, true)
	after := func(b ...byte) []byte { return append(bytes.Clone(greeting), b...) }
	long := lines(t, true, []string{"200 data=x*65536", "200 data=x*65536", "200 data=x*131073"})
	broken := bytes.Clone(long[:20])
	broken[0] = 0xff
	return []wreck{
		{"a wrong magic", []byte("\xf7WP2\x01\x01\x00\x00"), muxwire.CodeProtocol},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), muxwire.CodeProtocol},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), muxwire.CodeProtocol},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), muxwire.CodeProtocol},
		{"zeros", make([]byte, 64), muxwire.CodeProtocol},
		{"versions 2 to 9", []byte("\xf7WP1\x02\x09\x00\x00"), muxwire.CodeUnsupported},
		{"garbage behind the greeting", after(pattern(100)...), muxwire.CodeChecksum},
		{"a greeting twice", after(greeting...), muxwire.CodeChecksum},
		// mux-size-1: a body above max_body is refused at its header, 20 bytes are enough.
		{"a body above the limit", after(long[2*65556 : 2*65556+20]...), muxwire.CodeTooLarge},
		// mux-sum-1: a length is not believed before its header is verified.
		{"a length that is wrong", after(broken...), muxwire.CodeChecksum},
		{"HELLO cut short by a frame", append(bytes.Clone(greeting[:40]), greeting...), muxwire.CodeChecksum},
	}
}

// Whatever is wrong with the bytes, whole or one at a time: one GOAWAY with the
// right code, then nothing more.
func TestBadBytesEndTheConnectionOnce(t *testing.T) {
	for _, w := range wrecks(t) {
		for _, size := range []int{1, 7, 1 << 20} {
			e := newEnd(mux.Config{Role: mux.Accepter}, time.Hour)
			for piece := range slices.Chunk(w.input, size) {
				e.receive(time.Hour, piece)
			}
			var ce *mux.ConnError
			if !errors.As(e.err, &ce) || ce.Code != w.code {
				t.Errorf("%s in pieces of %d: %v, want %s", w.name, size, e.err, w.code)
				continue
			}
			e.s.Drain(time.Second, "no")
			e.s.GoAway("no")
			if n := goaways(t, e); n != 1 {
				t.Errorf("%s in pieces of %d: %d GOAWAY", w.name, size, n)
			}
		}
	}
}

// goaways counts the GOAWAY frames behind the greeting that e sent, and requires
// that nothing comes after the first.
func goaways(t *testing.T, e *end) (n int) {
	t.Helper()
	e.take()
	b := e.sent[mux.PrefaceBytes:]
	for first := true; len(b) > 0; first = false {
		var f muxwire.Frame
		size, err := f.Decode(b, nil, first || e.s.Checksums())
		if err != nil {
			t.Fatalf("sent %x: %v", b, err)
		}
		if n > 0 {
			t.Errorf("%s behind GOAWAY", f.Type)
		}
		if f.Type == muxwire.FrameTypeGoaway {
			n++
		}
		b = b[size:]
	}
	return n
}
