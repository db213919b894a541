package spec

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// binaryOps are the levels of precedence, loosest first. `in` binds as tightly
// as the comparisons, which do not chain.
var binaryOps = [][]string{
	{"||"},
	{"&&"},
	{"==", "!=", "<", "<=", ">", ">="},
	{"|"},
	{"^"},
	{"&"},
	{"<<", ">>"},
	{"+", "-"},
	{"*", "/", "%"},
}

const (
	levelCompare = 2
	levelSum     = 7
)

// badExpr is what the expression parser returns after an error.
func badExpr(at Span) Expr { return &BoolLit{node: node{Span: at}} }

// parseExpr reads an expression, conditional included.
func (p *parser) parseExpr() Expr {
	if !p.nest() {
		p.unnest()
		return badExpr(p.last())
	}
	defer p.unnest()
	x := p.parseBinary(0)
	if !p.got("?") {
		return x
	}
	p.skipLines()
	c := &Cond{If: x}
	c.Then = p.parseExpr()
	p.skipLines()
	p.expect(":")
	p.skipLines()
	c.Else = p.parseExpr()
	c.Span = x.Pos().to(p.last())
	return c
}

// parseSum reads an expression without comparisons, as in <u8 max n>, where >
// is not an operator.
func (p *parser) parseSum() Expr { return p.parseBinary(levelSum) }

func (p *parser) parseBinary(level int) Expr {
	if level == len(binaryOps) {
		return p.parseUnary()
	}
	x := p.parseBinary(level + 1)
	for n := 0; !p.lost; n++ {
		t := p.peek()
		if level == levelCompare && t.word("in") {
			p.take()
			x = p.parseIn(t, x)
			continue
		}
		if !isOp(t, binaryOps[level]) {
			break
		}
		if n >= maxNesting {
			p.fail(t.Span, "the expression has more than %d operators in a row", maxNesting)
			break
		}
		p.take()
		if level == levelCompare && n > 0 {
			p.fail(t.Span, "comparisons do not chain").fix("join two comparisons with &&")
			break
		}
		p.skipLines()
		y := p.parseBinary(level + 1)
		x = &Binary{node: node{Span: x.Pos().to(p.last())}, Op: t.text, X: x, Y: y}
	}
	return x
}

func isOp(t token, ops []string) bool {
	for _, op := range ops {
		if t.is(op) {
			return true
		}
	}
	return false
}

// parseIn reads what follows `in`: a range or a set.
func (p *parser) parseIn(in token, x Expr) *InExpr {
	e := &InExpr{X: x}
	e.Span = x.Pos()
	if p.got("{") {
		p.list("}", func() { e.Set = append(e.Set, p.parseSetItem()) })
		if !p.lost && len(e.Set) == 0 {
			p.fail(in.Span, "the set behind `in` is empty")
		}
	} else {
		item := p.parseSetItem()
		if !p.lost && item.Hi == nil {
			p.unexpected("`..`").fix("write `in lo..hi` or `in {a, b}`")
		}
		e.Set = append(e.Set, item)
	}
	e.Span = e.Span.to(p.last())
	return e
}

// parseSetItem reads a value or a range of values.
func (p *parser) parseSetItem() *SetItem {
	s := &SetItem{Lo: p.parseBinary(levelCompare + 1)}
	if p.got("..") {
		s.Hi = p.parseBinary(levelCompare + 1)
	}
	s.Span = s.Lo.Pos().to(p.last())
	return s
}

func (p *parser) parseUnary() Expr {
	t := p.peek()
	if !t.is("-") && !t.is("!") && !t.is("~") {
		return p.parsePostfix()
	}
	if !p.nest() {
		p.unnest()
		return badExpr(p.last())
	}
	defer p.unnest()
	p.take()
	x := p.parseUnary()
	return &Unary{node: node{Span: t.Span.to(p.last())}, Op: t.text, X: x}
}

func (p *parser) parsePostfix() Expr {
	x := p.parsePrimary()
	for n := 0; p.at("."); n++ {
		if n >= maxNesting {
			p.fail(p.peek().Span, "this is nested more than %d deep", maxNesting)
			break
		}
		p.take()
		s := &Selector{X: x}
		s.Name, s.NameSpan = p.name("a name")
		s.Span = x.Pos().to(p.last())
		x = s
	}
	return x
}

