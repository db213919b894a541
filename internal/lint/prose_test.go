package lint_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
)

// TestREADMEAndDocsRun builds and runs every Go block of the README and the
// guides. A block is a whole program: what a reader pastes must work.
func TestREADMEAndDocsRun(t *testing.T) {
	overlay := map[string]string{}
	var args []string
	tmp := t.TempDir()
	for _, f := range trackedWith(t, ".md") {
		if f != "README.md" && path.Dir(f) != "docs" {
			continue
		}
		for _, block := range goBlocks(read(t, f)) {
			name := "snippet" + strconv.Itoa(len(args))
			src := filepath.Join(tmp, name+".go")
			if err := os.WriteFile(src, []byte(block), 0o644); err != nil {
				t.Fatal(err)
			}
			abs, err := filepath.Abs(filepath.Join(root, "internal", "lint", "internal", name, "main.go"))
			if err != nil {
				t.Fatal(err)
			}
			overlay[abs] = src
			args = append(args, "./internal/lint/internal/"+name)
		}
	}
	if len(args) == 0 {
		t.Fatal("no Go block found: the README must have one")
	}
	out := filepath.Join(tmp, "bin") + string(filepath.Separator)
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	buildOverlay(t, filepath.Join(tmp, "overlay.json"), overlay, args, out)
	for _, pkg := range args {
		cmd := exec.CommandContext(testenv.Context(t, 10*time.Second), filepath.Join(out, path.Base(pkg)))
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", pkg, err, text)
		} else {
			t.Logf("%s printed:\n%s", path.Base(pkg), text)
		}
	}
}

// buildOverlay compiles packages that exist only in the overlay, so that nothing
// is written into the repository.
func buildOverlay(t *testing.T, file string, overlay map[string]string, pkgs []string, out string) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run("go", append([]string{"build", "-overlay", file, "-o", out}, pkgs...)...); err != nil {
		t.Fatal(err)
	}
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```")

func goBlocks(md string) []string {
	var out []string
	for _, m := range goBlock.FindAllStringSubmatch(md, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestDocsLinksResolve follows relative links, and anchors into Markdown files.
func TestDocsLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, f := range trackedWith(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(withoutCode(read(t, f)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			dest := f
			if target != "" {
				dest = path.Join(path.Dir(f), target)
			}
			if _, err := os.Stat(filepath.Join(root, dest)); err != nil {
				t.Errorf("%s: link to %s, which does not exist", f, m[1])
				continue
			}
			if anchor != "" && strings.HasSuffix(dest, ".md") && !slices.Contains(headings(read(t, dest)), anchor) {
				t.Errorf("%s: link to %s, which has no heading #%s", f, m[1], anchor)
			}
		}
	}
}

var codeFence = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]*`")

func withoutCode(md string) string { return codeFence.ReplaceAllString(md, "`x`") }

// headings returns the anchors that a Markdown viewer makes of the headings.
func headings(md string) []string {
	var out []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+?) *$`).FindAllStringSubmatch(md, -1) {
		slug := drop.ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, strings.ReplaceAll(slug, " ", "-"))
	}
	return out
}

// TestREADMETable holds the table of packages to the goldens: every public
// package is in it, with the number of third-party packages that it links.
func TestREADMETable(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| \\[`([a-z0-9/]+)`\\]\\(([a-z0-9/]+)\\) \\| .+ \\| (none|[0-9]+) \\|$")
	claimed := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if m[1] != m[2] {
			t.Errorf("README.md: the row of %s links to %s", m[1], m[2])
		}
		claimed[m[1]] = m[3]
	}
	for _, p := range ours(t) {
		if !public(p) {
			continue
		}
		want := "none"
		if n := len(thirdPartyDeps(p)); n > 0 {
			want = strconv.Itoa(n)
		}
		if got := claimed[p.rel()]; got != want {
			t.Errorf("README.md: the row of %s says %q, its graph says %q", p.rel(), got, want)
		}
		delete(claimed, p.rel())
	}
	for name := range claimed {
		t.Errorf("README.md has a row for %s, which is no public package", name)
	}
}

// TestDocsNameTargetsThatExist: a "make X" in code is a target of the Makefile.
func TestDocsNameTargetsThatExist(t *testing.T) {
	targets := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	command := regexp.MustCompile("(?m)(?:^|`)(?:\\$ )?make ([a-z][a-z0-9-]*)")
	for _, f := range trackedWith(t, ".md") {
		for _, code := range codeFence.FindAllString(read(t, f), -1) {
			for _, m := range command.FindAllStringSubmatch(code, -1) {
				if !targets[m[1]] {
					t.Errorf("%s: make %s is no target", f, m[1])
				}
			}
		}
	}
}
