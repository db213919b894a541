package configfile_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/configfile"
	"github.com/wireplane/wireplane/planes/dynenv"
)

func TestTheExampleIsLoaded(t *testing.T) {
	tree, err := configfile.Read(filepath.FromSlash("../../../dynenv/testdata/example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := dynenv.Load([]string{"DYN_NAMESPACE=other"}, tree)
	if err != nil {
		t.Fatal(err)
	}
	if c.RequestPlane.Mode != "tcp" || !c.Pool.Enabled || !c.TCPRequest.Listen.Explicit || c.Discovery.Namespace != "other" ||
		c.Router.InhibitedDuration.Seconds() != 2.5 || c.Log.Levels.String() != "info,tcpplane=debug" || c.System.Enabled {
		t.Errorf("%+v", c)
	}
}

func TestMistakesHaveTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"transport:\n  request_plan: {}":                       `transport.request_plan="" (f.yaml:2): want a key that is known; did you mean request_plane?`,
		"metrics:\n  # here\n  addr: 9090":                     `WIREPLANE_METRICS_ADDR="9090" (f.yaml:3): want HOST:PORT`,
		"transport: [1]":                                       `transport="(a list)" (f.yaml:1): want a section`,
		"log: {jsonl: perhaps}":                                `DYN_LOGGING_JSONL="perhaps" (f.yaml:1): want true or false`,
		"transport:\n  service_discovery:\n    namespace: 007": `DYN_NAMESPACE="7" (f.yaml:3): want text`,
		"log:\n  level: info\nlog:\n  level: debug":            "f.yaml:3: log is there twice, first in line 1",
		"a: &x 1\nb: *x":                                       "f.yaml:1: anchors are not supported\nf.yaml:2: aliases are not supported",
		"log:\n  <<: {level: info}":                            "f.yaml:2: a key must be a word",
		"log: {level: !!str info}":                             "the tag !!str is not supported",
		"a: 1\n---\nb: 2":                                      "a second document",
		"- a":                                                  "want keys with values",
		"just words":                                           "want keys with values",
		"a: [":                                                 "f.yaml: line 1: ",
		strings.Repeat("a: {", 40) + strings.Repeat("}", 40):      "f.yaml:1: ",
		"x: " + strings.Repeat("[", 40) + strings.Repeat("]", 40): "in one another",
		"# " + strings.Repeat("x", configfile.MaxSize):            "above 1048576 bytes",
	} {
		tree, err := configfile.Parse("f.yaml", []byte(text))
		if err == nil {
			_, err = dynenv.Load(nil, tree)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
}

func TestAFileThatSaysNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "transport:\n"} {
		tree, err := configfile.Parse("f.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if c, err := dynenv.Load(nil, tree); err != nil || c.File != "f.yaml" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("log:\n  level: info")
	f.Add("a: &x [*x]")
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := configfile.Parse("f", []byte(text))
		if (tree == nil) == (err == nil) {
			t.Fatalf("%v, %v", tree, err)
		}
		if tree == nil {
			return
		}
		if c, err := dynenv.Load(nil, tree); err == nil && c.Validate() != nil {
			t.Fatalf("Load took what Validate refuses: %v", c.Validate())
		}
	})
}
