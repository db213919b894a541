package codectest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/codec"
)

// Codec gives the tests access to one message type through closures over one
// value of it. A Codec is for one goroutine.
type Codec struct {
	Name      string
	Frame     bool // finds its own end: a truncated one wants more
	Canonical bool // every accepted input encodes to itself
	// Reset sets the value to its zero value.
	Reset func()
	// Decode decodes into the value.
	Decode func(b []byte) (int, error)
	// Append encodes the value.
	Append func(dst []byte) ([]byte, error)
	// Head is AppendHead; nil when the type has none.
	Head func(dst []byte) (head, tail []byte, err error)
	Size func() int
	// Len is the length function of a frame; nil for a struct.
	Len func(b []byte) (n, need int, err error)
	// Clone replaces the value by its clone.
	Clone func()
	// Text is String.
	Text func() string
}

// Vector is an example from the spec.
type Vector struct {
	Codec Codec
	Hex   string
	// Set sets the value to what an accept vector says; nil when it says nothing.
	Set func()
	// Kind and Offset are what a reject vector expects: the zero Kind stands for
	// Need, an Offset below 0 for any.
	Reject bool
	Kind   codec.Kind
	Offset int
}

// Run tests one vector.
func (v Vector) Run(t *testing.T) {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(v.Hex, " ", ""))
	if err != nil {
		t.Fatalf("hex of the vector: %v", err)
	}
	if v.Reject {
		v.reject(t, b)
		return
	}
	if _, err := Check(v.Codec, b); err != nil {
		t.Fatal(err)
	}
	v.Codec.Reset()
	n, err := v.Codec.Decode(b)
	if err != nil || n != len(b) {
		t.Fatalf("Decode(%x) = %d, %v; want %d, nil", b, n, err, len(b))
	}
	if v.Set == nil {
		return
	}
	got := v.Codec.Text()
	v.Set()
	if want := v.Codec.Text(); got != want {
		t.Errorf("decoded %s\nwant    %s", got, want)
	}
	out, err := v.Codec.Append(nil)
	if err != nil || !bytes.Equal(out, b) {
		t.Errorf("Append = %x, %v\nwant     %x", out, err, b)
	}
}

func (v Vector) reject(t *testing.T, b []byte) {
	t.Helper()
	n, err := v.Codec.Decode(b)
	var need codec.Need
	if v.Kind == 0 {
		if !errors.As(err, &need) {
			t.Fatalf("Decode(%x) = %d, %v; want Need", b, n, err)
		}
		return
	}
	var e *codec.Error
	if !errors.As(err, &e) {
		t.Fatalf("Decode(%x) = %d, %v; want %v", b, n, err, v.Kind)
	}
	if e.Kind != v.Kind || v.Offset >= 0 && e.Offset != v.Offset {
		t.Errorf("Decode(%x): %v\nwant %v at %d", b, e, v.Kind, v.Offset)
	}
}

// Truncations tests every cut of the valid encoding b: each gets Need or an Error,
// and a frame never succeeds early.
func Truncations(t *testing.T, c Codec, b []byte) {
	t.Helper()
	for i := range b {
		cut := append(make([]byte, 0, i), b[:i]...)
		if err := answer(c, cut, c.Frame); err != nil {
			t.Fatalf("%s cut at %d of %d: %v", c.Name, i, len(b), err)
		}
	}
}

// Damage decodes b with every single byte changed in a few ways and checks the
// properties of whatever is still accepted.
func Damage(t *testing.T, c Codec, b []byte) {
	t.Helper()
	in := make([]byte, len(b))
	step := max(1, len(b)/256)
	for i := 0; i < len(b); i += step {
		for _, x := range []byte{0x01, 0x80, 0xff} {
			copy(in, b)
			in[i] ^= x
			if _, err := Check(c, in); err != nil {
				t.Fatalf("byte %d changed by %#x: %v", i, x, err)
			}
		}
	}
}

// Allocs fails t when encoding or decoding b allocates once the slices inside the
// value have grown.
func Allocs(t *testing.T, c Codec, b []byte) {
	t.Helper()
	if raceEnabled {
		return
	}
	c.Reset()
	if _, err := c.Decode(b); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { _, _ = c.Decode(b) }); n != 0 {
		t.Errorf("%s: Decode allocates %v times", c.Name, n)
	}
	dst := make([]byte, 0, len(b)+64)
	if n := testing.AllocsPerRun(20, func() { _, _ = c.Append(dst) }); n != 0 {
		t.Errorf("%s: Append allocates %v times", c.Name, n)
	}
	if c.Head != nil {
		if n := testing.AllocsPerRun(20, func() { _, _, _ = c.Head(dst) }); n != 0 {
			t.Errorf("%s: AppendHead allocates %v times", c.Name, n)
		}
	}
	if c.Len != nil {
		if n := testing.AllocsPerRun(20, func() { _, _, _ = c.Len(b) }); n != 0 {
			t.Errorf("%s: the length function allocates %v times", c.Name, n)
		}
	}
}
