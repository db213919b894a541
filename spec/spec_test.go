package spec_test

import (
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/spec"
)

//go:embed mux.wire
var muxWire string

//go:embed twopart.wire
var twopartWire string

//go:embed dynamo.wire
var dynamoWire string

//go:embed LANGUAGE.md
var languageText string

var specs = map[string]string{"mux.wire": muxWire, "twopart.wire": twopartWire, "dynamo.wire": dynamoWire}

// load parses and checks a file that must be without mistakes.
func load(t testing.TB, name, src string) *spec.File {
	t.Helper()
	f, err := spec.Parse(name, []byte(src))
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		var list spec.ErrorList
		errors.As(err, &list)
		t.Fatalf("%s is refused:\n%s", name, list.Render([]byte(src)))
	}
	return f
}

func message(t testing.TB, f *spec.File, name string) *spec.Struct {
	t.Helper()
	s, ok := f.Lookup(name).(*spec.Struct)
	if !ok {
		t.Fatalf("%s has no message %s", f.Name, name)
	}
	return s
}

func field(t testing.TB, s *spec.Struct, name string) *spec.Field {
	t.Helper()
	for _, f := range s.Fields {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("%s has no field %s", s.Name, name)
	return nil
}

func TestTheProjectsSpecsCheckAndAreFormatted(t *testing.T) {
	for name, src := range specs {
		load(t, name, src)
		out, err := spec.Format([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != src {
			t.Errorf("%s is not in canonical layout: run wiregen fmt", name)
		}
	}
}

func TestSizesAndPrefixesOfTheProjectsSpecs(t *testing.T) {
	tests := []struct {
		file, message string
		size, prefix  spec.Size
		alloc         bool
	}{
		{"mux.wire", "Preface", spec.Size{Min: 12, Max: 12}, spec.Size{}, false},
		{"mux.wire", "Frame", spec.Size{Min: 20, Max: 20 + 1<<20}, spec.Size{Min: 20, Max: 20}, true},
		{"mux.wire", "Trace", spec.Size{Min: 25, Max: 25}, spec.Size{}, false},
		{"twopart.wire", "TwoPart", spec.Size{Min: 24, Max: 256 << 20}, spec.Size{Min: 16, Max: 16}, false},
		{"dynamo.wire", "Request", spec.Size{Min: 7, Max: 32 << 20}, spec.Size{Min: 7, Max: 2 + 1024 + 2 + 65535 + 4}, false},
		{"dynamo.wire", "Ack", spec.Size{Min: 4, Max: 32 << 20}, spec.Size{Min: 4, Max: 4}, false},
	}
	for _, tt := range tests {
		s := message(t, load(t, tt.file, specs[tt.file]), tt.message)
		if tt.message == "Preface" { // its layout is the lead's to choose; it is fixed in any case
			if !s.Size.Fixed() || s.Prefix != (spec.Size{}) {
				t.Errorf("Preface: size %v, prefix %v", s.Size, s.Prefix)
			}
			continue
		}
		if s.Size != tt.size || s.Prefix != tt.prefix || (s.Alloc > 0) != tt.alloc {
			t.Errorf("%s: size %v, prefix %v, alloc %d; want %v, %v", tt.message, s.Size, s.Prefix, s.Alloc, tt.size, tt.prefix)
		}
	}
}

func TestDerivedFieldsOfTheMux(t *testing.T) {
	f := load(t, "mux.wire", muxWire)
	frame := message(t, f, "Frame")
	length, hsum, bsum := field(t, frame, "length"), field(t, frame, "hsum"), field(t, frame, "bsum")
	if length.Role != spec.RoleLength || !length.Vanishes || length.Implied {
		t.Errorf("length: role %d, vanishes %v, implied %v; an arm without bytes must be compared", length.Role, length.Vanishes, length.Implied)
	}
	if !hsum.Early || bsum.Early {
		t.Errorf("early: hsum %v, bsum %v", hsum.Early, bsum.Early)
	}
	if len(frame.Checksums) != 2 || frame.Checksums[0] != bsum || frame.Checksums[1] != hsum {
		t.Error("hsum covers bsum and must be computed after it")
	}
	open := message(t, f, "Open")
	present := field(t, open, "present")
	if !present.Vanishes || present.DerivedBits != 0x1f {
		t.Errorf("present: vanishes %v, derived bits %#x", present.Vanishes, present.DerivedBits)
	}
	if d := field(t, open, "deadline"); d.Presence != spec.PresentFlag || d.FlagIn != present || d.Flag.Name != "HAS_DEADLINE" {
		t.Error("the presence of deadline is its flag")
	}
}

func TestLengthsThatTheLayoutImplies(t *testing.T) {
	f := load(t, "twopart.wire", twopartWire)
	s := message(t, f, "TwoPart")
	for _, name := range []string{"header_len", "body_len"} {
		if l := field(t, s, name); !l.Implied || l.Role != spec.RoleLength {
			t.Errorf("%s: implied %v, role %d", name, l.Implied, l.Role)
		}
	}
	if sum := field(t, s, "checksum"); !sum.HasAbsent() || sum.Role != spec.RoleChecksum || sum.Early {
		t.Error("checksum is a checksum that may be absent and covers the body")
	}
	g := load(t, "self.wire", `protocol self
frame Message {
    length: u16 = size(length..body) where this >= 2 && this <= 100
    body:   bytes[length - 2]
}
frame Two {
    total:  u16 = size(head..tail) where this <= 1000
    head_n: u16 = size(head)
    assert head_n <= total
    head: bytes[head_n]
    tail: bytes[total - head_n]
}`)
	for _, name := range []string{"length"} {
		if l := field(t, message(t, g, "Message"), name); !l.Implied {
			t.Errorf("%s is not implied", name)
		}
	}
	for _, name := range []string{"total", "head_n"} {
		if l := field(t, message(t, g, "Two"), name); !l.Implied {
			t.Errorf("%s is not implied", name)
		}
	}
	if size := message(t, g, "Message").Size; size != (spec.Size{Min: 2, Max: 100}) {
		t.Errorf("size %v", size)
	}
}

func TestRevisionIsAParameter(t *testing.T) {
	f := load(t, "dynamo.wire", dynamoWire)
	h := field(t, message(t, f, "Request"), "headers")
	if h.Presence != spec.PresentExpr || h.Vanishes || len(h.Attrs) != 1 || h.Attrs[0].Name != "json" {
		t.Errorf("headers: presence %d, vanishes %v, attributes %v", h.Presence, h.Vanishes, h.Attrs)
	}
	for _, v := range f.Vectors {
		if v.TypeName == "Request" && (len(v.ArgConst) != 1 || v.ArgConst[0].Sign() <= 0) {
			t.Errorf("line %d: arguments %v", v.Start.Line, v.ArgConst)
		}
	}
}

func TestVectorsOfTheProjectsSpecsHaveValues(t *testing.T) {
	for name, src := range specs {
		for _, v := range load(t, name, src).Vectors {
			if v.Accept && (v.Value == nil || v.Value.Form != spec.FormStruct) {
				t.Errorf("%s:%d: no value", name, v.Start.Line)
			}
			if !v.Accept && v.Kind == "" {
				t.Errorf("%s:%d: no kind", name, v.Start.Line)
			}
		}
	}
}

func TestCheckTwiceChangesNothing(t *testing.T) {
	f := load(t, "mux.wire", muxWire)
	n := len(message(t, f, "Frame").Fields)
	if err := f.Check(); err != nil || len(message(t, f, "Frame").Fields) != n {
		t.Errorf("second Check: %v", err)
	}
}

func TestErrorsMarshalToJSON(t *testing.T) {
	_, err := spec.Parse("x.wire", []byte("protocol p\nfram A { x: u8 }\n"))
	var list spec.ErrorList
	if !errors.As(err, &list) {
		t.Fatalf("%T", err)
	}
	b, jerr := json.Marshal(list)
	want := `[{"file":"x.wire","span":{"start":{"offset":11,"line":2,"col":1},"end":{"offset":15,"line":2,"col":5}},` +
		"\"msg\":\"`fram` is no declaration\",\"fix\":\"did you mean `frame`?\"}]"
	if jerr != nil || string(b) != want {
		t.Errorf("%v\n%s\nwant\n%s", jerr, b, want)
	}
	if got := err.Error(); got != "x.wire:2:1: `fram` is no declaration" {
		t.Errorf("Error() is %q", got)
	}
}

func TestAHugeFileIsRefused(t *testing.T) {
	_, err := spec.Parse("x", make([]byte, 5<<20))
	if err == nil || !strings.Contains(err.Error(), "5242880 bytes") {
		t.Errorf("%v", err)
	}
}

// TestLanguageExamples parses and checks every example of LANGUAGE.md. Blocks
// that begin with a declaration of `protocol` are whole files, others are put
// behind one; blocks marked `wire-refused` must be refused.
func TestLanguageExamples(t *testing.T) {
	n := 0
	rest := languageText
	for {
		_, after, ok := strings.Cut(rest, "```wire")
		if !ok {
			break
		}
		mark, body, _ := strings.Cut(after, "\n")
		body, rest, ok = strings.Cut(body, "```")
		if !ok {
			t.Fatal("a block is not closed")
		}
		n++
		if !strings.Contains(body, "protocol ") {
			body = "protocol example\n\n" + body
		}
		text, err := diagnose("LANGUAGE.md", body)
		if refused := mark == "-refused"; refused != (err != nil) {
			t.Errorf("example %d, refused %v:\n%s\n%s", n, err != nil, body, text)
		}
		if out, err := spec.Format([]byte(body)); err != nil || string(out) != body {
			t.Errorf("example %d is not in canonical layout (%v):\n%s", n, err, out)
		}
	}
	if n < 5 {
		t.Errorf("only %d examples found", n)
	}
	for _, k := range spec.Kinds {
		if !strings.Contains(languageText, "`"+k+"`") {
			t.Errorf("the kind %s is not explained", k)
		}
	}
}
