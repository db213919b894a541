package spec

import (
	"strconv"
	"strings"
)

// laterTypes are types of the full language that this version refuses.
var laterTypes = []string{"cstring", "uleb", "sleb", "zigzag", "quicvar", "mqttvar", "escape"}

// scalar returns the scalar type that an identifier names, or nil. A width that
// does not exist is reported.
func (p *parser) scalar(t token) *ScalarType {
	text, order := t.text, p.file.Order
	if s, ok := strings.CutSuffix(text, "le"); ok {
		text, order = s, LittleEndian
	} else if s, ok := strings.CutSuffix(text, "be"); ok {
		text, order = s, BigEndian
	}
	st := &ScalarType{Span: t.Span, Order: order}
	if text == "bool" && text == t.text {
		st.Kind, st.Bits = ScalarBool, 1
		return st
	}
	if len(text) < 2 || !isDigit(text[1]) {
		return nil
	}
	bits, err := strconv.Atoi(text[1:])
	if err != nil {
		return nil
	}
	st.Bits = bits
	switch text[0] {
	case 'u', 'i':
		if text[0] == 'i' {
			st.Kind = ScalarInt
		}
		if bits < 1 || bits > 64 || text[1] == '0' {
			p.rep.errorf(t.Span, "%s: integers are 1 to 64 bits wide", t.text)
			st.Bits = 64
		}
	case 'f':
		st.Kind = ScalarFloat
		if bits != 32 && bits != 64 {
			p.rep.errorf(t.Span, "%s: floats are f32 and f64", t.text)
			st.Bits = 64
		}
	default:
		return nil
	}
	return st
}

// badType is what parseType returns after an error; the file is never checked.
func badType(at Span) Type { return &ScalarType{Span: at, Bits: 8} }

// parseType reads a type.
func (p *parser) parseType() Type {
	if !p.nest() {
		p.unnest()
		return badType(p.last())
	}
	defer p.unnest()
	t := p.peek()
	if t.is("{") {
		p.unsupported(t.Span, "an inline struct").fix("declare a struct and name it here")
		return badType(t.Span)
	}
	if t.kind != tokIdent {
		p.unexpected("a type")
		return badType(t.Span)
	}
	switch t.text {
	case "match":
		return p.parseMatch()
	case "region":
		return p.parseRegion()
	case "bytes", "text":
		return p.parseBytes()
	}
	for _, w := range laterTypes {
		if t.text == w {
			p.unsupported(t.Span, quote(w))
			return badType(t.Span)
		}
	}
	if s := p.scalar(t); s != nil {
		p.take()
		return p.repeated(s)
	}
	return p.repeated(p.parseNamed())
}

// parseNamed reads a name and its arguments.
func (p *parser) parseNamed() *NamedType {
	n := &NamedType{Span: p.peek().Span}
	n.Name, n.NameSpan = p.name("a type's name")
	if p.got("(") {
		p.list(")", func() { n.Args = append(n.Args, p.parseExpr()) })
	}
	n.End = p.last().End
	return n
}

// repeated wraps elem into an array if an extent follows.
func (p *parser) repeated(elem Type) Type {
	if !p.at("[") && !p.at("<") {
		return elem
	}
	a := &ArrayType{Span: elem.Pos(), Elem: elem}
	a.Extent = p.parseExtent()
	a.Span.End = p.last().End
	p.oneExtent()
	return a
}

func (p *parser) oneExtent() {
	if p.at("[") || p.at("<") {
		p.unsupported(p.peek().Span, "a second extent").fix("declare a struct that holds the inner repetition")
	}
}

func (p *parser) parseBytes() Type {
	t := p.take()
	b := &BytesType{Span: t.Span, Text: t.text == "text"}
	if !p.at("[") && !p.at("<") {
		p.unexpected("the length of the "+t.text).
			note(Span{}, "[16] or [length]: the size is known; <u16 max 1024>: a length stands in front; [.. max 64]: up to the end of the region").
			fix("write `%s<u16 max 1024>`", t.text)
		return b
	}
	b.Extent = p.parseExtent()
	b.End = p.last().End
	p.oneExtent()
	return b
}

func (p *parser) parseRegion() Type {
	r := &RegionType{Span: p.take().Span}
	if !p.at("[") && !p.at("<") {
		p.unexpected("the size of the region")
		return r
	}
	r.Extent = p.parseExtent()
	if p.at("{") {
		p.unsupported(p.peek().Span, "a region with members of its own").fix("declare a struct and write `of NAME`")
		return r
	}
	if !p.gotWord("of") {
		p.unexpected("`of` and a type")
		return r
	}
	r.Of = p.parseType()
	r.End = p.last().End
	return r
}

// parseExtent reads [..] or <..>.
func (p *parser) parseExtent() *Extent {
	start := p.take()
	x := &Extent{Span: start.Span}
	if start.is("<") {
		p.prefixExtent(x)
	} else {
		p.sizedExtent(x)
	}
	x.End = p.last().End
	return x
}

func (p *parser) sizedExtent(x *Extent) {
	switch {
	case p.peek().word("until"):
		p.unsupported(p.peek().Span, "`until`")
	case p.got(".."):
		x.Kind = ExtentRest
	default:
		x.Kind = ExtentSized
		x.Size = p.parseExpr()
	}
	for !p.lost && !p.at("]") {
		switch t := p.peek(); {
		case t.word("max") && x.Max == nil:
			p.take()
			x.Max = p.parseExpr()
		default:
			p.unexpected("`max` or `]`")
		}
	}
	p.expect("]")
}

func (p *parser) prefixExtent(x *Extent) {
	x.Kind = ExtentPrefixed
	x.Prefix = p.parseWord("a length prefix")
	for !p.lost && !p.at(">") {
		t := p.peek()
		switch {
		case t.word("min") && x.Min == nil:
			p.take()
			x.Min = p.parseSum()
		case t.word("max") && x.Max == nil:
			p.take()
			x.Max = p.parseSum()
		case t.word("bytes"):
			p.take()
			x.InBytes = true
		case t.word("null"), t.word("bias"), t.word("minimal"):
			p.unsupported(t.Span, quote(t.text)+" in a length prefix")
		default:
			p.unexpected("`min`, `max`, `bytes` or `>`")
		}
	}
	p.expect(">")
}

func (p *parser) parseMatch() Type {
	m := &MatchType{Span: p.take().Span}
	m.Subject = p.parseExpr()
	p.block(func() {
		a := p.parseArm()
		if p.lost {
			return
		}
		m.Arms = append(m.Arms, a)
		if a.Else && m.Else == nil {
			m.Else = a
		}
	})
	m.End = p.last().End
	return m
}

func (p *parser) parseArm() *Arm {
	a := &Arm{Span: p.peek().Span}
	if p.peek().word("else") && p.peekAt(1).is("=>") {
		p.take()
		a.Else = true
	} else {
		a.Values = append(a.Values, p.parseSetItem())
		for p.got(",") {
			p.skipLines()
			a.Values = append(a.Values, p.parseSetItem())
		}
	}
	p.expect("=>")
	switch t := p.peek(); {
	case t.word("none"):
		p.take()
		a.Kind = ArmNone
	case t.word("error"):
		p.take()
		a.Kind = ArmError
	case t.word("skip"):
		p.unsupported(t.Span, "`skip`")
	default:
		a.Type = p.parseType()
		if t := p.peek(); t.word("borrow") || t.word("copy") {
			p.take()
			a.Own = ownership(t)
		}
	}
	a.End = p.last().End
	return a
}
