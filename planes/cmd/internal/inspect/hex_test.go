package inspect_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/inspect"
)

func TestHexIsReadAsToolsWriteIt(t *testing.T) {
	want := []byte("\xf7WP1\x01\x01\x00\x00# | //0123456789")
	for name, text := range map[string]string{
		"digits":          hex.EncodeToString(want),
		"upper case":      strings.ToUpper(hex.EncodeToString(want)),
		"words":           "f7575031 01 01 0000 23207c20 2f2f3031 32333435 36373839",
		"several lines":   "f7575031 01 01 0000 // preface\n23207c20 2f2f3031 # text\n\n32333435\r\n36373839\n",
		"a Go literal":    `"\xf7\x57\x50\x31\x01\x01\x00\x00\x23\x20\x7c\x20\x2f\x2f\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39"`,
		"a C array":       "0xf7, 0x57, 0x50, 0x31, 0x01, 0x01, 0x00, 0x00, 0x23, 0x20, 0x7c, 0x20, 0x2f, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39",
		"words, colons":   "f757:5031:0101:0000:2320:7c20:2f2f:3031:3233:3435:3637:3839",
		"with colons":     "f7:57:50:31:01:01:00:00:23:20:7c:20:2f:2f:30:31:32:33:34:35:36:37:38:39",
		"hexdump -C":      hex.Dump(want) + "00000018\n",
		"xxd":             "00000000: f757 5031 0101 0000 2320 7c20 2f2f 3031  .WP1....# | //01\n00000010: 3233 3435 3637 3839                      23456789\n",
		"xxd -p":          "f7575031010100002320\n7c202f2f30313233343536373839\n",
		"tcpdump -X":      "\t0x0000:  f757 5031 0101 0000 2320 7c20 2f2f 3031  .WP1....#.|.//01\n\t0x0010:  3233 3435 3637 3839                      23456789\n",
		"an offset of it": "00000000  f7 57 50 31\n00000004  01 01 00 00 23 20 7c 20 2f 2f 30 31 32 33 34 35 36 37 38 39\n",
	} {
		got, err := inspect.ParseHex(text)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n got %x\nwant %x", name, err, got, want)
		}
		if got, wasHex := inspect.FromFile([]byte(text)); !wasHex || !bytes.Equal(got, want) {
			t.Errorf("%s as a file: %v, %x", name, wasHex, got)
		}
	}
}

func TestHexThatLooksLikeOffsets(t *testing.T) {
	for text, want := range map[string]string{
		"00000000 00000007 6162": "00000000000000076162", // one space: no offset
		"00000004  0000":         "000000040000",         // not where the line is
		"00000000  00000004":     "0000000000000004",     // not one byte a group
		"f7575031\n00000004":     "f757503100000004",     // alone, after lines without
		"":                       "",
		"// nothing":             "",
	} {
		if got, err := inspect.ParseHex(text); err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%q: %x, %v; want %s", text, got, err, want)
		}
	}
}

func TestHexErrorsNameThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"f7 5":          "line 1, column 4: a byte has two hex digits",
		"f7\n00 0g":     "line 2, column 4: a byte has two hex digits",
		"f7\n00 g0":     "line 2, column 4: 'g' is no hex digit",
		"00 é":          "line 1, column 4: 'é' is no hex digit",
		"0000: 00 xx":   "line 1, column 10: 'x' is no hex digit",
		"0 0":           "line 1, column 1: a byte has two hex digits",
		"f757\n5031 01": "",
	} {
		_, err := inspect.ParseHex(text)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestFilesThatAreNotHex(t *testing.T) {
	for _, content := range []string{"", "\xf7WP1", "hello", "{\"a\":1}", "abc", "\n\n"} {
		if b, wasHex := inspect.FromFile([]byte(content)); wasHex || string(b) != content {
			t.Errorf("%q: %v, %q", content, wasHex, b)
		}
	}
}

// FuzzHex: what hex.Dump and hex.EncodeToString write is read back, and nothing makes
// more bytes than half its characters.
func FuzzHex(f *testing.F) {
	f.Add([]byte("\xf7WP1 | # // 0x"))
	f.Add(bytes.Repeat([]byte("00000000  00 "), 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, text := range []string{hex.Dump(in), hex.EncodeToString(in)} {
			if got, err := inspect.ParseHex(text); err != nil || !bytes.Equal(got, in) {
				t.Fatalf("%q: %x, %v; want %x", text, got, err, in)
			}
		}
		if got, err := inspect.ParseHex(string(in)); err == nil && len(got) > len(in)/2 {
			t.Fatalf("%d bytes of %q", len(got), in)
		}
	})
}
