package lint_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the goldens below testdata")

const goldenDir = "testdata/deps"

// TestDepsGolden keeps, for each public package, the list of packages outside
// std that an importer links. A change of it belongs in the commit message.
func TestDepsGolden(t *testing.T) {
	want := make(map[string]bool)
	for _, p := range ours(t) {
		if !public(p) {
			continue
		}
		file := goldenFile(p.rel())
		want[file] = true
		got := strings.Join(addedDeps(p), "\n")
		if got != "" {
			got += "\n"
		}
		checkGolden(t, p.rel(), filepath.Join(goldenDir, file), got)
	}
	removeStale(t, want)
}

func checkGolden(t *testing.T, name, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != got {
		t.Errorf("%s adds other packages than its golden says (%v); if that is wanted, run make generate\ngot:\n%swant:\n%s", name, err, got, have)
	}
}

func removeStale(t *testing.T, want map[string]bool) {
	t.Helper()
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want[e.Name()] {
			continue
		}
		if !*update {
			t.Errorf("%s is the golden of no package", e.Name())
			continue
		}
		if err := os.Remove(filepath.Join(goldenDir, e.Name())); err != nil {
			t.Error(err)
		}
	}
}

// TestDepsFigures shows the counts to "make gates".
func TestDepsFigures(t *testing.T) {
	for _, p := range ours(t) {
		if public(p) {
			n := float64(len(thirdPartyDeps(p)))
			testenv.Figure(t, "third-party packages that "+p.rel()+" adds", n, n, "packages")
		}
	}
}

// public tells whether someone else can import p and has a reason to: fuzz holds
// tests only.
func public(p *pkg) bool {
	return p.rel() != "fuzz" && p.Name != "main" && !slices.Contains(strings.Split(p.rel(), "/"), "internal")
}

func goldenFile(rel string) string { return strings.ReplaceAll(rel, "/", "_") + ".txt" }

// addedDeps are the packages outside std that an importer of p links, with p's
// own siblings of this module.
func addedDeps(p *pkg) []string {
	var out []string
	for _, dep := range p.Deps {
		if thirdParty(dep) || strings.HasPrefix(dep, modulePath+"/") {
			out = append(out, dep)
		}
	}
	slices.Sort(out)
	return out
}

func thirdPartyDeps(p *pkg) []string {
	return slices.DeleteFunc(addedDeps(p), func(dep string) bool { return !thirdParty(dep) })
}
