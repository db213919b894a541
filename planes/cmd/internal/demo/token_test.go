package demo

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// cut returns the tokens of what r holds.
func cut(t testing.TB, r io.Reader) []string {
	t.Helper()
	var all []string
	for tokens := newTokenizer(r); ; {
		tok, err := tokens.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(tok))
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       nil,
		"a":                      {"a"},
		"Hello, big world!\n\nx": {"Hello", ",", " big", " world", "!", "\n\n", "x"},
		"  two":                  {"  ", "two"},
		" (x == y)":              {" (", "x", " ==", " y", ")"},
		"a \n b":                 {"a", " \n ", "b"},
		"abcdefghijklmnopqrst":   {"abcdefghijklmnop", "qrst"},
		"ααααααααα":              {"αααααααα", "α"},
		"xααααααααα":             {"xααααααα", "αα"},
		" \xff\xfe\x00\x01":      {" \xff\xfe", "\x00\x01"},
	} {
		if got := cut(t, strings.NewReader(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTokensReportReadErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	tokens := newTokenizer(io.MultiReader(strings.NewReader("some words"), iotest.ErrReader(broken)))
	var err error
	for err == nil {
		_, err = tokens.next()
	}
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// FuzzTokens: the tokens joined are the input, each has 1 to 16 bytes, none cuts a
// rune of text that is UTF-8, and how the bytes come changes nothing.
func FuzzTokens(f *testing.F) {
	f.Add([]byte("The quick brown fox, jumping over 12345678901234567890 dogs.\r\n\tEnd"))
	f.Add([]byte("日本語のテキストは長いです"))
	f.Add(bytes.Repeat([]byte{0xf0, 0x80, ' '}, 3000))
	f.Fuzz(func(t *testing.T, in []byte) {
		all := cut(t, bytes.NewReader(in))
		if joined := strings.Join(all, ""); joined != string(in) {
			t.Fatalf("joined: %q, want %q", joined, in)
		}
		for _, tok := range all {
			if len(tok) < 1 || len(tok) > maxTokenBytes {
				t.Fatalf("%q has %d bytes", tok, len(tok))
			}
			if utf8.Valid(in) && !utf8.ValidString(tok) {
				t.Fatalf("%q cuts a rune of %q", tok, in)
			}
		}
		if again := cut(t, iotest.OneByteReader(bytes.NewReader(in))); !slices.Equal(all, again) {
			t.Fatalf("byte by byte: %q, want %q", again, all)
		}
	})
}

func TestSourcesOfAllKinds(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/text"
	if err := os.WriteFile(file, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	builtIn, err := Sample()
	if err != nil {
		t.Fatal(err)
	}
	if builtIn.Totals.Items < 300 || builtIn.Totals.Bytes != int64(len(sample)) {
		t.Errorf("sample: %+v", builtIn.Totals)
	}
	t.Setenv("TMPDIR", dir)
	for path, stdin := range map[string]string{file: "", "-": sample} {
		s, err := Open(t.Context(), path, strings.NewReader(stdin))
		if err != nil {
			t.Fatal(err)
		}
		if s.Totals != builtIn.Totals {
			t.Errorf("%s: %+v, want %+v", path, s.Totals, builtIn.Totals)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{dir + "/missing": "no such file", dir: "is a directory"} {
		if _, err := Open(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
