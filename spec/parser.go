package spec

import (
	"strings"
)

// maxSource is the largest source file, in bytes, that Parse takes.
const maxSource = 4 << 20

// maxNesting is how deeply types, values and expressions may nest in the text.
const maxNesting = 100

// parser is a recursive-descent parser with one token of look-ahead.
//
// After an error it is "lost": peek then shows the end of the file, so that
// every loop ends and nothing further is reported, until sync finds the end of
// the member or declaration and clears the state.
type parser struct {
	rep      *reporter
	file     *File
	toks     []token // without comments
	i        int
	lost     bool
	depth    int
	declFrom int // first token of the declaration being read
	sawOrder bool
	comments map[int]comment // by line
}

// comment is one line of comment.
type comment struct {
	text  string
	alone bool // nothing else stands on its line
}

// Parse reads a .wire file. name is used in diagnostics only. src is borrowed
// for the life of the File. The error, if any, is an ErrorList with every
// mistake found; the File is not nil even then, but holds only what could be
// read. Check adds the mistakes beyond those of form, if these leave no doubt.
func Parse(name string, src []byte) (*File, error) {
	rep := &reporter{file: name}
	f := &File{Name: name, Source: src}
	if len(src) > maxSource {
		at := Pos{Line: 1, Col: 1}
		rep.errorf(Span{Start: at, End: at}, "the file has %d bytes, more than the %d that are read", len(src), maxSource)
		f.broken = rep.err()
		return f, f.broken
	}
	p := &parser{rep: rep, file: f}
	p.load(lex(string(src), rep))
	p.parseFile()
	err := rep.err()
	if rep.onlyClear() {
		f.mistakes = rep.errs
	} else {
		f.broken = err
	}
	return f, err
}

// load splits the comments off the tokens.
func (p *parser) load(toks []token) {
	p.comments = make(map[int]comment)
	alone := true
	for _, t := range toks {
		if t.kind == tokComment {
			text := strings.TrimRight(strings.TrimPrefix(t.text[2:], " "), " \t\r")
			p.comments[t.Start.Line] = comment{text: text, alone: alone}
			continue
		}
		alone = t.kind == tokNewline
		p.toks = append(p.toks, t)
	}
}

// docAbove returns the block of comment lines that ends on the line above.
func (p *parser) docAbove(line int) string {
	first := line
	for {
		c, ok := p.comments[first-1]
		if !ok || !c.alone {
			break
		}
		first--
	}
	lines := make([]string, 0, line-first)
	for l := first; l < line; l++ {
		lines = append(lines, p.comments[l].text)
	}
	return strings.Join(lines, "\n")
}

// doc returns the comment that documents something on one line: the block
// above it, or else what stands behind it.
func (p *parser) doc(line int) string {
	if d := p.docAbove(line); d != "" {
		return d
	}
	if c, ok := p.comments[line]; ok && !c.alone {
		return c.text
	}
	return ""
}

var eofToken = token{kind: tokEOF}

// peek returns the next token without taking it.
func (p *parser) peek() token {
	if p.lost {
		return eofToken
	}
	return p.toks[p.i]
}

// peekAt returns the token n places ahead.
func (p *parser) peekAt(n int) token {
	if p.lost || p.i+n >= len(p.toks) {
		return eofToken
	}
	return p.toks[p.i+n]
}

// take returns the next token and moves on; it never moves past the end.
func (p *parser) take() token {
	t := p.peek()
	if !p.lost && t.kind != tokEOF {
		p.i++
	}
	return t
}

// last is the span of the token taken last.
func (p *parser) last() Span {
	if p.i == 0 {
		return p.toks[0].Span
	}
	return p.toks[p.i-1].Span
}

func (t token) is(punct string) bool  { return t.kind == tokPunct && t.text == punct }
func (t token) word(name string) bool { return t.kind == tokIdent && t.text == name }
func (t token) endsMember() bool {
	return t.kind == tokNewline || t.is(";") || t.is("}") || t.kind == tokEOF
}
func (p *parser) at(punct string) bool { return p.peek().is(punct) }

