package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/demo"
)

// text returns a file of a few hundred tokens.
func text(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("Twelve words are enough to stream, if they are streamed often enough. ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDemo(t *testing.T) {
	file := text(t)
	got := runCommand(t, &app{}, "", "demo", "--calls", "16", file)
	if got.code != exitOK { // a slow machine gets to show its progress
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{
		"file    " + file + ": 1,400 bytes, 281 tokens", "worker  on 127.0.0.1:", "router  256 streams at once",
		"\nok  256 of 256 streams arrived whole", "streams             256, 256 of them open at once; 256 ends, 256 clean\n",
		"items               71,936, 281 a stream\n", "time to first item  p50 ", "items/s             ", "batching ratio      ", "system calls saved  ",
		"every combination: 16 calls", "\nmux TCP       same stream", "\nNATS          call-home pooled", "\nnot there: NATS + same stream",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("lacks %q:\n%s", want, got.out)
		}
	}
	if strings.Contains(got.out, "\x1b") {
		t.Errorf("colour where there is no terminal: %q", got.out)
	}
}

func TestDemoOnATerminal(t *testing.T) {
	a := &app{look: look{outTerminal: true, errTerminal: true, color: true}}
	got := runCommand(t, a, "", "demo", text(t), "--rate", "0", "--streams", "8", "--calls", "0")
	if got.code != exitOK || got.errOut != "" || !strings.Contains(got.out, "stream 1, as it arrives:\n") || !strings.Contains(got.out, "\x1b[32mok\x1b[0m  8 of 8") {
		t.Errorf("%+v", got)
	}
	if n := strings.Count(got.out, "worker  on"); n != 1 {
		t.Errorf("%d introductions", n)
	}
}

func TestDemoInJSON(t *testing.T) {
	a := &app{look: look{outTerminal: true}}
	got := runCommand(t, a, "from standard input", "demo", "-", "--json", "--streams", "300", "--calls", "16")
	var j map[string]any
	if err := json.Unmarshal([]byte(got.out), &j); err != nil || got.code != exitOK || strings.Count(got.out, "\n") != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	for field, want := range map[string]any{"ok": true, "streams": 300.0, "streams_whole": 300.0, "terminals": 300.0, "items": 900.0,
		"file": "standard input", "rate_per_stream": 0.0} {
		if j[field] != want {
			t.Errorf("%s is %v, want %v", field, j[field], want)
		}
	}
	if cells, _ := j["combinations"].([]any); len(cells) < 27 {
		t.Errorf("%d combinations", len(cells))
	}
}

// TestDemoFindsFaults: a byte that is flipped, or an item that is dropped, between
// worker and check makes the command fail and say which stream it was.
func TestDemoFindsFaults(t *testing.T) {
	file := text(t)
	for want, damage := range map[string]func(tok []byte) [][]byte{
		"stream 200: bytes were changed: all 281 items and 1,400 bytes, but SHA-256 is ": func(tok []byte) [][]byte {
			tok = bytes.Clone(tok)
			tok[0] ^= 0x20
			return [][]byte{tok}
		},
		"stream 200: items are missing: 280 items of 281, ": func([]byte) [][]byte { return nil },
	} {
		a := &app{demo: demo.Config{Fault: func(stream int, item int64, tok []byte) ([][]byte, error) {
			if stream == 199 && item == 137 {
				return damage(tok), nil
			}
			return [][]byte{tok}, nil
		}}}
		got := runCommand(t, a, "", "demo", "--calls", "0", file)
		if got.code != exitFailed || !strings.Contains(got.out, want) || !strings.Contains(got.out, "FAILED  255 of 256 streams arrived whole") {
			t.Errorf("%d, lacks %q:\n%s", got.code, want, got.out)
		}
		got = runCommand(t, a, "", "demo", "--calls", "0", "--json", file)
		var j struct {
			OK       bool
			Failures []struct {
				Stream int
				Why    string
			}
		}
		if err := json.Unmarshal([]byte(got.out), &j); err != nil || got.code != exitFailed || j.OK || len(j.Failures) != 1 || j.Failures[0].Stream != 200 {
			t.Errorf("%v: %d, %+v", err, got.code, j)
		}
	}
}

func TestDemoWithoutAFileToStream(t *testing.T) {
	dir := t.TempDir()
	for file, want := range map[string]string{filepath.Join(dir, "missing"): "no such file", dir: "is a directory"} {
		got := runCommand(t, &app{}, "", "demo", "--calls", "16", file)
		if got.code != exitFailed || got.out != "" || !strings.HasPrefix(got.errOut, "wireplane demo: ") || !strings.Contains(got.errOut, want) {
			t.Errorf("%s: %+v", file, got)
		}
	}
	if got := runCommand(t, &app{}, "", "demo", ""); got.code != exitUsage {
		t.Errorf("%+v", got)
	}
	if got := runCommand(t, &app{}, "", "demo", "-"); got.code != exitOK || !strings.Contains(got.out, "items               0, 0 a stream\n") {
		t.Errorf("nothing on standard input: %+v", got)
	}
}

func TestDemoChoosesItsText(t *testing.T) {
	root := t.TempDir()
	nested := filepath.Join(root, "planes", "cmd")
	if err := os.MkdirAll(nested, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		filepath.Join(root, "go.mod"):    "// a comment\nmodule github.com/wireplane/wireplane\n\ngo 1.26\n",
		filepath.Join(root, "README.md"): "# the readme",
		filepath.Join(nested, "go.mod"):  "module github.com/wireplane/wireplane/planes/cmd\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{nested: "README.md: 12 bytes", root: "README.md: 12 bytes", t.TempDir(): "file    built-in text: "} {
		t.Chdir(dir)
		if got := runCommand(t, &app{}, "", "demo", "--streams", "2"); got.code != exitOK || !strings.Contains(got.out, want) {
			t.Errorf("in %s: %+v, want %q", dir, got, want)
		}
	}
	if err := os.Remove(filepath.Join(root, "README.md")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	if got := findReadme(); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestDemoInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var out, errOut bytes.Buffer
	a := &app{stdout: &out, stderr: &errOut, demo: demo.Config{Fault: func(stream int, item int64, tok []byte) ([][]byte, error) {
		if stream == 3 && item == 20 {
			cancel()
		}
		return [][]byte{tok}, nil
	}}}
	if code := a.run(ctx, []string{"demo", "--rate", "50", text(t)}); code != exitFailed || !strings.Contains(out.String(), "\ninterrupted  ") {
		t.Errorf("%d\n%s%s", code, &out, &errOut)
	}
	out.Reset()
	if code := a.run(ctx, []string{"demo", text(t)}); code != exitFailed || out.Len() != 0 || !strings.Contains(errOut.String(), "CANCELLED") {
		t.Errorf("before it began: %d\n%s%s", code, &out, &errOut)
	}
}
