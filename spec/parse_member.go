package spec

// laterMembers are members of the full language that this version refuses.
var laterMembers = map[string]string{
	"let":   "`let`",
	"align": "`align`",
	"order": "`order` inside a struct",
}

// parseMember reads one line of a struct; nil if there was an error.
func (p *parser) parseMember() Member {
	t := p.peek()
	if t.kind == tokIdent && !p.peekAt(1).is(":") {
		switch {
		case t.text == "bits":
			return p.parseBits()
		case t.text == "assert":
			return p.parseAssert()
		case laterMembers[t.text] != "":
			p.unsupported(t.Span, laterMembers[t.text])
			return nil
		}
	}
	return p.parseField()
}

func (p *parser) parseAssert() Member {
	a := &Assert{Span: p.take().Span}
	a.Expr = p.parseExpr()
	a.End = p.last().End
	return a
}

func (p *parser) parseBits() Member {
	g := &BitGroup{Span: p.take().Span}
	g.Word = p.parseWord("a bit group")
	g.LSB = p.gotWord("lsb")
	p.block(func() {
		if f := p.parseField(); !p.lost {
			f.Group = g
			g.Fields = append(g.Fields, f)
		}
	})
	g.End = p.last().End
	return g
}

func (p *parser) parseField() *Field {
	first := p.peek()
	f := &Field{Span: first.Span, Doc: p.doc(first.Start.Line)}
	f.Name, f.NameSpan = p.name("a field, `bits` or `assert`")
	if !p.got(":") {
		p.unexpected("`:` and a type").fix("a field is written `%s: TYPE`", f.Name)
		return f
	}
	f.Type = p.parseType()
	p.parseClauses(f)
	f.End = p.last().End
	if p.lost || p.peek().endsMember() || p.at(",") {
		return f
	}
	t := p.peek()
	e := p.unexpected("a clause or the end of the line")
	if best := nearest(t.text, clauseWords); t.kind == tokIdent && best != "" {
		e.fix("did you mean `%s`?", best)
	} else {
		e.note(Span{}, "clauses are: = expr, or, if, where, in, default, borrow, copy, ignore, @attribute")
	}
	return f
}

var clauseWords = []string{"if", "where", "in", "default", "borrow", "copy", "ignore", "keep", "or", "max", "min"}

// parseClauses reads what stands behind the type of a field.
func (p *parser) parseClauses(f *Field) {
	for !p.lost {
		t := p.peek()
		switch {
		case t.is("="):
			p.take()
			p.once(t, f.Derived != nil)
			f.Derived = p.parseExpr()
			if p.gotWord("or") {
				f.Absent = p.parseExpr()
			}
		case t.word("if"):
			p.take()
			p.once(t, f.If != nil)
			f.If = p.parseExpr()
		case t.word("where"):
			p.take()
			f.Where = append(f.Where, p.parseExpr())
		case t.word("in"):
			p.take()
			f.In = append(f.In, p.parseIn(t, &This{node: node{Span: t.Span}}))
		case t.word("default"):
			p.take()
			p.once(t, f.Default != nil)
			f.Default = p.parseExpr()
		case t.word("ignore"):
			p.take()
			f.Ignore = true
		case t.word("keep"):
			p.unsupported(t.Span, "`keep` on a field")
		case t.word("borrow"), t.word("copy"):
			p.take()
			p.once(t, f.Own != OwnDefault)
			f.Own = ownership(t)
		case t.word("at"), t.word("via"), t.word("backward"):
			p.unsupported(t.Span, quote(t.text))
		case t.is("@"):
			f.Attrs = append(f.Attrs, p.parseAttrs()...)
		default:
			return
		}
	}
}

func ownership(t token) Ownership {
	if t.text == "copy" {
		return OwnCopy
	}
	return OwnBorrow
}

// once reports a clause that was given before.
func (p *parser) once(t token, before bool) {
	if before {
		p.fail(t.Span, "this field has a second %s clause", quote(t.text))
	}
}
