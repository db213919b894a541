package lint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	modulePath = "github.com/wireplane/wireplane"
	root       = "../.."
)

// tracked returns the files of the repository that git knows, with slashes,
// relative to the root. Those deleted in the workspace are left out.
func tracked(t *testing.T) []string {
	t.Helper()
	files, err := listTracked()
	if err != nil {
		t.Fatalf("list the files: %v", err)
	}
	return files
}

var listTracked = sync.OnceValues(func() ([]string, error) {
	out, err := run("git", "ls-files", "-z")
	if err != nil {
		return walk() // an unpacked archive has no git
	}
	files := strings.Split(strings.TrimRight(out, "\x00"), "\x00")
	return slices.DeleteFunc(files, func(f string) bool {
		_, err := os.Stat(filepath.Join(root, f))
		return err != nil
	}), nil
})

// walk returns all files of an unpacked archive.
func walk() ([]string, error) {
	var files []string
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// trackedWith returns the tracked files whose name ends in one of the suffixes.
func trackedWith(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var out []string
	for _, f := range tracked(t) {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(f, s) }) {
			out = append(out, f)
		}
	}
	return out
}

// goFiles returns the tracked Go files outside testdata.
func goFiles(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(trackedWith(t, ".go"), func(f string) bool {
		return strings.Contains("/"+f, "/testdata/")
	})
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

var generatedHeader = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func isGenerated(src string) bool { return generatedHeader.MatchString(src) }

// run executes a command in the root of the repository, for linux/amd64 without
// cgo, so that the answers of go list are the same on every machine.
func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(err, errors.New(stderr.String()))
	}
	return string(out), nil
}

// pkg is what go list says about a package, test files left out.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	Imports    []string
	Deps       []string
}

// own tells whether the package belongs to the root module.
func (p *pkg) own() bool { return p.rel() != p.ImportPath }

// rel is the folder of a package of ours, and the import path of any other.
func (p *pkg) rel() string { return strings.TrimPrefix(p.ImportPath, modulePath+"/") }

// thirdParty tells whether path is neither std nor ours.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(path, modulePath+"/")
}

// packages returns every package that the root module builds, by import path.
func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	all, err := listPackages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

var listPackages = sync.OnceValues(func() (map[string]*pkg, error) {
	out, err := run("go", "list", "-deps", "-json=ImportPath,Dir,Name,Standard,Imports,Deps", "./...")
	if err != nil {
		return nil, err
	}
	all := make(map[string]*pkg)
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

// ours returns the packages of the root module in order, those only that have a
// tracked file.
func ours(t *testing.T) []*pkg {
	t.Helper()
	folders := make(map[string]bool)
	for _, f := range goFiles(t) {
		folders[path.Dir(f)] = true
	}
	var out []*pkg
	for _, p := range packages(t) {
		if p.own() && folders[p.rel()] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return out
}
