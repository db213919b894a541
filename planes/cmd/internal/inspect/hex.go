package inspect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	colonOffset = regexp.MustCompile(`^\s*(?:0[xX])?[0-9a-fA-F]{4,16}:(?:\s+|$)`)                 // xxd, tcpdump -x
	plainOffset = regexp.MustCompile(`^\s*([0-9a-fA-F]{8})(?:\s*$|  +(?:[0-9a-fA-F]{2}(?: |$)))`) // hexdump -C
	gutter      = regexp.MustCompile(`\S(\s{2,}\S.*)$`)
	comment     = regexp.MustCompile(`(?://|#).*$`)
)

// ParseHex reads hex digits. Between bytes it skips spaces, commas, colons, hyphens,
// underscores, quotes, 0x and \x; it skips // and # comments, and the offsets in
// front of lines and the text behind them as hexdump -C, xxd and tcpdump -x write
// them. Its errors name line and column.
func ParseHex(text string) ([]byte, error) {
	var out []byte
	lineNo := 0
	var offsets bool // lines have offsets without a colon
	for s := range strings.Lines(text) {
		lineNo++
		digits, column := hexPart(strings.TrimRight(s, "\r\n"), len(out), &offsets)
		for i := 0; i < len(digits); {
			if skip := separator(digits[i:]); skip > 0 {
				i += skip
				continue
			}
			var v [2]int
			for j := range v {
				v[j] = -1
				if i+j < len(digits) {
					v[j] = hexDigit(digits[i+j])
				}
			}
			switch {
			case v[0] < 0:
				return nil, fmt.Errorf("line %d, column %d: %q is no hex digit", lineNo, column+i+1, firstRune(digits[i:]))
			case v[1] < 0:
				return nil, fmt.Errorf("line %d, column %d: a byte has two hex digits", lineNo, column+i+1)
			}
			out = append(out, byte(v[0]<<4|v[1]))
			i += 2
		}
	}
	return out, nil
}

// hexDigit returns the value of a digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// hexPart returns the part of a line that holds bytes, and the columns in front of
// it. have is how many bytes came before the line: an offset without a colon must
// be that number, or else it is bytes. One that stands alone must follow others.
func hexPart(s string, have int, offsets *bool) (string, int) {
	s = comment.ReplaceAllString(s, "")
	if i := strings.IndexByte(s, '|'); i >= 0 {
		s = s[:i]
	}
	if at := colonOffset.FindStringIndex(s); at != nil {
		rest := s[at[1]:]
		if g := gutter.FindStringSubmatchIndex(rest); g != nil {
			rest = rest[:g[2]]
		}
		return rest, at[1]
	}
	at := plainOffset.FindStringSubmatchIndex(s)
	if at == nil {
		return s, 0
	}
	alone := strings.TrimSpace(s) == s[at[2]:at[3]]
	n, err := strconv.ParseInt(s[at[2]:at[3]], 16, 64)
	if err != nil || n != int64(have) || alone && !*offsets {
		return s, 0
	}
	*offsets = true
	return s[at[3]:], at[3]
}

// separator returns the length of what stands between bytes at the start of s.
func separator(s string) int {
	switch {
	case strings.ContainsRune(" \t,:-_\"'\v\f", rune(s[0])):
		return 1
	case len(s) > 1 && (s[:2] == "0x" || s[:2] == "0X" || s[:2] == `\x`):
		return 2
	}
	return 0
}

// FromFile returns the bytes that a file holds: those that it spells if it is text
// in hex, and its own otherwise.
func FromFile(content []byte) (b []byte, wasHex bool) {
	for _, c := range content {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return content, false
		}
	}
	if b, err := ParseHex(string(content)); err == nil && len(b) > 0 {
		return b, true
	}
	return content, false
}
