package spec

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxShown is the longest stretch of a source line, in bytes, that a diagnostic
// shows.
const maxShown = 160

// Render returns the diagnostics as text for a person: for each the place and
// message, the source line with the mistake underlined, notes, and what to write
// instead. src is the text of the file that the errors are of.
func (l ErrorList) Render(src []byte) string {
	var b strings.Builder
	for i, e := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		e.render(&b, src)
	}
	return b.String()
}

func (e *Error) render(b *strings.Builder, src []byte) {
	fmt.Fprintf(b, "%s:%d:%d: %s\n", e.File, e.Span.Start.Line, e.Span.Start.Col, e.Msg)
	excerpt(b, src, e.Span, '^')
	for _, n := range e.Notes {
		if n.Span.IsZero() {
			fmt.Fprintf(b, "  note: %s\n", n.Msg)
			continue
		}
		fmt.Fprintf(b, "  note: %s (line %d)\n", n.Msg, n.Span.Start.Line)
		excerpt(b, src, n.Span, '-')
	}
	if e.Fix != "" {
		fmt.Fprintf(b, "  fix:  %s\n", e.Fix)
	}
}

// excerpt writes the line of a span and a line that underlines the span.
func excerpt(b *strings.Builder, src []byte, at Span, mark byte) {
	if at.IsZero() || at.Start.Offset > len(src) {
		return
	}
	start := bytes.LastIndexByte(src[:at.Start.Offset], '\n') + 1
	end := len(src)
	if n := bytes.IndexByte(src[start:], '\n'); n >= 0 {
		end = start + n
	}
	from := at.Start.Offset
	to := max(from, min(at.End.Offset, end))
	if end-start > maxShown { // show the part around the mistake
		start = max(start, from-maxShown/2)
		end = min(end, start+maxShown)
		to = min(to, end)
	}
	number := fmt.Sprintf("%5d", at.Start.Line)
	fmt.Fprintf(b, "%s | %s\n", number, printable(src[start:end]))
	indent := columns(src[start:from])
	width := max(1, columns(src[from:to]))
	fmt.Fprintf(b, "%s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", indent), strings.Repeat(string(mark), width))
}

// printable makes one column of every character of a line.
func printable(line []byte) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(line), "?")), " ")
}

// columns counts the columns that printable gives to some text.
func columns(text []byte) int {
	return utf8.RuneCountInString(strings.ToValidUTF8(string(text), "?"))
}
