package gen_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

// A chain of messages that each hold the one before twice has 2^30 ways down; the
// generator looks at each message once.
func TestMessagesThatDouble(t *testing.T) {
	var b strings.Builder
	b.WriteString("protocol p\nstruct A0(p: bool) { x: u8 if p; y: u8 }\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "struct A%d(p: bool) { x: A%d(p); y: A%d(p) if p }\n", i, i-1, i-1)
	}
	f, err := spec.Parse("doubled.wire", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	files, err := gen.Generate(f, gen.Options{Package: "p", ImportPath: "example.com/p"})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range files {
		if len(out.Content) > 4<<20 {
			t.Errorf("%s has %d bytes", out.Name, len(out.Content))
		}
	}
}
