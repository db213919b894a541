package spec

import "encoding/hex"

// maxVector is the most bytes that one vector may hold.
const maxVector = 64 << 10

// parseVector reads `accept T "hex" = value` or `reject T "hex": Kind at n`.
func (p *parser) parseVector() {
	first := p.take()
	v := &Vector{Span: first.Span, Accept: first.text == "accept", Offset: -1, Doc: p.docAbove(first.Start.Line)}
	n := p.parseNamed()
	v.TypeName, v.TypeSpan, v.Args = n.Name, n.NameSpan, n.Args
	p.parseHex(v)
	next := p.peekPastLines()
	switch {
	case v.Accept && next.is("="):
		p.skipLines()
		p.take()
		p.skipLines()
		v.Value = p.parseValue()
	case !v.Accept && next.is(":"):
		p.skipLines()
		p.take()
		v.Kind, v.KindSpan = p.name("the kind of error")
		if p.gotWord("at") {
			v.At = p.parseExpr()
		}
	case !v.Accept:
		p.unexpected("`:` and the kind of error").fix("write `: Range at 0`")
	}
	v.End = p.last().End
	if !p.lost {
		p.file.Vectors = append(p.file.Vectors, v)
	}
	p.add(v)
}

// peekPastLines returns the first token that is not a newline.
func (p *parser) peekPastLines() token {
	n := 0
	for p.peekAt(n).kind == tokNewline {
		n++
	}
	return p.peekAt(n)
}

// parseHex reads the strings of hex digits, which may stand on several lines.
func (p *parser) parseHex(v *Vector) {
	if p.peek().kind != tokString {
		p.unexpected("the bytes in hex, in quotes")
		return
	}
	v.HexSpan = p.peek().Span
	for p.peekPastLines().kind == tokString {
		p.skipLines()
		t := p.take()
		v.HexSpan.End = t.End
		p.hexDigits(v, t)
	}
	if len(v.Bytes) > maxVector {
		p.fail(v.HexSpan, "a vector holds at most %d bytes", maxVector)
	}
}

func (p *parser) hexDigits(v *Vector, t token) {
	digits := make([]byte, 0, len(t.text))
	for i := 1; i < len(t.text)-1; i++ {
		c := t.text[i]
		if c == ' ' || c == '_' {
			continue
		}
		digits = append(digits, c)
		if !isHex(c) {
			at := t.Start
			at.Offset += i
			at.Col += i
			end := at
			end.Offset++
			end.Col++
			p.fail(Span{Start: at, End: end}, "this is no hex digit")
			return
		}
	}
	b := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(b, digits); err != nil {
		p.fail(t.Span, "the number of hex digits is odd")
		return
	}
	v.Bytes = append(v.Bytes, b...)
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// parseValue reads the value of a vector.
func (p *parser) parseValue() *Value {
	if !p.nest() {
		p.unnest()
		return &Value{Span: p.last()}
	}
	defer p.unnest()
	t := p.peek()
	v := &Value{Span: t.Span}
	switch {
	case t.is("{"):
		p.structValue(v)
	case t.is("["):
		p.take()
		v.list = true
		p.list("]", func() { v.Elems = append(v.Elems, p.parseValue()) })
	case t.word("true"), t.word("false"), t.kind == tokNumber, t.kind == tokString, t.is("-"):
		v.lit = p.parseUnary()
		if s, ok := v.lit.(*StringLit); ok {
			v.Str = []byte(s.Value)
		}
	case t.kind == tokIdent && p.peekAt(1).is("{"):
		v.typeName, v.typeSpan = p.name("a type")
		p.structValue(v)
	case t.kind == tokIdent:
		p.nameValue(v)
	default:
		p.unexpected("a value")
	}
	v.End = p.last().End
	return v
}

// nameValue reads names joined by |.
func (p *parser) nameValue(v *Value) {
	for {
		t := p.peek()
		name, at := p.name("a name")
		v.names = append(v.names, &Ident{node: node{Span: at}, Name: name})
		if p.lost || t.kind != tokIdent || !p.got("|") {
			return
		}
		p.skipLines()
	}
}

func (p *parser) structValue(v *Value) {
	p.expect("{")
	v.braces = true
	for p.skipEnds(); !p.lost && !p.at("}"); p.skipEnds() {
		f := &FieldValue{Span: p.peek().Span}
		f.Name, f.NameSpan = p.name("a field's name")
		p.expect(":")
		f.Value = p.parseValue()
		f.End = p.last().End
		v.Fields = append(v.Fields, f)
		if !p.got(",") && !p.at("}") && p.peek().kind != tokNewline {
			p.unexpected("`,` or `}`")
		}
	}
	p.expect("}")
}