// got takes the next token if it is the punctuation mark.
func (p *parser) got(punct string) bool {
	if !p.at(punct) {
		return false
	}
	p.i++
	return true
}

// gotWord takes the next token if it is the word.
func (p *parser) gotWord(name string) bool {
	if !p.peek().word(name) {
		return false
	}
	p.i++
	return true
}

// fail reports an error at a place and makes the parser lost. While it is lost
// already, the error is dropped.
func (p *parser) fail(at Span, format string, args ...any) *Error {
	if p.lost {
		return &Error{}
	}
	p.lost = true
	return p.rep.errorf(at, format, args...)
}

// unexpected reports that want should stand where the next token is.
func (p *parser) unexpected(want string) *Error {
	t := p.peek()
	if t.kind == tokBad {
		p.lost = true // the lexer has reported it
		return &Error{}
	}
	if t.kind == tokNewline || t.kind == tokEOF {
		return p.fail(t.Span, "expected %s, found the end of the %s", want, ends(t))
	}
	return p.fail(t.Span, "expected %s, found %s", want, quote(t.text))
}

func ends(t token) string {
	if t.kind == tokEOF {
		return "file"
	}
	return "line"
}

// quote puts source text between back quotes, shortened if it is long.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most] + "..."
	}
	return "`" + strings.ToValidUTF8(s, "?") + "`"
}

// expect takes the punctuation mark or reports that it is missing.
func (p *parser) expect(punct string) {
	if t := p.peek(); t.is(punct) {
		p.i++
		return
	}
	p.unexpected(quote(punct))
}

// name takes an identifier.
func (p *parser) name(what string) (string, Span) {
	if t := p.peek(); t.kind == tokIdent {
		p.i++
		return t.text, t.Span
	}
	p.unexpected(what)
	return "", p.last()
}

// skipLines moves over newlines.
func (p *parser) skipLines() {
	for p.peek().kind == tokNewline {
		p.i++
	}
}

// skipEnds moves over newlines and semicolons.
func (p *parser) skipEnds() {
	for p.peek().kind == tokNewline || p.at(";") {
		p.i++
	}
}

// nest guards recursion; it reports and returns false when the text nests too
// deeply. Every call is paired with one of unnest.
func (p *parser) nest() bool {
	p.depth++
	if p.depth > maxNesting {
		p.fail(p.peek().Span, "this is nested more than %d deep", maxNesting)
		return false
	}
	return true
}

func (p *parser) unnest() { p.depth-- }

// syncMember, if the parser is lost, moves to the end of the member that began
// at token from: a newline or semicolon outside its braces, or the closing
// brace of the block around it.
func (p *parser) syncMember(from int) {
	if !p.lost {
		return
	}
	p.lost = false
	depth := 0
	for j := from; ; j++ {
		t := p.toks[j]
		if t.kind == tokEOF || j > p.i && p.declStart(j) {
			p.i = j
			return
		}
		if depth == 0 && j >= p.i && t.endsMember() {
			p.i = j
			return
		}
		switch {
		case t.is("{"):
			depth++
		case t.is("}") && depth > 0:
			depth--
		}
	}
}

// syncDecl, if the parser is lost, moves to the next declaration.
func (p *parser) syncDecl() {
	if !p.lost {
		return
	}
	p.lost = false
	for p.toks[p.i].kind != tokEOF && (p.i == p.declFrom || !p.declStart(p.i)) {
		p.i++
	}
}

// declWords begin a declaration.
var declWords = []string{
	"protocol", "order", "limit", "const", "import", "open", "closed", "enum", "flags",
	"type", "struct", "frame", "stream", "extern", "accept", "reject",
}

// declStart reports whether token j begins a declaration: a declaration word at
// the left margin that is not followed by a colon.
func (p *parser) declStart(j int) bool {
	t := p.toks[j]
	if t.kind != tokIdent || t.Start.Col != 1 || p.toks[j+1].is(":") {
		return false
	}
	for _, w := range declWords {
		if t.text == w {
			return true
		}
	}
	return false
}

// unsupported reports a part of the language that this version does not have.
func (p *parser) unsupported(at Span, what string) *Error {
	return p.fail(at, "%s is part of the language, but not supported by this version", what)
}
