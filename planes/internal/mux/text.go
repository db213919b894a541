package mux

import (
	"strings"
	"unicode/utf8"
)

// fit returns s as valid UTF-8 of at most n bytes, cut between characters.
func fit(s string, n int) []byte {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return []byte(s)
}

// endText returns the reason of an END, which the codec takes for bytes, as text
// within its limit.
func endText(tail []byte) []byte {
	return fit(string(tail[:min(len(tail), maxEndText+utf8.UTFMax)]), maxEndText)
}
