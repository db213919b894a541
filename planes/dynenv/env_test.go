package dynenv_test

import (
	"flag"
	"os"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/dynenv"
)

var update = flag.Bool("update", false, "rewrite ENV.md")

func TestMain(m *testing.M) { testenv.Main(m) }

func TestEnvMDIsFresh(t *testing.T) {
	want := dynenv.Markdown()
	if *update {
		if err := os.WriteFile("ENV.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile("ENV.md")
	if err != nil || string(have) != want {
		t.Errorf("ENV.md is not what the table says (%v); run make generate", err)
	}
}
