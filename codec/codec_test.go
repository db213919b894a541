package codec_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec"
)

func TestArithmeticDoesNotWrap(t *testing.T) {
	const top = math.MaxUint64
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"add", codec.Add(1, 2), 3},
		{"add at the top", codec.Add(top, 1), top},
		{"add two halves", codec.Add(1<<63, 1<<63), top},
		{"sub", codec.Sub(5, 3), 2},
		{"sub below zero", codec.Sub(3, 5), 0},
		{"mul", codec.Mul(6, 7), 42},
		{"mul beyond", codec.Mul(1<<33, 1<<33), top},
		{"div", codec.Div(7, 2), 3},
		{"div by zero", codec.Div(7, 0), top},
		{"mod", codec.Mod(7, 4), 3},
		{"mod by zero", codec.Mod(7, 0), 7},
		{"clamp", uint64(codec.Clamp(0)), 1},
		{"clamp top", uint64(codec.Clamp(top)), math.MaxInt},
		{"missing", uint64(codec.Missing(10, 4)), 6},
		{"missing none", uint64(codec.Missing(4, 10)), 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
	if _, _, err := codec.Whole(top); !errors.Is(err, &codec.Error{Kind: codec.KindLimit}) {
		t.Errorf("a frame beyond the address space: %v", err)
	}
}

func TestErrors(t *testing.T) {
	table := &codec.Error{Kind: codec.KindRange, Offset: 4, Type: "Hello", Field: "max"}
	moved := codec.Moved(table, 20)
	var e *codec.Error
	if !errors.As(moved, &e) || e.Offset != 24 || table.Offset != 4 {
		t.Fatalf("moved %v, the shared error is now at %d", moved, table.Offset)
	}
	if again := codec.Moved(moved, 6); !errors.Is(again, moved) || e.Offset != 30 {
		t.Errorf("a fresh error is moved in place: %v", again)
	}
	if n := testing.AllocsPerRun(50, func() { _ = codec.Moved(moved, 0) }); n != 0 {
		t.Errorf("moving a fresh error allocates %v times", n)
	}
	if got := codec.Moved(codec.Need(3), 9); !errors.Is(got, codec.Need(3)) {
		t.Errorf("Need moved: %v", got)
	}
	if got := codec.Inside(codec.Need(3), 20, 8, "Frame", "body"); !errors.As(got, &e) || e.Kind != codec.KindRegion || e.Offset != 28 {
		t.Errorf("a region too short: %v", got)
	}
	if got := moved.Error(); !strings.Contains(got, "Hello.max at byte 30") || !strings.Contains(got, "(Range)") {
		t.Error(got)
	}
	if errors.Is(moved, &codec.Error{Kind: codec.KindLimit}) {
		t.Error("kinds are confused")
	}
	for k := codec.KindConstant; k <= codec.KindMinimal; k++ {
		if msg := (&codec.Error{Kind: k, Type: "T"}).Error(); strings.HasPrefix(k.String(), "Kind(") || !strings.Contains(msg, "("+k.String()+")") {
			t.Errorf("kind %d: %q, %q", k, k, msg)
		}
	}
	if codec.Kind(99).String() != "Kind(99)" || !strings.Contains(codec.Need(7).Error(), "7 more bytes") {
		t.Error("texts of an unknown kind or of Need")
	}
}

func TestExtendReuses(t *testing.T) {
	s := codec.Extend([][]byte(nil), 4)
	s[3] = []byte("kept")
	s = codec.Extend(s[:0], 4)
	if string(s[3]) != "kept" {
		t.Error("elements within the capacity are dropped")
	}
	if s = codec.Extend(s, 9); len(s) != 9 || string(s[3]) != "kept" || s[8] != nil {
		t.Errorf("grown to %d: %q", len(s), s)
	}
	if s = codec.Extend(make([][]byte, 40), 64); cap(s) != 64 {
		t.Errorf("room for %d elements where 64 are the bound", cap(s))
	}
	s = codec.Extend(s[:0], 9)
	if n := testing.AllocsPerRun(20, func() { s = codec.Extend(s[:0], 9) }); n != 0 {
		t.Errorf("reuse allocates %v times", n)
	}
}

func TestBytes(t *testing.T) {
	var b [3]byte
	codec.PutBig(b[:], 0x010203)
	if b != [3]byte{1, 2, 3} {
		t.Errorf("big %x", b)
	}
	codec.PutLittle(b[:], 0x010203)
	if b != [3]byte{3, 2, 1} {
		t.Errorf("little %x", b)
	}
	if codec.Zero([]byte{0, 0, 1}) || !codec.Zero(nil) {
		t.Error("Zero")
	}
	if codec.Differs([]byte("xW"), 1, "WP") || !codec.Differs([]byte("xX"), 1, "WP") || codec.Differs(nil, 3, "WP") {
		t.Error("Differs")
	}
	if codec.Copy(nil) != nil || codec.Copy([]byte{}) == nil {
		t.Error("Copy and nil")
	}
}

func TestFlagsString(t *testing.T) {
	names := []string{"A", "", "C"}
	for v, want := range map[uint64]string{0: "0", 1: "A", 5: "A|C", 6: "C|0x2", 1 << 40: "0x10000000000"} {
		if got := codec.FlagsString(v, names); got != want {
			t.Errorf("%#x: %q, want %q", v, got, want)
		}
	}
}

// FuzzValidText holds the fast check to the standard library's.
func FuzzValidText(f *testing.F) {
	f.Add([]byte("models/llama-3/generate"))
	f.Add([]byte("grüße an die 世界"))
	f.Add([]byte{0xff})
	f.Add([]byte("12345678\x80"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for i := range min(len(b), 16) {
			if got, want := codec.ValidText(b[i:]), utf8.Valid(b[i:]); got != want {
				t.Fatalf("%x: %t, want %t", b[i:], got, want)
			}
		}
	})
}
