package inspect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/cmd/internal/inspect"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testenv.Main(m) }

// capture is a short exchange of one side: preface, HELLO, a call, an item, the end.
func capture(t testing.TB, sums bool) []byte {
	t.Helper()
	b, err := (&muxwire.Preface{MinVersion: 1, MaxVersion: 1}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	hello := muxwire.Hello{MaxBody: 1 << 20, MaxMessage: 1 << 24, MaxStreams: 4096, WindowBytes: 1 << 14, WindowItems: 256, Name: []byte("test")}
	if sums {
		hello.Features = muxwire.FeaturesChecksum
	}
	open := muxwire.Open{HasDeadline: true, Deadline: 1500, HasHeaders: true,
		Headers: []muxwire.Header{{Name: []byte("model"), Value: []byte("small")}}, Route: []byte("demo/tokens"), Payload: []byte("17")}
	for _, f := range []muxwire.Frame{
		{Type: muxwire.FrameTypeHello, Body: muxwire.FrameBody{Hello: hello}},
		{Type: muxwire.FrameTypeOpen, Flags: muxwire.FrameFlagsFin, Stream: 1, Arg: 2, Body: muxwire.FrameBody{Open: open}},
		{Type: muxwire.FrameTypeStarted, Stream: 1},
		{Type: muxwire.FrameTypeData, Stream: 1, Body: muxwire.FrameBody{Bytes: []byte(" token")}},
		{Type: 77, Stream: 3, Body: muxwire.FrameBody{Bytes: []byte{1, 2, 3}}},
		{Type: muxwire.FrameTypeEnd, Stream: 1, Arg: 1, Body: muxwire.FrameBody{End: muxwire.End{Bytes: 6}}},
	} {
		if b, err = f.Append(b, sums || f.Type == muxwire.FrameTypeHello); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// at returns the offset of the first place of part in b.
func at(t *testing.T, b []byte, part string) int {
	t.Helper()
	i := bytes.Index(b, []byte(part))
	if i < 0 {
		t.Fatalf("no %q", part)
	}
	return i
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := inspect.ParseHex(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	sentinel = "000000000000000a 0000000000000000 3993296f71e74889 2273656e74696e656c22"
	request1 = "0003 612f62 00000007 5041594c4f4144"
	request2 = "0003 612f62 0002 7b7d 00000002 6869"
)

func TestGoldens(t *testing.T) {
	plain, summed := capture(t, false), capture(t, true)
	for name, c := range map[string]struct {
		b    []byte
		opts inspect.Options
	}{
		"mux":             {summed, inspect.Options{}},
		"mux-plain":       {plain, inspect.Options{Spec: "mux"}},
		"mux-middle":      {summed[8:], inspect.Options{Spec: "mux"}},
		"mux-cut":         {summed[:len(summed)-5], inspect.Options{}},
		"mux-flipped":     {flipped(summed, at(t, summed, " token")), inspect.Options{}},
		"mux-reserved":    {flipped(plain, 7), inspect.Options{}},
		"mux-struct":      {summed[at(t, summed, "\x01\x05model")+1:][:13], inspect.Options{Frame: "Header"}},
		"twopart":         {unhex(t, sentinel+sentinel), inspect.Options{}},
		"twopart-damaged": {flipped(unhex(t, sentinel+sentinel), 60), inspect.Options{}},
		"twopart-cut":     {unhex(t, sentinel)[:30], inspect.Options{}},
		"dynamo-1":        {unhex(t, request1), inspect.Options{}},
		"dynamo-2":        {unhex(t, request2+request2), inspect.Options{}},
		"dynamo-param":    {unhex(t, request2), inspect.Options{Params: map[string]string{"revision": "1"}}},
		"dynamo-acks":     {unhex(t, "00000000 00000004 66756c6c"), inspect.Options{}},
		"nothing":         {nil, inspect.Options{}},
		"http":            {[]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), inspect.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			var text, lines bytes.Buffer
			s, err := inspect.Text(&text, c.b, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", text.Bytes())
			again, err := inspect.JSON(&lines, c.b, c.opts)
			if err != nil || again != s {
				t.Fatalf("%v: %+v, want %+v", err, again, s)
			}
			golden(t, name+".json", lines.Bytes())
			if s.OK != (s.Why == "") || s.OK && (s.Decoded != len(c.b) || s.Offset != len(c.b)) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", file, got)
	}
}

// TestWhereItStops: the summary's offset is the byte at fault, counted from the
// start of the capture.
func TestWhereItStops(t *testing.T) {
	b := capture(t, true)
	token := at(t, b, " token")
	bsum, hsum := fieldOffset(t, b, "bsum", token-20), fieldOffset(t, b, "hsum", token-20)
	for name, c := range map[string]struct {
		b    []byte
		want inspect.Summary
	}{
		"a flipped byte of a body": {flipped(b, token), inspect.Summary{Frames: 4, Decoded: token - 20, Offset: bsum, Kind: "Checksum", Field: "Frame.bsum"}},
		"a flipped byte of a head": {flipped(b, token-20), inspect.Summary{Frames: 4, Decoded: token - 20, Offset: hsum, Kind: "Checksum", Field: "Frame.hsum"}},
		"a cut in a body":          {b[:token+2], inspect.Summary{Frames: 4, Decoded: token - 20, Offset: token + 2, Need: 4}},
		"a cut in a head":          {b[:token-1], inspect.Summary{Frames: 4, Decoded: token - 20, Offset: token - 1, Need: 1}},
		"a cut between messages":   {b[:token-20], inspect.Summary{OK: true, Frames: 4, Decoded: token - 20, Offset: token - 20}},
	} {
		var out bytes.Buffer
		s, err := inspect.Text(&out, c.b, inspect.Options{Spec: "mux"})
		c.want.Spec, c.want.Frame, c.want.Bytes, c.want.Why = "mux", "Frame", len(c.b), s.Why
		if err != nil || s != c.want || s.OK != (s.Why == "") {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, s, c.want)
		}
	}
}

// fieldOffset returns the offset of a field of the message at byte from.
func fieldOffset(t *testing.T, b []byte, name string, from int) int {
	t.Helper()
	var out bytes.Buffer
	if _, err := inspect.JSON(&out, b, inspect.Options{Spec: "mux"}); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(&out); dec.More(); {
		var m struct {
			Offset int
			Fields []struct {
				Offset int
				Name   string
			}
		}
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Fields {
			if m.Offset == from && f.Name == name {
				return f.Offset
			}
		}
	}
	t.Fatalf("no %s in the message at byte %d", name, from)
	return 0
}

// TestSumsAreSeen: whether frames carry checksums is found for both kinds of
// capture, from the start or from the middle, although HELLO always does.
func TestSumsAreSeen(t *testing.T) {
	for _, sums := range []bool{false, true} {
		b := capture(t, sums)
		for _, from := range []int{0, 8, 89} {
			s, err := inspect.Text(&bytes.Buffer{}, b[from:], inspect.Options{Spec: "mux"})
			if err != nil || !s.OK {
				t.Errorf("sums %v, from byte %d: %+v, %v", sums, from, s, err)
			}
			s, err = inspect.Text(&bytes.Buffer{}, b[from:], inspect.Options{Spec: "mux", Params: map[string]string{"sums": "true"}})
			if err != nil || s.OK != sums {
				t.Errorf("sums %v, forced, from byte %d: %+v, %v", sums, from, s, err)
			}
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, o := range map[string]inspect.Options{
		`no spec "grpc"; there are mux, twopart, dynamo, stream`: {Spec: "grpc"},
		`no spec has a frame "Nope"`:                             {Frame: "Nope"},
		`spec dynamo has no frame "Frame"; it has Request, Ack`:  {Spec: "dynamo", Frame: "Frame"},
		`Frame has no parameter "sum"; it has sums (bool)`:       {Spec: "mux", Params: map[string]string{"sum": "1"}},
		`TwoPart has no parameter "sums"; it has none`:           {Spec: "twopart", Params: map[string]string{"sums": "true"}},
		`parameter sums is "maybe"; want true or false`:          {Spec: "mux", Params: map[string]string{"sums": "maybe"}},
		`parameter revision is "256"; want a number of type u8`:  {Frame: "Request", Params: map[string]string{"revision": "256"}},
		`parameter revision is "new"; want a number of type u8`:  {Frame: "Request", Params: map[string]string{"revision": "new"}},
	} {
		var bad *inspect.UsageError
		if _, err := inspect.Text(&bytes.Buffer{}, []byte{1}, o); !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
		if err := o.Check(); err == nil || err.Error() != want {
			t.Errorf("%+v: Check: %v, want %s", o, err, want)
		}
	}
	for _, o := range []inspect.Options{{}, {Spec: "auto"}, {Frame: "Hello"}, {Frame: "frame"}, {Params: map[string]string{"sums": "1"}}} {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	full := errors.New("disk full")
	for n := range 4 {
		if _, err := inspect.Text(&limited{n, full}, capture(t, true)[:8], inspect.Options{}); (err == nil) != (n == 3) || err != nil && !errors.Is(err, full) {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
}

// limited fails after n writes.
type limited struct {
	n   int
	err error
}

func (l *limited) Write(b []byte) (int, error) {
	if l.n--; l.n < 0 {
		return 0, l.err
	}
	return len(b), nil
}

// FuzzInspect: whatever the bytes, the messages are decoded without a gap, each
// dump stays within the capture, and the summary agrees with what was written.
func FuzzInspect(f *testing.F) {
	f.Add(capture(f, true), "mux")
	f.Add(capture(f, false)[8:], "")
	f.Add([]byte("\x00\x03a/b\x00\x02{}\x00\x00\x00\x02hi"), "dynamo")
	f.Add(bytes.Repeat([]byte{0}, 24), "twopart")
	f.Fuzz(func(t *testing.T, b []byte, spec string) {
		var out bytes.Buffer
		s, err := inspect.JSON(&out, b, inspect.Options{Spec: spec})
		var bad *inspect.UsageError
		if errors.As(err, &bad) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at, frames := 0, 0
		for dec := json.NewDecoder(&out); dec.More(); {
			var m struct {
				Message       *string
				Offset, Bytes int
				Fields        []struct{ Offset int }
				Why           string
				OK            bool
			}
			if err := dec.Decode(&m); err != nil {
				t.Fatal(err)
			}
			if m.Message == nil {
				if m.OK != (at == len(b) && len(b) > 0) || m.OK != s.OK || m.Why != s.Why {
					t.Fatalf("%+v after %d of %d bytes", s, at, len(b))
				}
				continue
			}
			if m.Offset != at {
				t.Fatalf("a message at %d, want %d", m.Offset, at)
			}
			for _, field := range m.Fields {
				if field.Offset < at || field.Offset > len(b) {
					t.Fatalf("a field at %d of a message at %d in %d bytes", field.Offset, at, len(b))
				}
			}
			if m.Bytes > 0 {
				frames++
			}
			at += m.Bytes
		}
		if s.Frames != frames || s.Decoded != at || s.Offset < at || s.Offset > len(b) {
			t.Fatalf("%+v; %d messages, %d bytes", s, frames, at)
		}
	})
}

func TestSpecsAreListed(t *testing.T) {
	var names []string
	for _, s := range inspect.Specs() {
		names = append(names, s.Name+":"+strings.Join(s.Frames(), ","))
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "mux:Preface,Frame,Hello,") || !strings.HasSuffix(got, " twopart:TwoPart dynamo:Request,Ack stream:Record,Item,Count,Failure") {
		t.Error(got)
	}
}
