package spec

import "math/big"

// scope says which names an expression may use.
type scope struct {
	s       *Struct // nil at the top level
	upto    int     // fields with a smaller index have been read
	this    *Field  // what `this` means, or nil
	derived bool    // size() may name later fields, and checksums are allowed
	cond    Expr    // the `if` of the field whose clause this is, or nil
}

// resolve finds out what the names in e mean, the kind of e, and its value if
// it is constant. Mistakes are reported once; the kind is then ValueInvalid.
func (c *checker) resolve(e Expr, sc *scope) { c.resolveAs(e, sc, nil) }

// resolveAs is resolve where a bare name may also be a member of the enum want.
func (c *checker) resolveAs(e Expr, sc *scope, want *Enum) {
	in := e.Info()
	*in = Info{}
	switch e := e.(type) {
	case *Number:
		in.Kind = ValueFloat
		if !e.IsFloat {
			in.Kind, in.Const = ValueInt, e.Value
		}
	case *BoolLit:
		in.Kind, in.Const = ValueBool, boolInt(e.Value)
	case *StringLit:
		c.rep.errorf(e.Span, "a string has no place in an expression")
	case *This:
		c.resolveThis(e, sc)
	case *Ident:
		c.resolveIdent(e, sc, want)
	case *Selector:
		c.resolveSelector(e, sc)
	case *Paren:
		c.resolveAs(e.X, sc, want)
		*in = *e.X.Info()
	case *Unary:
		c.resolveUnary(e, sc)
	case *Binary:
		c.resolveBinary(e, sc, want)
	case *Cond:
		c.resolveCond(e, sc, want)
	case *InExpr:
		c.resolveIn(e, sc)
	case *Call:
		c.resolveCall(e, sc)
	case *FieldRange:
		c.rep.errorf(e.Span, "a stretch a..b has a meaning only inside size and the checksums")
	}
	if in.Const != nil && in.Const.BitLen() > 128 {
		c.rep.errorf(e.Pos(), "this number needs more than 128 bits")
		*in = Info{}
	}
}

func boolInt(b bool) *big.Int {
	if b {
		return big.NewInt(1)
	}
	return new(big.Int)
}

func (c *checker) resolveThis(e *This, sc *scope) {
	if sc.this == nil {
		c.rep.errorf(e.Span, "`this` has a meaning only in a clause of a field")
		return
	}
	e.Field = sc.this
	e.info = typeInfo(sc.this.Type)
}

// typeInfo returns the kind of value that a type has in expressions.
func typeInfo(t Type) Info {
	switch t := t.(type) {
	case *ScalarType:
		switch t.Kind {
		case ScalarBool:
			return Info{Kind: ValueBool}
		case ScalarFloat:
			return Info{Kind: ValueFloat}
		}
		return Info{Kind: ValueInt}
	case *NamedType:
		switch d := t.Ref.(type) {
		case *Enum:
			return Info{Kind: ValueEnum, Named: d}
		case *Flags:
			return Info{Kind: ValueFlags, Named: d}
		case nil:
			return Info{}
		}
	}
	return Info{Kind: ValueData}
}

func (c *checker) resolveIdent(e *Ident, sc *scope, want *Enum) {
	if want != nil {
		if m := want.member(e.Name); m != nil {
			e.Ref = m
			e.info = memberInfo(m)
			return
		}
	}
	if sc.s != nil {
		if f := sc.s.field(e.Name); f != nil {
			c.resolveField(e, f, sc)
			return
		}
		for _, p := range sc.s.Params {
			if p.Name == e.Name {
				e.Ref = p
				e.info = typeInfo(p.Type)
				return
			}
		}
	}
	switch d := c.file.scope[e.Name].(type) {
	case *Const:
		c.evalConst(d)
		e.Ref = d
		e.info = *d.Expr.Info()
	case *Limit:
		if sc.s == nil {
			c.rep.errorf(e.Span, "the limit %s can change at run time and is no constant", quote(e.Name)).fix("declare it with `const`")
			return
		}
		e.Ref = d
		e.info = Info{Kind: ValueInt, Limit: true}
	default:
		c.unknownIdent(e, sc, want)
	}
}

func memberInfo(m *EnumMember) Info {
	in := Info{Kind: ValueEnum, Named: m.Enum}
	if m.Lo == m.Hi {
		in.Const = new(big.Int).SetUint64(m.Lo)
	}
	return in
}

