package lint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines   = 800
	minPackageDoc  = 3 // lines
	maxRecipeLines = 5
)

func TestPackagesAreDocumented(t *testing.T) {
	docs := make(map[string]int) // folder to lines of its longest package comment
	onlyTests := make(map[string]bool)
	for _, f := range goFiles(t) {
		dir := path.Dir(f)
		if _, seen := docs[dir]; !seen {
			docs[dir], onlyTests[dir] = 0, true
		}
		onlyTests[dir] = onlyTests[dir] && isTest(f)
		docs[dir] = max(docs[dir], packageDocLines(t, f))
	}
	for dir, lines := range docs {
		// An example is short on purpose, and its module says where it belongs.
		if lines < minPackageDoc && !(lines > 0 && strings.Contains(dir, "/examples/")) {
			t.Errorf("%s: the package comment has %d lines, want at least %d (tests only: %v)", dir, lines, minPackageDoc, onlyTests[dir])
		}
	}
}

func packageDocLines(t *testing.T, file string) int {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if f.Doc == nil {
		return 0
	}
	return strings.Count(f.Doc.Text(), "\n")
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range goFiles(t) {
		src := read(t, f)
		if n := strings.Count(src, "\n"); n > maxFileLines && !isGenerated(src) {
			t.Errorf("%s has %d lines, at most %d: one concern a file", f, n, maxFileLines)
		}
	}
}

// mayRead are the files that may look at the environment, with the reason. A
// package takes its configuration as a struct. Tests may: one that starts itself
// as a child process tells it so by a variable.
var mayRead = map[string]string{
	"gen/cmd/wiregen/main.go":          "go generate names the package; NO_COLOR and TERM are the terminal's own settings",
	"planes/dynenv/os.go":              "the one reader of the planes' settings",
	"planes/cmd/wireplane/terminal.go": "NO_COLOR and TERM are the terminal's own settings",
}

func TestOneReaderOfTheEnvironment(t *testing.T) {
	env := regexp.MustCompile(`\b(os|syscall)\.(Getenv|LookupEnv|Environ|ExpandEnv)\b`)
	for _, f := range goFiles(t) {
		if m := env.FindString(read(t, f)); m != "" && mayRead[f] == "" && !isTest(f) {
			t.Errorf("%s uses %s", f, m)
		}
	}
}

// maySkip are the files whose tests may skip, with the reason.
var maySkip = map[string]string{}

func TestNothingSkipsSilently(t *testing.T) {
	skip := regexp.MustCompile(`\b[a-z]+\.(Skip|Skipf|SkipNow)\(`)
	for _, f := range goFiles(t) {
		if m := skip.FindString(read(t, f)); m != "" && isTest(f) && maySkip[f] == "" && !ownRule(f) {
			t.Errorf("%s calls %s): a test that cannot run is a failure, or has a build tag", f, m)
		}
	}
}

// ownRule tells whether a file is one of these rules, which name what they refuse.
func ownRule(f string) bool { return strings.HasPrefix(f, "internal/lint/") }

// refused are patterns that no tracked text holds.
var refused = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(^|[^A-Za-z0-9_.\-])/(work|farm|root|home|Users)/[a-z]`), "a path of one machine"},
	{regexp.MustCompile(`\b(proxy|sum)\.golang\.org\b|\bpypi\.org\b|\bregistry\.npmjs\.org\b`), "a registry's host: the user's settings choose it"},
	{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), "a mark for later: finish it, or name it in the README's list"},
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`), "a key: tests mint their own"},
}

func TestNothingRefusedIsTracked(t *testing.T) {
	for _, f := range tracked(t) {
		if ownRule(f) || strings.HasSuffix(f, ".sum") || strings.Contains(f, "testdata/fuzz/") {
			continue
		}
		for i, line := range strings.Split(read(t, f), "\n") {
			for _, r := range refused {
				if m := r.pattern.FindString(line); m != "" {
					t.Errorf("%s:%d: %q: %s", f, i+1, m, r.why)
				}
			}
		}
	}
}

var gateName = regexp.MustCompile(`Alloc|Gate|Size|Budget|Cost|Deps`)

// TestGatesAreFound: "make gates" picks tests by name, so a test with a figure
// must have one of the names.
func TestGatesAreFound(t *testing.T) {
	for _, f := range goFiles(t) {
		if !isTest(f) || strings.HasPrefix(f, "internal/testenv/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && strings.HasPrefix(fn.Name.Name, "Test") && usesGate(fn) && !gateName.MatchString(fn.Name.Name) {
				t.Errorf("%s: %s has a gate, its name must match %s", f, fn.Name.Name, gateName)
			}
		}
	}
}

func usesGate(fn *ast.FuncDecl) (found bool) {
	gates := []string{"Allocs", "Figure", "CheckHeap", "CheckRetained", "CheckSize"}
	ast.Inspect(fn, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			x, isIdent := sel.X.(*ast.Ident)
			found = found || isIdent && x.Name == "testenv" && slices.Contains(gates, sel.Sel.Name)
		}
		return !found
	})
	return found
}

func TestRecipesAreShort(t *testing.T) {
	lines, target := 0, ""
	for line := range strings.Lines(read(t, "Makefile")) {
		if !strings.HasPrefix(line, "\t") {
			lines, target = 0, strings.TrimSpace(line)
			continue
		}
		if lines++; lines == maxRecipeLines+1 {
			t.Errorf("Makefile: %q has more than %d lines: make it a script", target, maxRecipeLines)
		}
	}
}
