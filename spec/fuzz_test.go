package spec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/spec"
)

// FuzzParse holds the phases to what they promise for any text: no panic,
// positions inside the source, canonical layout that is a fixed point and keeps
// the meaning.
func FuzzParse(f *testing.F) {
	for _, src := range specs {
		f.Add([]byte(src))
	}
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		a := parseArchive(string(data))
		for _, name := range a.names {
			if strings.HasSuffix(name, ".wire") {
				f.Add([]byte(a.files[name]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := spec.Parse("fuzz", src)
		lines := indexLines(src)
		checkErrors(t, err, src, lines)
		if err != nil {
			if _, ferr := spec.Format(src); ferr == nil {
				t.Fatal("Format accepts what Parse refuses")
			}
			return
		}
		checkSpans(t, reflect.ValueOf(file), lines)
		before := shape(file)
		out, err := spec.Format(src)
		if err != nil {
			t.Fatalf("Format refuses what Parse accepts: %v", err)
		}
		again, err := spec.Parse("fuzz", out)
		if err != nil {
			t.Fatalf("formatted text is refused: %v\n%s", err, out)
		}
		if after := shape(again); after != before {
			t.Fatalf("formatting changes the meaning:\n%s\n--- formatted\n%s\n--- before\n%s\n--- after\n%s", src, out, before, after)
		}
		if twice, err := spec.Format(out); err != nil || string(twice) != string(out) {
			t.Fatalf("formatting twice differs (%v):\n%s\n--- twice\n%s", err, out, twice)
		}
		err1, err2 := file.Check(), again.Check()
		checkErrors(t, err1, src, lines)
		if count(err1) != count(err2) {
			t.Fatalf("formatting changes the diagnostics:\n%v\n--- after\n%v", err1, err2)
		}
		if err1 == nil {
			checkModel(t, file)
		}
	})
}

func count(err error) int {
	var list spec.ErrorList
	errors.As(err, &list)
	return len(list)
}

// checkErrors holds diagnostics to their form and renders them.
func checkErrors(t *testing.T, err error, src []byte, lines lineIndex) {
	t.Helper()
	var list spec.ErrorList
	if err == nil {
		return
	}
	if !errors.As(err, &list) || len(list) == 0 || len(list) > spec.MaxErrors+1 {
		t.Fatalf("not a list of errors: %v", err)
	}
	for _, e := range list {
		lines.check(t, e.Span, e.Msg)
		for _, n := range e.Notes {
			if !n.Span.IsZero() {
				lines.check(t, n.Span, n.Msg)
			}
		}
	}
	if list.Render(src) == "" {
		t.Fatal("nothing rendered")
	}
}

// lineIndex holds where each line of a source begins, and behind them one past
// the end of the source.
type lineIndex []int

func indexLines(src []byte) lineIndex {
	lines := lineIndex{0}
	for i, c := range src {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	return append(lines, len(src)+1)
}

// check holds a position to the source: inside it, and line and column right.
func (lines lineIndex) check(t *testing.T, s spec.Span, what string) {
	t.Helper()
	if s.Start.Offset < 0 || s.End.Offset < s.Start.Offset {
		t.Fatalf("%s: span %v", what, s)
	}
	for _, p := range []spec.Pos{s.Start, s.End} {
		if p.Line < 1 || p.Line >= len(lines) || p.Offset >= lines[p.Line] || p.Offset-lines[p.Line-1]+1 != p.Col {
			t.Fatalf("%s: position %v is wrong", what, p)
		}
	}
}

var spanType = reflect.TypeFor[spec.Span]()

// backPointers are fields that lead up or sideways in the tree.
var backPointers = map[string]bool{
	"Enum": true, "Flags": true, "Group": true, "Limits": true, "Consts": true, "Enums": true, "Structs": true,
	"Streams": true, "Vectors": true, "Else": true, "Source": true, "scope": true, "broken": true, "info": true,
}

// checkSpans walks a parsed file.
func checkSpans(t *testing.T, v reflect.Value, lines lineIndex) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			checkSpans(t, v.Elem(), lines)
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkSpans(t, v.Index(i), lines)
		}
	case reflect.Struct:
		if v.Type() == spanType && v.CanInterface() {
			if s := v.Interface().(spec.Span); !s.IsZero() {
				lines.check(t, s, "node")
			}
			return
		}
		for i := range v.NumField() {
			if !backPointers[v.Type().Field(i).Name] {
				checkSpans(t, v.Field(i), lines)
			}
		}
	}
}

// shape prints a parsed file without its positions.
func shape(f *spec.File) string {
	var b strings.Builder
	printShape(&b, reflect.ValueOf(f))
	return b.String()
}

func printShape(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil ")
			return
		}
		printShape(b, v.Elem())
	case reflect.Slice, reflect.Array:
		b.WriteString("[")
		for i := range v.Len() {
			printShape(b, v.Index(i))
		}
		b.WriteString("]")
	case reflect.Struct:
		if v.Type() == spanType {
			return
		}
		b.WriteString(v.Type().Name() + "{")
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "Source" || !backPointers[name] || name == "Else" && v.Field(i).Kind() == reflect.Bool {
				if name != "Source" {
					printShape(b, v.Field(i))
				}
			}
		}
		b.WriteString("}\n")
	default:
		fmt.Fprintf(b, "%v ", v)
	}
}

// checkModel holds a checked file to what a back end relies on.
func checkModel(t *testing.T, f *spec.File) {
	for _, s := range f.Structs {
		if s.Size.Min > s.Size.Max {
			t.Fatalf("%s: size %v", s.Name, s.Size)
		}
		if s.Prefix.Min > s.Prefix.Max || s.Frame && s.Prefix.Max > s.Size.Max {
			t.Fatalf("%s: prefix %v of size %v", s.Name, s.Prefix, s.Size)
		}
		at := uint64(0)
		for _, fl := range s.Fields {
			if fl.Parent != s || s.Fields[fl.Index] != fl {
				t.Fatalf("%s.%s: not where it should be", s.Name, fl.Name)
			}
			if fl.Offset >= 0 && uint64(fl.Offset) < at && fl.Group == nil {
				t.Fatalf("%s.%s: offset %d before %d", s.Name, fl.Name, fl.Offset, at)
			}
			if fl.Offset >= 0 && fl.Group == nil {
				at = uint64(fl.Offset) + fl.Size.Min
			}
			if (fl.Presence == spec.PresentAlways) != (fl.If == nil) {
				t.Fatalf("%s.%s: presence %d", s.Name, fl.Name, fl.Presence)
			}
		}
	}
}
