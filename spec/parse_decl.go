package spec

// parseFile reads all declarations.
func (p *parser) parseFile() {
	p.skipEnds()
	if p.peek().word("protocol") {
		p.parseProtocol()
	} else {
		p.rep.errorf(p.peek().Span, "a file begins with `protocol NAME`").fix("put `protocol %s` first", "example")
	}
	for {
		p.syncDecl()
		p.skipEnds()
		if p.peek().kind == tokEOF {
			return
		}
		p.declFrom = p.i
		p.parseDecl()
		if !p.lost && !p.peek().endsMember() {
			p.unexpected("the end of the line")
		}
		if !p.lost && p.at("}") {
			p.fail(p.peek().Span, "this `}` closes nothing")
		}
	}
}

func (p *parser) parseProtocol() {
	start := p.take()
	p.file.Doc = p.docAbove(start.Start.Line)
	p.file.Protocol, p.file.NameSpan = p.name("the protocol's name")
	if p.gotWord("version") {
		p.file.Version = p.parseExpr()
	}
	if !p.lost && !p.peek().endsMember() {
		p.unexpected("the end of the line")
	}
}

// parseDecl reads one declaration and adds it to the file.
func (p *parser) parseDecl() {
	t := p.peek()
	if t.kind != tokIdent {
		p.unexpected("a declaration").note(Span{}, "declarations are: order, limit, const, enum, flags, struct, frame, stream, accept, reject")
		return
	}
	switch t.text {
	case "protocol":
		p.fail(t.Span, "there is a second `protocol`").note(p.file.NameSpan, "the first is here")
	case "order":
		p.parseOrder()
	case "limit":
		p.parseLimit()
	case "const":
		p.parseConst()
	case "open", "closed", "enum":
		p.parseEnum()
	case "flags":
		p.parseFlags()
	case "struct", "frame":
		p.parseStruct()
	case "stream":
		p.parseStream()
	case "accept", "reject":
		p.parseVector()
	case "import", "extern":
		p.unsupported(t.Span, quote(t.text))
	case "type":
		p.unsupported(t.Span, "a `type` alias").fix("use an enum, a struct or the type itself")
	default:
		p.badDecl(t)
	}
}

func (p *parser) badDecl(t token) {
	e := p.fail(t.Span, "%s is no declaration", quote(t.text))
	if best := nearest(t.text, declWords); best != "" {
		e.fix("did you mean `%s`?", best)
		return
	}
	e.note(Span{}, "declarations are: order, limit, const, enum, flags, struct, frame, stream, accept, reject")
}

func (p *parser) add(d Decl) {
	if !p.lost {
		p.file.Decls = append(p.file.Decls, d)
	}
}

func (p *parser) parseOrder() {
	start := p.take()
	switch {
	case p.gotWord("big"):
		p.setOrder(start, BigEndian)
	case p.gotWord("little"):
		p.setOrder(start, LittleEndian)
	default:
		p.unexpected("`big` or `little`")
	}
}

func (p *parser) setOrder(start token, o ByteOrder) {
	if p.sawOrder {
		p.fail(start.Span, "the byte order is declared twice").fix("give single fields their own order: u32le, u32be")
		return
	}
	for _, d := range p.file.Decls {
		switch d.(type) {
		case *Struct, *Enum, *Flags:
			p.fail(start.Span, "the byte order must be declared before the types that it applies to").note(d.Pos(), "this one stands before it")
			return
		}
	}
	p.sawOrder = true
	p.file.Order = o
}

func (p *parser) parseLimit() {
	d := &Limit{}
	d.Span = p.take().Span
	d.Doc = p.doc(d.Start.Line)
	d.Name, d.NameSpan = p.name("the limit's name")
	p.expect("=")
	d.Expr = p.parseExpr()
	d.End = p.last().End
	if !p.lost {
		p.file.Limits = append(p.file.Limits, d)
	}
	p.add(d)
}

func (p *parser) parseConst() {
	d := &Const{}
	d.Span = p.take().Span
	d.Doc = p.doc(d.Start.Line)
	d.Name, d.NameSpan = p.name("the constant's name")
	p.expect("=")
	d.Expr = p.parseExpr()
	d.End = p.last().End
	if !p.lost {
		p.file.Consts = append(p.file.Consts, d)
	}
	p.add(d)
}

// word type of an enum, a flags type, a bit group or a length prefix.
func (p *parser) parseWord(what string) *ScalarType {
	t := p.peek()
	if t.kind == tokIdent {
		if s := p.scalar(t); s != nil {
			p.i++
			if s.Kind != ScalarUint {
				p.fail(t.Span, "%s needs an unsigned integer type, not %s", what, t.text)
			}
			return s
		}
	}
	p.unexpected("an unsigned integer type such as u8")
	return &ScalarType{Span: t.Span, Bits: 8}
}

func (p *parser) parseEnum() {
	first := p.take()
	d := &Enum{Span: first.Span, Doc: p.docAbove(first.Start.Line), Open: first.text == "open"}
	if first.text == "enum" {
		p.rep.clearf(first.Span, "an enum is either `open enum` or `closed enum`").
			note(Span{}, "open: an unknown value is kept; closed: it is refused").fix("write `closed enum`")
	} else if !p.gotWord("enum") {
		p.unexpected("`enum`")
	}
	d.Name, d.NameSpan = p.name("the enum's name")
	p.expect(":")
	d.Type = p.parseWord("an enum")
	p.block(func() {
		if m := p.parseEnumMember(d); !p.lost {
			d.Members = append(d.Members, m)
		}
	})
	d.End = p.last().End
	p.file.Enums = append(p.file.Enums, d)
	p.add(d)
}

