package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// wiregen runs the command in-process.
func wiregen(t *testing.T, stdin string, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	c := &command{in: strings.NewReader(stdin), out: &o, err: &e, getenv: func(k string) string { return env[k] }}
	return c.run(args), o.String(), e.String()
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const chat = `// A chat.
protocol chat
order big

frame Say {
    size: u16 = size(text)
    text: text[size max 500]
}

accept Say "0002 6869" = { text: "hi" }
`

const wrong = `protocol chat
order big
frame Say {
    size: u16 = size(txt)
    kind: Kimd
    text: text[size]
}
`

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string
		errs string
	}{
		{nil, exitUsage, "", "Usage:"},
		{[]string{"--help"}, exitOK, "Examples:", ""},
		{[]string{"version"}, exitOK, "wiregen ", ""},
		{[]string{"frobnicate"}, exitUsage, "", `unknown command "frobnicate"`},
		{[]string{"gen"}, exitUsage, "", "no files"},
		{[]string{"gen", "-h"}, exitOK, "Usage:", ""},
		{[]string{"check", "--help"}, exitOK, "Usage:", ""},
		{[]string{"gen", "-nope"}, exitUsage, "", "wiregen gen: flag provided but not defined: -nope (see wiregen --help)\n"},
		{[]string{"check"}, exitUsage, "", "no files"},
		{[]string{"fmt", "-w"}, exitUsage, "", "need files"},
		{[]string{"check", "does-not-exist.wire"}, exitFailed, "", "does-not-exist.wire"},
	} {
		code, out, errs := wiregen(t, "", nil, c.args...)
		quiet := c.code != exitOK || errs == ""
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) || !quiet {
			t.Errorf("wiregen %q: code %d, out %q, errors %q", c.args, code, out, errs)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "chat.wire", chat), write(t, dir, "wrong.wire", wrong)
	code, out, errs := wiregen(t, "", nil, "check", good)
	if code != exitOK || !strings.Contains(out, "Say") || !strings.Contains(out, "502") || errs != "" {
		t.Errorf("good file: code %d\n%s%s", code, out, errs)
	}
	code, out, errs = wiregen(t, "", nil, "check", bad, good)
	if code != exitFailed || !strings.Contains(errs, "wrong.wire:4:") || !strings.Contains(errs, "^^^") || strings.Contains(errs, "\x1b") || !strings.Contains(out, "502") {
		t.Errorf("bad file: code %d\n%s%s", code, out, errs)
	}
	code, out, _ = wiregen(t, "", nil, "check", "-json", bad)
	var r fileReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitFailed || len(r.Errors) < 2 || r.Errors[0].Span.Start.Line != 4 {
		t.Errorf("json: code %d, %v\n%s", code, err, out)
	}
	code, out, _ = wiregen(t, "", nil, "check", "-json", good)
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || len(r.Messages) != 1 || r.Messages[0].Max != 502 {
		t.Errorf("json: code %d, %v\n%s", code, err, out)
	}
}

func TestColor(t *testing.T) {
	var o, e bytes.Buffer
	c := &command{out: &o, err: &e, getenv: func(string) string { return "" }, color: true}
	c.run([]string{"check", write(t, t.TempDir(), "wrong.wire", wrong)})
	if !strings.Contains(e.String(), "\x1b[31m^") {
		t.Errorf("no colour on a terminal: %q", e.String())
	}
}

func TestFormat(t *testing.T) {
	messy := strings.Replace(chat, "    size: u16 =", "  size:   u16=", 1)
	_, want, _ := wiregen(t, chat, nil, "fmt")
	if code, out, _ := wiregen(t, messy, nil, "fmt"); code != exitOK || out != want {
		t.Errorf("code %d\n%s\nwant\n%s", code, out, want)
	}
	file := write(t, t.TempDir(), "chat.wire", messy)
	if _, out, _ := wiregen(t, "", nil, "fmt", "-l", file); out != file+"\n" {
		t.Errorf("-l: %q", out)
	}
	if _, out, _ := wiregen(t, "", nil, "fmt", "-d", file); !strings.Contains(out, "-  size:   u16=") || !strings.Contains(out, "@@ -") {
		t.Errorf("-d: %s", out)
	}
	if code, _, _ := wiregen(t, "", nil, "fmt", "-w", file); code != exitOK {
		t.Errorf("-w: code %d", code)
	}
	if got, _ := os.ReadFile(file); string(got) != want {
		t.Errorf("-w wrote\n%s", got)
	}
	if code, _, errs := wiregen(t, "frame {", nil, "fmt"); code != exitFailed || !strings.Contains(errs, "<standard input>:1:") {
		t.Errorf("bad input: code %d, %s", code, errs)
	}
}

func TestGenNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.org/m\n")
	file := write(t, dir, "chat.wire", chat)
	if code, _, errs := wiregen(t, "", nil, "gen", "-o", filepath.Join(dir, "sub"), "-package", "talk", file); code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	got, err := os.ReadFile(filepath.Join(dir, "sub", "chat_wire_test.go"))
	if err != nil || !strings.Contains(string(got), `"example.org/m/sub"`) || !strings.Contains(string(got), "package talk_test") {
		t.Errorf("test file: %v\n%.300s", err, got)
	}
	bad := write(t, dir, "wrong.wire", wrong)
	if code, _, errs := wiregen(t, "", nil, "gen", "-o", dir, bad); code != exitFailed || !strings.Contains(errs, "mistakes") {
		t.Errorf("code %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "wrong_wire.go")); err == nil {
		t.Error("a file with mistakes was generated")
	}
}

// Another module uses the generator through go generate and go tool, and the
// generated tests pass there.
func TestOtherModule(t *testing.T) {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(here))))
	dir := t.TempDir()
	write(t, dir, "go.mod", `module example.org/chat

go 1.26.0

tool github.com/wireplane/wireplane/gen/cmd/wiregen

require github.com/wireplane/wireplane v0.0.0

replace github.com/wireplane/wireplane => `+root+"\n")
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.sum", string(sum))
	write(t, dir, "chat.wire", chat)
	write(t, dir, "chat.go", "// Package chat talks.\npackage chat\n\n//go:generate go tool wiregen gen chat.wire\n")
	for _, args := range [][]string{{"generate", "./..."}, {"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "NO_COLOR=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "chat_wire.go")); err != nil {
		t.Error(err)
	}
}
