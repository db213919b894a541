package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// result is what a command line did.
type result struct {
	code        int
	out, errOut string
}

// runCommand runs a command line. No goroutine of it may be left when t ends.
func runCommand(t *testing.T, a *app, stdin string, args ...string) result {
	t.Helper()
	testenv.NoLeak(t)
	var out, errOut bytes.Buffer
	a.stdin, a.stdout, a.stderr = strings.NewReader(stdin), &out, &errOut
	code := a.run(testenv.Context(t, time.Minute), args)
	return result{code, out.String(), errOut.String()}
}

// golden compares text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", file, got)
	}
}

func TestHelp(t *testing.T) {
	for _, c := range commands() {
		if c.summary == "" {
			continue
		}
		long := runCommand(t, &app{}, "", c.name, "--help")
		if long.code != exitOK || long.errOut != "" {
			t.Errorf("%s --help: %+v", c.name, long)
		}
		if c.name != "bench" { // it has tests of its own, for what each flag is
			golden(t, "help-"+c.name+".txt", long.out)
		}
		if !strings.Contains(long.out, "Examples:\n  wireplane "+c.name) {
			t.Errorf("%s --help has no examples of it:\n%s", c.name, long.out)
		}
		for _, other := range [][]string{{"help", c.name}, {c.name, "-h"}} {
			if got := runCommand(t, &app{}, "", other...); got != long {
				t.Errorf("%v: %+v, want that of --help", other, got)
			}
		}
		for i, line := range strings.Split(long.out, "\n") {
			if len(line) > 100 {
				t.Errorf("%s --help, line %d has %d columns", c.name, i+1, len(line))
			}
		}
	}
	var all result
	for i, args := range [][]string{{"--help"}, {"-h"}, {"help"}} {
		got := runCommand(t, &app{}, "", args...)
		if i == 0 {
			all = got
			golden(t, "help.txt", got.out)
		}
		if got != all || got.code != exitOK {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := runCommand(t, &app{}, ""); got.code != exitUsage || got.errOut != all.out || got.out != "" {
		t.Errorf("no arguments: %+v", got)
	}
	if strings.Contains(all.out, benchPeer) {
		t.Error("the hidden command is in the help text")
	}
}

func TestWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"demmo":                    `no command "demmo"; did you mean demo?`,
		"isnpect x":                "did you mean inspect?",
		"zzz":                      "no command \"zzz\"\nRun 'wireplane help'",
		"help zzz":                 `no command "zzz"`,
		"help bench-peer":          `no command "bench-peer"`,
		"help demo bench":          "one command, not 2",
		"version x":                `unexpected argument "x"`,
		"demo --strems 3":          "no flag --strems; did you mean --streams?",
		"demo --zzz":               "no flag --zzz\n",
		"demo --streams 0":         "--streams 0; want 1 to 16384",
		"demo --streams 99999":     "--streams 99999; want",
		"demo --streams many":      `invalid value "many"`,
		"demo --rate -1":           `--rate "-1"; want`,
		"demo --rate NaN":          `--rate "NaN"; want`,
		"demo --rate fast":         `--rate "fast"; want`,
		"demo a --json b":          "one FILE, not 2: a b",
		"bench --rounds":           "flag needs an argument",
		"bench --suite nosuch":     `no suite "nosuch"`,
		"config x":                 `unexpected argument "x"; a file`,
		"config --chekc":           "no flag --chekc; did you mean --check?",
		"inspect --spec":           "flag needs an argument",
		"inspect --spec nosuch":    "nosuch",
		"inspect --spek mux":       "no flag --spek; did you mean --spec?",
		"inspect --hex 00 FILE":    "--hex",
		"inspect --frame NoFrame":  "NoFrame",
		"inspect a b":              "one FILE, not 2: a b",
		"inspect --param x a":      "--param",
		"inspect --param nosuch=1": "nosuch",
	} {
		got := runCommand(t, &app{}, "", strings.Fields(args)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.errOut, want) {
			t.Errorf("%s: %+v, want 2 and %q", args, got, want)
		}
		if !strings.Contains(got.errOut, "Run 'wireplane ") || !strings.HasPrefix(got.errOut, "wireplane") {
			t.Errorf("%s: does not say where there is help: %q", args, got.errOut)
		}
	}
}

func TestFlagsMayComeAnywhere(t *testing.T) {
	for args, want := range map[string]string{
		"x --streams 3":         "x",
		"--streams 3 x":         "x",
		"--streams=3 -- x":      "x",
		"--streams=3 -- --json": "--json",
		"--streams 3 -":         "-",
		"--streams 3":           "",
	} {
		o, err := parseDemo(strings.Fields(args))
		if err != nil || o.file != want || o.streams != 3 || o.json {
			t.Errorf("%s: %+v, %v", args, o, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"-v"}} {
		if got := runCommand(t, &app{}, "", args...); got.code != exitOK || !strings.HasPrefix(got.out, "wireplane ") || got.errOut != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := runCommand(t, &app{}, "", "version", "--json"); !strings.HasPrefix(got.out, `{"version":"`) {
		t.Errorf("%+v", got)
	}
	b := build{Version: "v1.2.3", Revision: "0123456789abcdef", Time: "2026-01-02T03:04:05Z", Modified: true, Go: "go1.26", Platform: "linux/amd64"}
	if got := b.String(); got != "wireplane v1.2.3 (0123456789ab, 2026-01-02T03:04:05Z), modified, go1.26 linux/amd64" {
		t.Error(got)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"demo", "inspect", "bench", "version", "help"}
	for written, want := range map[string]string{
		"dmeo": "; did you mean demo?", "benchh": "; did you mean bench?", "Help": "; did you mean help?",
		"": "", "x": "", "serve": "", "inspect": "; did you mean inspect?",
	} {
		if got := didYouMean(written, names, ""); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}

func TestRunIsTheCommand(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(context.Background(), []string{"version"}, nil, &out, &errOut); code != exitOK || out.Len() == 0 {
		t.Errorf("%d, %q, %q", code, &out, &errOut)
	}
}