func (p *parser) parsePrimary() Expr {
	t := p.peek()
	switch {
	case t.kind == tokNumber:
		return p.parseNumber()
	case t.kind == tokString:
		p.take()
		return &StringLit{node: node{Span: t.Span}, Value: p.unquote(t)}
	case t.word("true"), t.word("false"):
		p.take()
		return &BoolLit{node: node{Span: t.Span}, Value: t.text == "true"}
	case t.word("this"):
		p.take()
		return &This{node: node{Span: t.Span}}
	case t.kind == tokIdent && p.peekAt(1).is("("):
		return p.parseCall()
	case t.kind == tokIdent:
		p.take()
		return &Ident{node: node{Span: t.Span}, Name: t.text}
	case t.is("("):
		p.take()
		p.skipLines()
		x := &Paren{X: p.parseExpr()}
		p.skipLines()
		p.expect(")")
		x.Span = t.Span.to(p.last())
		return x
	}
	p.unexpected("a value")
	return badExpr(t.Span)
}

// parseCall reads name(args); an argument may be a range of fields a..b.
func (p *parser) parseCall() Expr {
	c := &Call{}
	c.Name, c.NameSpan = p.name("a function")
	p.expect("(")
	p.list(")", func() { c.Args = append(c.Args, p.parseArg()) })
	c.Span = c.NameSpan.to(p.last())
	return c
}

func (p *parser) parseArg() Expr {
	x := p.parseExpr()
	if !p.at("..") {
		return x
	}
	p.take()
	y := p.parseExpr()
	from, ok1 := x.(*Ident)
	to, ok2 := y.(*Ident)
	if !p.lost && (!ok1 || !ok2) {
		p.fail(x.Pos().to(y.Pos()), "a stretch a..b goes from one field to another")
	}
	return &FieldRange{node: node{Span: x.Pos().to(p.last())}, From: from, To: to}
}

// units may follow an integer.
var units = map[string]uint{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}

// decimalUnits are what people write for units.
var decimalUnits = map[string]string{"KB": "KiB", "MB": "MiB", "GB": "GiB", "TB": "TiB", "K": "KiB", "M": "MiB", "KIB": "KiB", "MIB": "MiB", "GIB": "GiB"}

func (p *parser) parseNumber() Expr {
	t := p.take()
	n := &Number{node: node{Span: t.Span}, Text: t.text}
	hexa := strings.HasPrefix(t.text, "0x") || strings.HasPrefix(t.text, "0X")
	if !hexa && strings.ContainsAny(t.text, ".eE") {
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail(t.Span, "%s is no number", quote(t.text))
		}
		n.IsFloat, n.Float = true, v
		return n
	}
	n.Value = new(big.Int)
	if len(t.text) > 100 {
		p.fail(t.Span, "this number is too long")
		return n
	}
	if v, ok := n.Value.SetString(t.text, 0); !ok || len(t.text) > 1 && t.text[0] == '0' && isDigit(t.text[1]) {
		n.Value = new(big.Int)
		p.fail(t.Span, "%s is no number", quote(t.text)).note(Span{}, "numbers are written 10, 1_000, 0x1f, 0b101, 0o17, 1.5")
		return n
	} else if u := p.peek(); u.kind == tokIdent && units[u.text] != 0 {
		p.take()
		v.Lsh(v, units[u.text])
		n.Text += " " + u.text
		n.Span = n.Span.to(u.Span)
	} else if fix := decimalUnits[strings.ToUpper(u.text)]; u.kind == tokIdent && fix != "" {
		p.fail(u.Span, "there is no unit %s", quote(u.text)).note(Span{}, "units count by 1024").fix("write `%s %s`", t.text, fix)
	}
	return n
}

// unquote resolves the escapes of a string token.
func (p *parser) unquote(t token) string {
	s := t.text[1 : len(t.text)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := escape(&b, s[i:])
		if n == 0 {
			at := t.Start
			at.Offset += i + 1
			at.Col += i + 1
			end := at
			end.Offset += 2
			end.Col += 2
			p.fail(Span{Start: at, End: end}, "unknown escape in a string").
				note(Span{}, `escapes are \n \r \t \0 \" \\ \xNN \u{N}`)
			return ""
		}
		i += n
	}
	return b.String()
}

var simpleEscapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '0': 0, '"': '"', '\\': '\\'}

// escape writes the character of the escape at the start of s, and returns the
// length of the escape, 0 if it is none.
func escape(b *strings.Builder, s string) int {
	if c, ok := simpleEscapes[s[1]]; ok {
		b.WriteByte(c)
		return 2
	}
	switch {
	case s[1] == 'x' && len(s) >= 4:
		v, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return 0
		}
		b.WriteByte(byte(v))
		return 4
	case s[1] == 'u' && len(s) >= 3 && s[2] == '{':
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0
		}
		v, err := strconv.ParseUint(s[3:end], 16, 32)
		if err != nil || v > utf8.MaxRune || !utf8.ValidRune(rune(v)) {
			return 0
		}
		b.WriteRune(rune(v))
		return end + 1
	}
	return 0
}
