package spec

import (
	"strings"
	"unicode/utf8"
)

// tokKind is the kind of a token.
type tokKind uint8

const (
	tokEOF tokKind = iota
	tokNewline
	tokComment
	tokIdent
	tokNumber
	tokString
	tokPunct
	tokBad // already reported
)

// token is one piece of source text. Newlines are tokens because they end
// members; comments are kept for documentation and for the formatter.
type token struct {
	Span
	kind tokKind
	text string // exactly as written
}

// lexer cuts source text into tokens.
type lexer struct {
	src  string
	pos  Pos
	rep  *reporter
	toks []token
}

// punctuation, longest first.
var puncts = []string{
	"..", "=>", "->", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>",
	"{", "}", "(", ")", "[", "]", "<", ">", ":", ";", ",", "=", "?", ".",
	"@", "*", "+", "-", "/", "%", "&", "|", "^", "~", "!",
}

// lex returns the tokens of src, ending with tokEOF.
func lex(src string, rep *reporter) []token {
	lx := &lexer{src: src, pos: Pos{Line: 1, Col: 1}, rep: rep}
	for lx.next() {
	}
	lx.emit(tokEOF, 0)
	return lx.toks
}

func (lx *lexer) rest() string { return lx.src[lx.pos.Offset:] }

// advance moves over n bytes of one line.
func (lx *lexer) advance(n int) {
	lx.pos.Offset += n
	lx.pos.Col += n
}

// emit makes a token of the next n bytes and moves over them.
func (lx *lexer) emit(k tokKind, n int) token {
	start := lx.pos
	text := lx.rest()[:n]
	lx.advance(n)
	t := token{Span: Span{Start: start, End: lx.pos}, kind: k, text: text}
	if k == tokNewline { // its span is empty, so that no span crosses a line end by it
		t.End = start
		lx.pos.Line++
		lx.pos.Col = 1
	}
	lx.toks = append(lx.toks, t)
	return t
}

// next makes one token, or skips blanks; it reports whether there is more.
func (lx *lexer) next() bool {
	s := lx.rest()
	if s == "" {
		return false
	}
	switch c := s[0]; {
	case c == '\n':
		lx.emit(tokNewline, 1)
	case c == ' ' || c == '\t' || c == '\r':
		lx.advance(1)
	case strings.HasPrefix(s, "//"):
		lx.comment(s)
	case strings.HasPrefix(s, "/*"):
		t := lx.emit(tokBad, 2)
		lx.rep.errorf(t.Span, "comments begin with // and end with the line")
	case isLetter(c):
		lx.emit(tokIdent, scan(s, func(c byte) bool { return isLetter(c) || isDigit(c) }))
	case isDigit(c):
		lx.emit(tokNumber, scanNumber(s))
	case c == '"':
		lx.str(s)
	default:
		lx.punct(s)
	}
	return true
}

func (lx *lexer) comment(s string) {
	n := strings.IndexByte(s, '\n')
	if n < 0 {
		n = len(s)
	}
	start := lx.pos
	lx.emit(tokComment, n)
	if !utf8.ValidString(s[:n]) {
		lx.rep.errorf(Span{Start: start, End: lx.pos}, "this comment is not UTF-8")
	}
}

// str reads a string up to its closing quote; it must end on its line.
func (lx *lexer) str(s string) {
	for i := 1; i < len(s) && s[i] != '\n'; i++ {
		if s[i] == '\\' {
			i++
			if i < len(s) && s[i] == '\n' {
				break
			}
			continue
		}
		if s[i] == '"' {
			lx.emit(tokString, i+1)
			return
		}
	}
	n := strings.IndexByte(s, '\n')
	if n < 0 {
		n = len(s)
	}
	t := lx.emit(tokBad, n)
	lx.rep.errorf(t.Span, "the string has no closing quote on this line").fix(`end it with "; strings that follow each other in a vector are joined`)
}

func (lx *lexer) punct(s string) {
	for _, p := range puncts {
		if strings.HasPrefix(s, p) {
			lx.emit(tokPunct, len(p))
			return
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	t := lx.emit(tokBad, n)
	if r == utf8.RuneError {
		lx.rep.errorf(t.Span, "byte 0x%02x is not UTF-8 text", s[0])
		return
	}
	e := lx.rep.errorf(t.Span, "character %q has no meaning here", r)
	switch r {
	case '\'':
		e.fix("strings stand in double quotes")
	case '#':
		e.fix("comments begin with //")
	}
}

func isLetter(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// scan counts the leading bytes of s that ok accepts.
func scan(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}

// scanNumber returns the length of the number at the start of s. Letters that
// follow belong to it, so that 12ab is one bad number and not two tokens.
func scanNumber(s string) int {
	alnum := func(c byte) bool { return isLetter(c) || isDigit(c) }
	n := scan(s, alnum)
	hex := len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')
	if hex {
		return n
	}
	if n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		n++
		n += scan(s[n:], alnum)
	}
	if (s[n-1] == 'e' || s[n-1] == 'E') && n+1 < len(s) && (s[n] == '-' || s[n] == '+') && isDigit(s[n+1]) {
		n++
		n += scan(s[n:], alnum)
	}
	return n
}