func (e *Enum) member(name string) *EnumMember {
	for _, m := range e.Members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func (s *Struct) field(name string) *Field {
	if name == "_" {
		return nil
	}
	for _, f := range s.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// resolveField resolves a name that is a field, used for its value.
func (c *checker) resolveField(e *Ident, f *Field, sc *scope) {
	e.Ref = f
	if f.Index >= sc.upto {
		c.rep.errorf(e.Span, "%s has not been read yet here", quote(e.Name)).note(f.NameSpan, "it stands here, later in the message")
		return
	}
	if f.If != nil && f != sc.this && (sc.cond == nil || ExprString(sc.cond) != ExprString(f.If)) {
		c.rep.errorf(e.Span, "%s may be absent here, so its value cannot be used", quote(e.Name)).note(f.If.Pos(), "it is there only on this condition")
		return
	}
	e.info = typeInfo(f.Type)
}

func (c *checker) unknownIdent(e *Ident, sc *scope, want *Enum) {
	names := c.declNames(func(d Decl) bool {
		switch d.(type) {
		case *Const, *Limit:
			return true
		}
		return false
	})
	what := "name"
	if sc.s != nil {
		for _, f := range sc.s.Fields {
			if f.Name != "_" {
				names = append(names, f.Name)
			}
		}
		for _, p := range sc.s.Params {
			names = append(names, p.Name)
		}
		what = "field, parameter, constant or limit"
	}
	if want != nil {
		for _, m := range want.Members {
			names = append(names, m.Name)
		}
		what = want.Name
	}
	if en := c.enumWith(e.Name); en != nil && want == nil {
		c.rep.errorf(e.Span, "there is no %s %s", what, quote(e.Name)).
			note(en.NameSpan, "the enum %s has a member of that name", quote(en.Name)).
			fix("write `%s.%s`", en.Name, e.Name)
		return
	}
	c.unknown(e.Span, what, e.Name, names)
}

func (c *checker) enumWith(member string) *Enum {
	for _, en := range c.file.Enums {
		if en.member(member) != nil {
			return en
		}
	}
	return nil
}

// resolveSelector resolves flags.BIT and Enum.MEMBER.
func (c *checker) resolveSelector(e *Selector, sc *scope) {
	if id, ok := e.X.(*Ident); ok && (sc.s == nil || sc.s.field(id.Name) == nil && !sc.s.hasParam(id.Name)) {
		if en, ok := c.file.scope[id.Name].(*Enum); ok {
			c.enumSelector(e, en)
			return
		}
	}
	c.resolve(e.X, sc)
	in := e.X.Info()
	if in.Kind == ValueInvalid {
		return
	}
	fl, ok := in.Named.(*Flags)
	if !ok || in.Kind != ValueFlags {
		c.rep.errorf(e.NameSpan, "only flags and enums have something behind a dot")
		return
	}
	names := make([]string, 0, len(fl.Bits))
	for _, b := range fl.Bits {
		if b.Name == e.Name {
			e.Flag = b
			e.info = Info{Kind: ValueBool}
			return
		}
		names = append(names, b.Name)
	}
	c.unknown(e.NameSpan, fl.Name+" bit", e.Name, names)
}

func (c *checker) enumSelector(e *Selector, en *Enum) {
	if m := en.member(e.Name); m != nil {
		e.Member = m
		e.info = memberInfo(m)
		return
	}
	c.unknown(e.NameSpan, en.Name, e.Name, en.names())
}

func (e *Enum) names() []string {
	names := make([]string, 0, len(e.Members))
	for _, m := range e.Members {
		names = append(names, m.Name)
	}
	return names
}

func (s *Struct) hasParam(name string) bool {
	for _, p := range s.Params {
		if p.Name == name {
			return true
		}
	}
	return false
}

// enumOf guesses, before names are resolved, the enum that e is a value of, so
// that bare member names can stand on the other side of a comparison.
func (c *checker) enumOf(e Expr, sc *scope) *Enum {
	var t Type
	switch e := e.(type) {
	case *Paren:
		return c.enumOf(e.X, sc)
	case *This:
		if sc.this != nil {
			t = sc.this.Type
		}
	case *Ident:
		if sc.s == nil {
			return nil
		}
		if f := sc.s.field(e.Name); f != nil {
			t = f.Type
		}
		for _, p := range sc.s.Params {
			if p.Name == e.Name {
				t = p.Type
			}
		}
	case *Selector:
		if id, ok := e.X.(*Ident); ok {
			en, _ := c.file.scope[id.Name].(*Enum)
			return en
		}
	}
	if n, ok := t.(*NamedType); ok {
		en, _ := c.file.scope[n.Name].(*Enum)
		return en
	}
	return nil
}
