package spec

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const indentText = "    "

// Format returns source text in the canonical layout: four spaces of indent a
// level, one space around operators; types, `=` and `=>` aligned in consecutive
// lines of a block, and the comments behind them too. Line breaks are the
// author's, except that runs of blank lines become one. Formatting twice changes
// nothing. The error is an ErrorList if src does not parse; the result is new
// memory.
func Format(src []byte) ([]byte, error) {
	if _, err := Parse("input", src); err != nil {
		return nil, err
	}
	f := &formatter{}
	for _, l := range splitLines(lex(string(src), &reporter{})) {
		f.line(l)
	}
	f.flush()
	return bytes.TrimLeft(f.out.Bytes(), "\n"), nil
}

// fmtLine is one line of output before alignment.
type fmtLine struct {
	indent  int
	key     string // part up to the aligned column, "" if the line is not aligned
	kind    byte   // what is aligned: ':', '=' or '>' for =>
	text    string // the rest
	comment string
	blank   bool // an empty line
}

func (l *fmtLine) commentOnly() bool { return l.key == "" && l.text == "" }

// formatter prints lines, and holds back a section of them until it knows its
// columns.
type formatter struct {
	out     bytes.Buffer
	section []fmtLine
	blank   bool     // an empty line is due before the next one
	open    []opener // brackets that are open
	extra   int      // indent of a continued declaration
	decl    string   // first word of the declaration
	last    token    // last token of the line before, comments apart
	conds   int      // question marks without their colon
}

// opener is an open bracket and what kind it is.
type opener struct {
	text string
	set  bool // the braces of `in { }`
	ext  bool // the angles of an extent
}

// splitLines cuts tokens into lines without their newlines.
func splitLines(toks []token) [][]token {
	var lines [][]token
	var line []token
	for _, t := range toks {
		if t.kind == tokNewline || t.kind == tokEOF {
			lines = append(lines, line)
			line = nil
			continue
		}
		line = append(line, t)
	}
	return lines
}

// line adds one line of source.
func (f *formatter) line(toks []token) {
	var out fmtLine
	if n := len(toks); n > 0 && toks[n-1].kind == tokComment {
		out.comment = strings.TrimRight(toks[n-1].text, " \t\r")
		toks = toks[:n-1]
	}
	for len(toks) > 0 && toks[len(toks)-1].is(";") {
		toks = toks[:len(toks)-1]
	}
	if len(toks) == 0 && out.comment == "" {
		f.blank = true
		return
	}
	closing := len(toks) > 0 && isCloser(toks[0])
	if f.blank && !closing && !f.last.is("{") {
		f.add(fmtLine{blank: true})
	}
	f.blank = false
	out.indent = f.indentOf(toks)
	before := len(f.open)
	f.print(&out, toks)
	if len(f.open) != before || closing { // more lines belong to it
		if out.key != "" {
			out.key, out.text = "", out.key+" "+out.text
		}
	}
	f.add(out)
	if len(toks) > 0 {
		f.last = toks[len(toks)-1]
	}
}

func isCloser(t token) bool { return t.is("}") || t.is(")") || t.is("]") }

// indentOf returns the indent of a line, and follows where declarations begin.
func (f *formatter) indentOf(toks []token) int {
	depth := len(f.open)
	if len(toks) == 0 {
		if depth == 0 {
			return 0
		}
		return depth + f.extra
	}
	first := toks[0]
	switch {
	case isCloser(first) && depth > 0:
		return depth - 1 + f.extra
	case depth > 0 && (continues(f.last) || first.is(":")):
		return depth + 1 + f.extra
	case depth > 0:
		f.conds = 0
		return depth + f.extra
	}
	f.extra, f.conds = 0, 0
	if first.kind == tokString || first.is("=") || first.is(":") || continues(f.last) {
		f.extra = 1
	} else {
		f.decl = first.text
	}
	return f.extra
}

// continues reports whether the line behind a token belongs to the same member.
func continues(last token) bool {
	if last.is("=") || last.is("?") || last.is(":") {
		return true
	}
	for _, level := range binaryOps {
		if isOp(last, level) && !last.is("*") && !last.is(">") {
			return true
		}
	}
	return false
}

