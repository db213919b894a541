package spec_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

// archive is a text archive: a comment, then files behind lines `-- name --`.
type archive struct {
	comment string
	names   []string
	files   map[string]string
}

func parseArchive(data string) *archive {
	a := &archive{files: make(map[string]string)}
	name := ""
	for line := range strings.Lines(data) {
		if s := strings.TrimSpace(line); strings.HasPrefix(s, "-- ") && strings.HasSuffix(s, " --") {
			name = strings.TrimSuffix(strings.TrimPrefix(s, "-- "), " --")
			a.names = append(a.names, name)
			a.files[name] = ""
			continue
		}
		if name == "" {
			a.comment += line
			continue
		}
		a.files[name] += line
	}
	return a
}

func (a *archive) format() []byte {
	var b bytes.Buffer
	b.WriteString(a.comment)
	for _, n := range a.names {
		b.WriteString("-- " + n + " --\n" + a.files[n])
	}
	return b.Bytes()
}

// diagnose parses and checks src and returns what a person would see.
func diagnose(name, src string) (string, error) {
	f, err := spec.Parse(name, []byte(src))
	if err == nil {
		err = f.Check()
	}
	var list spec.ErrorList
	if errors.As(err, &list) {
		return list.Render([]byte(src)), err
	}
	return "", err
}

// TestGoldens holds the diagnostics of every input in testdata to the text that
// stands behind it. An input without a want file must be accepted.
func TestGoldens(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a := parseArchive(string(data))
		for i := 0; i < len(a.names); i++ {
			name := a.names[i]
			if !strings.HasSuffix(name, ".wire") {
				continue
			}
			want := strings.TrimSuffix(name, ".wire") + ".want"
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				got, err := diagnose(name, a.files[name])
				if *update {
					a.set(want, got, i)
					return
				}
				if got != a.files[want] {
					t.Errorf("diagnostics differ\n--- got\n%s--- want\n%s", got, a.files[want])
				}
				if (err == nil) != (a.files[want] == "") {
					t.Errorf("error is %v", err)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, a.format(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// set puts a file behind the i-th one, or changes or removes it.
func (a *archive) set(name, text string, i int) {
	_, have := a.files[name]
	switch {
	case text == "" && have:
		delete(a.files, name)
		a.names = append(a.names[:i+1:i+1], a.names[i+2:]...)
		return
	case text == "":
		return
	case !have:
		a.names = append(a.names[:i+1:i+1], append([]string{name}, a.names[i+1:]...)...)
	}
	a.files[name] = text
}
