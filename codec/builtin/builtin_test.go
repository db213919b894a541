package builtin_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/builtin"
	"github.com/wireplane/wireplane/codec/muxwire"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"mux.Frame": "Frame", "TwoPart": "TwoPart", "dynamo.request": "Request", "hello": "Hello",
	} {
		if m, err := builtin.Find(name); err != nil || m.Name != want {
			t.Errorf("%s: %q, %v", name, m.Name, err)
		}
	}
	if _, err := builtin.Find("nothing"); err == nil || !strings.Contains(err.Error(), "mux.Preface") {
		t.Errorf("unknown name: %v", err)
	}
}

// open is an OPEN frame with an optional part, a header and a payload.
func open(t *testing.T) []byte {
	t.Helper()
	m := muxwire.Frame{Type: muxwire.FrameTypeOpen, Flags: muxwire.FrameFlagsFin, Stream: 9, Arg: 5}
	m.Body.Open = muxwire.Open{
		HasTrace: true, Trace: muxwire.Trace{ID: [16]byte{1, 2}, Span: [8]byte{3}, Sampled: 1},
		HasHeaders: true, Headers: []muxwire.Header{{Name: []byte("k"), Value: []byte("v")}},
		Route: []byte("models/generate"), Payload: []byte("hello"),
	}
	b, err := m.Append(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDumpGolden(t *testing.T) {
	frame := open(t)
	damaged := bytes.Clone(frame)
	damaged[len(damaged)-1] ^= 1
	flags := bytes.Clone(frame)
	flags[4] = 0xff
	two, err := hex.DecodeString("0000000000000002000000000000000223831b79e845e4457b7d6f6b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, msg string
		in        []byte
		args      []uint64
		n         int
	}{
		{"open", "mux.Frame", frame, []uint64{1}, len(frame)},
		{"open-damaged", "mux.Frame", damaged, []uint64{1}, 0},
		{"open-flags", "mux.Frame", flags, []uint64{1}, 0},
		{"open-cut", "mux.Frame", frame[:50], []uint64{1}, 0},
		{"open-header-cut", "mux.Frame", frame[:7], []uint64{1}, 0},
		{"http", "mux.Preface", []byte("GET / HTTP/1.1\r\n"), nil, 0},
		{"twopart", "twopart.TwoPart", append(two, "next"...), nil, len(two)},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := builtin.Find(c.msg)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			n, err := codec.Dump(&out, m, c.in, c.args)
			if err != nil || n != c.n {
				t.Errorf("%d, %v; want %d", n, err, c.n)
			}
			golden := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// Dump never fails on bytes, only on wrong arguments.
func FuzzDump(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123"))
	f.Add([]byte{0, 0, 8, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range builtin.Specs() {
			for _, m := range s.Messages {
				var out bytes.Buffer
				n, err := codec.Dump(&out, m, b, nil)
				if err != nil || n < 0 || n > len(b) {
					t.Fatalf("%s.%s: %d, %v", s.Name, m.Name, n, err)
				}
				// The lines hold at least the bytes of what was accepted, in order,
				// unless a field was shortened.
				if out.Len() == 0 && len(b) > 0 {
					t.Fatalf("%s.%s: nothing for %x", s.Name, m.Name, b)
				}
				if out.Len() > 300*(len(b)+10) {
					t.Fatalf("%s.%s: %d bytes of text for %d", s.Name, m.Name, out.Len(), len(b))
				}
			}
		}
	})
}
