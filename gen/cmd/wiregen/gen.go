package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

func (c *command) gen(args []string) int {
	fs := c.flags("gen")
	dir := fs.String("o", ".", "folder for the output")
	pkg := fs.String("package", "", "name of the generated package")
	importPath := fs.String("import", "", "import path of the generated package")
	tests := fs.Bool("tests", true, "write the test file too")
	if code, ok := c.parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		fmt.Fprintln(c.err, "wiregen gen: no files (see wiregen --help)")
		return exitUsage
	}
	o := gen.Options{Package: *pkg, ImportPath: *importPath}
	if o.Package == "" && filepath.Clean(*dir) == "." {
		o.Package = c.getenv("GOPACKAGE")
	}
	if !*tests {
		o.ImportPath = ""
	} else if o.ImportPath == "" {
		var err error
		if o.ImportPath, err = importPathOf(*dir); err != nil {
			return c.fail(fmt.Errorf("%w (give -import PATH or -tests=false)", err))
		}
	}
	code := exitOK
	for _, name := range fs.Args() {
		code = max(code, c.genFile(name, *dir, o))
	}
	return code
}

func (c *command) genFile(name, dir string, o gen.Options) int {
	f, code := c.load(name)
	if f == nil {
		return code
	}
	files, err := gen.Generate(f, o)
	if err != nil {
		return c.report(err, f.Source)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return c.fail(err)
	}
	for _, out := range files {
		if err := writeChanged(filepath.Join(dir, out.Name), out.Content); err != nil {
			return c.fail(err)
		}
	}
	return exitOK
}

// load reads, parses and checks a file; it reports what is wrong and then returns
// a nil file and the exit code.
func (c *command) load(name string) (*spec.File, int) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, c.fail(err)
	}
	f, err := spec.Parse(name, src)
	if all := f.Check(); all != nil {
		err = all // Parse's mistakes, and the others if the form left no doubt
	}
	if err != nil {
		return nil, c.report(err, src)
	}
	return f, exitOK
}

// report shows the diagnostics in err.
func (c *command) report(err error, src []byte) int {
	var list spec.ErrorList
	if !errors.As(err, &list) {
		return c.fail(err)
	}
	fmt.Fprint(c.err, c.paint(list.Render(src)))
	plural := "s"
	if len(list) == 1 {
		plural = ""
	}
	fmt.Fprintf(c.err, "%d mistake%s\n", len(list), plural)
	return exitFailed
}

var (
	placeLine = regexp.MustCompile(`(?m)^(\S+:\d+:\d+: )(.*)$`)
	caretLine = regexp.MustCompile(`(?m)^(\s+\| \s*)(\^+)$`)
	fixLine   = regexp.MustCompile(`(?m)^(  fix:  )(.*)$`)
)

// paint colours diagnostics for a terminal.
func (c *command) paint(s string) string {
	if !c.color {
		return s
	}
	s = placeLine.ReplaceAllString(s, "\x1b[1m$1\x1b[31m$2\x1b[0m")
	s = caretLine.ReplaceAllString(s, "$1\x1b[31m$2\x1b[0m")
	return fixLine.ReplaceAllString(s, "$1\x1b[32m$2\x1b[0m")
}

// writeChanged writes a file unless it already has that content.
func writeChanged(name string, content []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return os.WriteFile(name, content, 0o644)
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)

// importPathOf finds the import path of a folder from the go.mod above it.
func importPathOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		mod, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			m := moduleLine.FindSubmatch(mod)
			if m == nil {
				return "", fmt.Errorf("no module line in %s", filepath.Join(at, "go.mod"))
			}
			rel, err := filepath.Rel(at, abs)
			if err != nil {
				return "", err
			}
			return strings.TrimSuffix(path.Join(string(m[1]), filepath.ToSlash(rel)), "/."), nil
		}
		if filepath.Dir(at) == at {
			return "", fmt.Errorf("no go.mod in %s or above it", abs)
		}
	}
}
