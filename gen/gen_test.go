package gen_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// committed are the specs of this module and where their code lives.
var committed = []struct{ file, dir string }{
	{"../spec/mux.wire", "../codec/muxwire"},
	{"../spec/twopart.wire", "../codec/twopart"},
	{"../spec/dynamo.wire", "../codec/dynwire"},
	{"../spec/stream.wire", "../codec/streamwire"},
	{"../codec/internal/benchwire/bench.wire", "../codec/internal/benchwire"},
}

func parse(t testing.TB, name string) *spec.File {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := spec.Parse(filepath.Base(name), src)
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The committed code is what the generator writes today.
func TestGenerated(t *testing.T) {
	for _, c := range committed {
		t.Run(filepath.Base(c.dir), func(t *testing.T) {
			pkg := filepath.Base(c.dir)
			path := "github.com/wireplane/wireplane/" + strings.TrimPrefix(c.dir, "../")
			files, err := gen.Generate(parse(t, c.file), gen.Options{Package: pkg, ImportPath: path})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				name := filepath.Join(c.dir, f.Name)
				got, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, f.Content) {
					t.Errorf("%s is stale: run go generate ./...\n%s", name, firstDifference(got, f.Content))
				}
			}
		})
	}
}

func firstDifference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(x), len(y))
}

func odd(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/odd/*.wire")
	if err != nil || len(names) == 0 {
		t.Fatal("no specs in testdata/odd", err)
	}
	return names
}

// Whole-file goldens: a change of the generator is reviewed as a change of its output.
func TestGolden(t *testing.T) {
	for _, name := range odd(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			files, err := gen.Generate(parse(t, name), gen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(name, ".wire") + ".golden"
			if *update {
				if err := os.WriteFile(golden, files[0].Content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(files[0].Content, want) {
				t.Errorf("the output differs from %s (go test ./gen -update rewrites it)\n%s", golden, firstDifference(want, files[0].Content))
			}
		})
	}
}

func TestDeterministic(t *testing.T) {
	for _, name := range odd(t) {
		f := parse(t, name)
		o := gen.Options{ImportPath: "example.org/p"}
		first, err := gen.Generate(f, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := gen.Generate(f, o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range first {
				if !bytes.Equal(first[i].Content, again[i].Content) {
					t.Fatalf("%s: two runs differ", first[i].Name)
				}
			}
		}
	}
}

// The output for odd specs compiles in another module and passes
// the tests that were generated with it.
func TestOddCompile(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, dir, "go.mod", "module example.org/odd\n\ngo 1.26.0\n\nrequire github.com/wireplane/wireplane v0.0.0\n\nreplace github.com/wireplane/wireplane => "+root+"\n")
	sum, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "go.sum", string(sum))
	for _, name := range odd(t) {
		pkg := "p" + strings.TrimSuffix(filepath.Base(name), ".wire")
		files, err := gen.Generate(parse(t, name), gen.Options{Package: pkg, ImportPath: "example.org/odd/" + pkg})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			put(t, filepath.Join(dir, pkg), f.Name, string(f.Content))
		}
	}
	cmd := exec.Command("go", "test", "-vet=all", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The output type-checks where an int has 32 bits.
func Test32Bits(t *testing.T) {
	names := odd(t)
	for _, c := range committed {
		names = append(names, c.file)
	}
	for _, name := range names {
		files, err := gen.Generate(parse(t, name), gen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := checker().check(files[0].Content, "386"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the back end cannot express is a diagnostic with a place.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"go name twice", "protocol p\norder big\nstruct ab { x: u8 }\nstruct Ab { y: u8 }\n", "the Go name Ab is taken"},
		{"limits", "protocol p\norder big\nstruct Limits { x: u8 }\n", "the Go name Limits is taken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := spec.Parse("p.wire", []byte(c.src))
			if err == nil {
				err = f.Check()
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = gen.Generate(f, gen.Options{})
			var list spec.ErrorList
			if !errors.As(err, &list) || !strings.Contains(list[0].Msg, c.want) || list[0].Span.IsZero() {
				t.Errorf("got %v, want %q with a place", err, c.want)
			}
		})
	}
}
