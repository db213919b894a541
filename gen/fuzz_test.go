package gen_test

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"sync"
	"testing"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

// typeChecker imports the packages that generated code uses from source, once.
type typeChecker struct {
	mu   sync.Mutex
	fset *token.FileSet
	imp  types.Importer
}

var checker = sync.OnceValue(func() *typeChecker {
	fset := token.NewFileSet()
	return &typeChecker{fset: fset, imp: importer.ForCompiler(fset, "source", nil)}
})

// check type-checks one generated package for an architecture.
func (c *typeChecker) check(src []byte, arch string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := parser.ParseFile(c.fset, "generated.go", src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	conf := types.Config{Importer: c.imp, Sizes: types.SizesFor("gc", arch)}
	_, err = conf.Check("generated", c.fset, []*ast.File{f}, nil)
	return err
}

// FuzzGenerate feeds mutated specs to parser, checker and generator. Whatever the
// checker accepts is either refused with a diagnostic or becomes Go that
// type-checks.
func FuzzGenerate(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := spec.Parse("fuzz.wire", src)
		if err == nil {
			err = file.Check()
		}
		if err != nil {
			return
		}
		files, err := gen.Generate(file, gen.Options{Package: "p"})
		if err != nil {
			var list spec.ErrorList
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("not a diagnostic: %v\n%s", err, src)
			}
			return
		}
		if err := checker().check(files[0].Content, "amd64"); err != nil {
			t.Fatalf("the output does not type-check: %v\n%s", err, src)
		}
	})
}

// seeds are small specs, each around one feature: the fuzzer minimizes what it
// finds, which takes minutes on a spec of several KiB.
var seeds = []string{
	"protocol p\norder big\nframe F { n: u16 = size(b) where this <= 9\nb: bytes[n] borrow }\n",
	"protocol p\norder little\nlimit l = 1 KiB\nframe F { n: u32 where this <= l\nm: u32 = size(a..b)\na: bytes<u8>\nb: text<u16 max l>\nassert n > m }\n",
	"protocol p\norder big\nflags G: u8 { A = bit 0\nB = bit 1 }\nframe F { g: G\nx: u32 if g.A\ny: bytes[4] if g.B\nc: u32 = crc32c(g..y) or 0 }\n",
	"protocol p\norder big\nclosed enum E: u8 { A = 1\nB = 2..5 }\nframe F(q: bool = true) { e: E\nn: u8 = size(m)\nm: match e { A => region[n] of S\nB => bytes[n]\nelse => none } }\nstruct S { x: i24\nr: bytes[.. max 9] }\n",
	"protocol p\norder big\nconst k = 3\nframe F { x: u8 in {1, 4..k*2}\ny: f32 where this < 2.5\nz: u16 = x + k\n_: u24 ignore }\n",
	"protocol p\norder big\nstruct A(n: u8) { t: text[n max 9] }\nframe F(v: u8 = 1) { a: A(3)\nb: A(v)<u8 max 2> if v > 1\nr: region<u16 max 40> of R }\nstruct R { q: u64[.. max 4] }\n",
	"protocol p\norder big\nframe F { n: u8 = count(a)\na: u16[n max 5]\nsum: u64 = xxh3_64(n..a)\nk: u8\nm: match k { 1..3 => text<u8>\n4 => S\nelse => error } }\nstruct S { a: u8\nb: bytes<u8> copy }\n",
	"protocol p\norder big\nframe F { bits u16 { a: u3\nb: bool\nc: i4 in -3..3\n_: u8 }\nv: S<u8 max 3>\nw: u16le<u8 bytes max 8> }\nstruct S { t: text<u8 min 1 max 3> }\n",
}