func (p *parser) parseEnumMember(d *Enum) *EnumMember {
	m := &EnumMember{Span: p.peek().Span, Enum: d}
	m.Name, m.NameSpan = p.name("a name")
	m.Doc = p.doc(m.Start.Line)
	p.expect("=")
	m.LoExpr = p.parseExpr()
	if p.got("..") {
		m.HiExpr = p.parseExpr()
	}
	p.parseAttrs()
	m.End = p.last().End
	return m
}

func (p *parser) parseFlags() {
	first := p.take()
	d := &Flags{Span: first.Span, Doc: p.docAbove(first.Start.Line)}
	d.Name, d.NameSpan = p.name("the flags type's name")
	p.expect(":")
	d.Type = p.parseWord("a flags type")
	p.block(func() {
		if p.peek().word("rest") && !p.peekAt(1).is("=") {
			p.parseRest(d)
			return
		}
		if b := p.parseFlagBit(d); !p.lost {
			d.Bits = append(d.Bits, b)
		}
	})
	d.End = p.last().End
	p.file.Flags = append(p.file.Flags, d)
	p.add(d)
}

func (p *parser) parseRest(d *Flags) {
	p.take()
	switch {
	case p.gotWord("error"):
		d.Rest = RestError
	case p.gotWord("ignore"):
		d.Rest = RestIgnore
	case p.gotWord("keep"):
		d.Rest = RestKeep
	default:
		p.unexpected("`error`, `ignore` or `keep`")
	}
}

func (p *parser) parseFlagBit(d *Flags) *FlagBit {
	b := &FlagBit{Span: p.peek().Span, Flags: d}
	b.Name, b.NameSpan = p.name("a name")
	b.Doc = p.doc(b.Start.Line)
	p.expect("=")
	if !p.gotWord("bit") {
		p.unexpected("`bit`").fix("write `%s = bit 0`", b.Name)
	}
	b.BitExpr = p.parseExpr()
	p.parseAttrs()
	b.End = p.last().End
	return b
}

// block reads `{`, items that end with a newline, a semicolon or a comma, `}`.
func (p *parser) block(item func()) {
	p.expect("{")
	if p.lost || !p.nest() {
		return
	}
	defer p.unnest()
	for {
		p.skipEnds()
		if p.got("}") {
			return
		}
		if t := p.peek(); t.kind == tokEOF || p.declStart(p.i) {
			p.fail(t.Span, "the block is not closed: `}` is missing before this")
			return
		}
		from := p.i
		item()
		p.syncMember(from)
		if p.got(",") || p.peek().endsMember() && p.peek().kind != tokEOF {
			continue
		}
		if p.peek().kind != tokEOF && !p.declStart(p.i) {
			p.unexpected("the end of the line")
			p.syncMember(from)
		}
	}
}

func (p *parser) parseStruct() {
	first := p.take()
	d := &Struct{Span: first.Span, Frame: first.text == "frame", Doc: p.docAbove(first.Start.Line)}
	d.Name, d.NameSpan = p.name("the " + first.text + "'s name")
	if p.got("(") {
		p.list(")", func() { d.Params = append(d.Params, p.parseParam()) })
	}
	d.Attrs = p.parseAttrs()
	p.block(func() {
		if m := p.parseMember(); m != nil && !p.lost {
			d.Members = append(d.Members, m)
		}
	})
	d.End = p.last().End
	p.file.Structs = append(p.file.Structs, d)
	p.add(d)
}

// list reads items separated by commas up to the closing mark.
func (p *parser) list(closing string, item func()) {
	for p.skipLines(); !p.lost && !p.at(closing); p.skipLines() {
		item()
		if !p.got(",") {
			break
		}
	}
	p.skipLines()
	p.expect(closing)
}

func (p *parser) parseParam() *Param {
	d := &Param{Span: p.peek().Span}
	d.Name, d.NameSpan = p.name("a parameter's name")
	p.expect(":")
	d.Type = p.parseType()
	if p.got("=") {
		d.Default = p.parseExpr()
	}
	d.End = p.last().End
	return d
}

func (p *parser) parseAttrs() []*Attr {
	var attrs []*Attr
	for p.at("@") {
		a := &Attr{Span: p.take().Span}
		a.Name, _ = p.name("the attribute's name")
		if p.got("(") {
			p.list(")", func() { a.Args = append(a.Args, p.parseExpr()) })
		}
		a.End = p.last().End
		attrs = append(attrs, a)
	}
	return attrs
}

func (p *parser) parseStream() {
	first := p.take()
	d := &Stream{Span: first.Span, Doc: p.docAbove(first.Start.Line)}
	d.Name, d.NameSpan = p.name("the stream's name")
	p.expect("{")
	for p.skipEnds(); !p.lost && !p.at("}"); p.skipEnds() {
		ph := &Phase{Type: p.parseNamed()}
		switch {
		case p.got("*"):
			ph.Repeat = '*'
		case p.got("?"):
			ph.Repeat = '?'
		}
		if p.peek().word("until") {
			p.unsupported(p.peek().Span, "`until`")
		}
		ph.Span = ph.Type.Span.to(p.last())
		d.Phases = append(d.Phases, ph)
		p.got(",")
	}
	p.expect("}")
	d.End = p.last().End
	p.file.Streams = append(p.file.Streams, d)
	p.add(d)
}
