package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/cmd/internal/demo"
)

const (
	preface  = "f7575031 01 01 0000"
	sentinel = "000000000000000a 0000000000000000 3993296f71e74889 2273656e74696e656c22"
)

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(sentinel, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
		want  string
	}{
		"hex":                {[]string{"--hex", preface}, "", exitOK, "\n1 message, 8 bytes: all decoded\n"},
		"standard input":     {nil, sentinel, exitOK, "\n1 message, 34 bytes: all decoded\n"},
		"the same, named":    {[]string{"-"}, string(raw), exitOK, "spec twopart, guessed"},
		"a file of bytes":    {[]string{file("raw", string(raw)), "--spec", "twopart"}, "", exitOK, "spec twopart: envelopes"},
		"a file of hex":      {[]string{file("hex", hex.Dump(raw))}, "", exitOK, `header = "\"sentinel\""`},
		"hex that is bytes":  {[]string{"--raw", "--spec", "dynamo", "--frame", "Ack", file("digits", "00")}, "", exitFailed, "cut short"},
		"another revision":   {[]string{"--hex", "0001 61 00000000", "--spec", "dynamo", "--param", "revision=1"}, "", exitOK, "Request at byte 0, 7 bytes, revision=1"},
		"sums that are not":  {[]string{"--hex", "000000 05 00000001 00000000 00000000 00 00 0000", "--sums"}, "", exitFailed, "Frame.hsum at byte "},
		"none that are":      {[]string{"--hex", "000000 05 00000001 00000000 00000000 00 00 0001", "--sums=false", "--spec=mux"}, "", exitFailed, "Frame.hsum at byte "},
		"cut short":          {[]string{"--hex", sentinel[:40]}, "", exitFailed, "at least"},
		"refused":            {[]string{"--hex", "f7575031 02 01 0000"}, "", exitFailed, "stopped at byte 5 (0x5): Preface.max_version at byte 5"},
		"no bytes":           {nil, "", exitFailed, "there are no bytes to decode\n"},
		"a file of no bytes": {[]string{file("empty", "")}, "", exitFailed, "there are no bytes to decode\n"},
		"http":               {nil, "GET / HTTP/1.1\r\n\r\n\r\n\r\n", exitFailed, "this looks like HTTP"},
	} {
		got := runCommand(t, &app{}, c.stdin, append([]string{"inspect"}, c.args...)...)
		if got.code != c.code || got.errOut != "" || !strings.Contains(got.out, c.want) {
			t.Errorf("%s: %+v, want %d and %q", name, got, c.code, c.want)
		}
	}
	missing := runCommand(t, &app{}, "", "inspect", filepath.Join(dir, "missing"))
	if missing.code != exitFailed || missing.out != "" || !strings.Contains(missing.errOut, "no such file") {
		t.Errorf("%+v", missing)
	}
}

func TestInspectInJSON(t *testing.T) {
	got := runCommand(t, &app{}, "", "inspect", "--json", "--hex", preface+" 00")
	var lines []map[string]any
	for dec := json.NewDecoder(strings.NewReader(got.out)); dec.More(); {
		var line map[string]any
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if got.code != exitFailed || len(lines) != 3 || lines[0]["message"] != "Preface" || lines[1]["message"] != "Frame" ||
		lines[2]["ok"] != false || lines[2]["offset"] != 9.0 || lines[2]["need"] != 19.0 {
		t.Errorf("%d: %v", got.code, lines)
	}
}

// TestInspectReadsWhatTheDemoSends: both directions of a real connection decode to
// the last byte, with the checksums that the two sides agreed on.
func TestInspectReadsWhatTheDemoSends(t *testing.T) {
	var toWorker, toRouter bytes.Buffer
	stop := func() {}
	a := &app{demo: demo.Config{Via: func(addr string) (string, error) {
		var to string
		to, stop = tap(t, addr, &toWorker, &toRouter)
		return to, nil
	}}}
	if got := runCommand(t, a, "", "demo", "--streams", "3", text(t)); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	stop()
	for name, c := range map[string]struct {
		captured string
		frames   []string
	}{
		"router": {toWorker.String(), []string{"Preface", "Frame HELLO", "Frame OPEN"}},
		"worker": {toRouter.String(), []string{"Preface", "Frame HELLO", "Frame DATA", "Frame END"}},
	} {
		got := runCommand(t, &app{}, c.captured, "inspect")
		if got.code != exitOK || !strings.Contains(got.out, "bytes: all decoded\n") || !strings.Contains(got.out, "sums=true") {
			t.Errorf("%s: %d\n%s", name, got.code, got.out[max(0, len(got.out)-2000):])
		}
		for _, frame := range c.frames {
			if !strings.Contains(got.out, "\n"+frame+" at byte ") {
				t.Errorf("%s: no %s", name, frame)
			}
		}
		if strings.Contains(got.out, "sums=false") {
			t.Errorf("%s: frames without checksums", name)
		}
	}
}

// tap forwards one connection to addr and keeps what goes each way, which may be
// read once stop has returned.
func tap(t *testing.T, addr string, toServer, toClient io.Writer) (string, func()) {
	t.Helper()
	ln := testenv.Listen(t)
	var both sync.WaitGroup
	both.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", addr)
		if err != nil {
			_ = c.Close()
			return
		}
		forward := func(dst, src net.Conn, keep io.Writer) {
			_, _ = io.Copy(io.MultiWriter(keep, dst), src)
			_ = dst.Close()
		}
		both.Go(func() { forward(s, c, toServer) })
		both.Go(func() { forward(c, s, toClient) })
	})
	return ln.Addr().String(), func() {
		_ = ln.Close()
		both.Wait()
	}
}