// print fills in the text of a line.
func (f *formatter) print(out *fmtLine, toks []token) {
	var b strings.Builder
	depth := len(f.open)
	inBlock := depth > 0 && f.open[depth-1].text == "{"
	prev := token{kind: tokNewline}
	tight := true // no blank behind prev
	cut := func(kind byte) {
		out.key, out.kind = b.String(), kind
		b.Reset()
		tight = true
	}
	for i, t := range toks {
		next := token{kind: tokNewline}
		if i+1 < len(toks) {
			next = toks[i+1]
		}
		left, right := f.glue(prev, t, next)
		if inBlock && len(f.open) == depth && out.key == "" {
			switch {
			case t.is("=>"):
				cut('>')
			case t.is("=") && i == 1:
				cut('=')
			}
		}
		if !tight && !left {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
		tight = right
		if inBlock && out.key == "" && i == 1 && t.is(":") {
			cut(':')
		}
		prev = t
	}
	out.text = b.String()
}

// glue says whether a token stands close to what is before and behind it, and
// follows the brackets.
func (f *formatter) glue(prev, t, next token) (left, right bool) {
	if t.kind != tokPunct {
		return false, false
	}
	switch t.text {
	case ",", ";":
		return true, false
	case ".", "@":
		return t.text == ".", true
	case "..":
		return true, !prev.is("[") || next.kind != tokIdent
	case "(", "[", "{", "<":
		return f.opening(prev, t, next)
	case ")", "]":
		f.pop()
		return true, false
	case "}":
		return f.pop().set || prev.is("{"), false
	case ">":
		if n := len(f.open); n > 0 && f.open[n-1].ext {
			f.pop()
			return true, false
		}
	case "?":
		if f.decl != "stream" {
			f.conds++
		}
		return f.decl == "stream", false
	case "*":
		return f.decl == "stream", false
	case ":":
		return f.colon(), false
	case "-", "!", "~":
		return false, unaryAfter(prev)
	}
	return false, false
}

// opening is glue for the opening brackets.
func (f *formatter) opening(prev, t, next token) (left, right bool) {
	switch t.text {
	case "{":
		set := prev.word("in")
		f.open = append(f.open, opener{text: "{", set: set})
		return false, set || next.is("}")
	case "<":
		if next.kind != tokIdent || !isPrefixWord(next.text) {
			return false, false
		}
		f.open = append(f.open, opener{text: "<", ext: true})
		return true, true
	}
	f.open = append(f.open, opener{text: t.text})
	return prev.is(")") || prev.is("]") || prev.is(">") || prev.kind == tokIdent && !beforeExpr[prev.text], true
}

func (f *formatter) pop() opener {
	n := len(f.open)
	if n == 0 {
		return opener{}
	}
	o := f.open[n-1]
	f.open = f.open[:n-1]
	return o
}

// colon reports whether a colon stands close to what is before it: not in a
// condition, nor before the kind of a reject vector.
func (f *formatter) colon() bool {
	if f.conds > 0 {
		f.conds--
		return false
	}
	return f.decl != "reject" || len(f.open) > 0
}

// beforeExpr are words that an expression follows, so that a bracket behind
// them opens that expression and no call.
var beforeExpr = map[string]bool{
	"if": true, "where": true, "in": true, "or": true, "default": true, "assert": true,
	"match": true, "max": true, "min": true, "at": true, "version": true, "bit": true,
}

func isPrefixWord(s string) bool {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "le"), "be")
	return len(s) >= 2 && s[0] == 'u' && scan(s[1:], isDigit) == len(s)-1
}

// unaryAfter reports whether a sign behind prev has only one operand.
func unaryAfter(prev token) bool {
	switch prev.kind {
	case tokNewline:
		return true
	case tokIdent:
		return beforeExpr[prev.text]
	case tokPunct:
		return !isCloser(prev)
	}
	return false
}

// add puts a line into the section, or begins a new section.
func (f *formatter) add(l fmtLine) {
	if l.blank {
		f.flush()
		f.out.WriteByte('\n')
		return
	}
	if last := f.lastCode(); last != nil && !l.commentOnly() {
		if last.kind != l.kind || last.indent != l.indent || (last.key == "") != (l.key == "") {
			f.flush()
		}
	}
	f.section = append(f.section, l)
}

// lastCode returns the last line of the section that is not only a comment.
func (f *formatter) lastCode() *fmtLine {
	for i := len(f.section) - 1; i >= 0; i-- {
		if l := &f.section[i]; !l.commentOnly() {
			return l
		}
	}
	return nil
}

// flush prints the section with its columns aligned.
func (f *formatter) flush() {
	keyWidth, textWidth := 0, 0
	for _, l := range f.section {
		keyWidth = max(keyWidth, utf8.RuneCountInString(l.key))
	}
	lines := make([]string, len(f.section))
	for i, l := range f.section {
		line := strings.Repeat(indentText, l.indent) + l.key
		if l.key != "" {
			line += strings.Repeat(" ", keyWidth-utf8.RuneCountInString(l.key)+1)
		}
		lines[i] = strings.TrimRight(line+l.text, " ")
		if l.comment != "" && !l.commentOnly() {
			textWidth = max(textWidth, utf8.RuneCountInString(lines[i]))
		}
	}
	for i, l := range f.section {
		switch {
		case l.comment == "":
			f.out.WriteString(lines[i])
		case l.commentOnly():
			f.out.WriteString(strings.Repeat(indentText, l.indent) + l.comment)
		default:
			pad := textWidth - utf8.RuneCountInString(lines[i]) + 2
			f.out.WriteString(lines[i] + strings.Repeat(" ", pad) + l.comment)
		}
		f.out.WriteByte('\n')
	}
	f.section = f.section[:0]
}
