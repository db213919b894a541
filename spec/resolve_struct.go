package spec

// resolveTypes resolves the names of all types of a struct.
func (c *checker) resolveTypes(s *Struct) {
	for _, f := range s.Fields {
		c.resolveType(f.Type)
	}
}

// resolveType resolves the type names in t.
func (c *checker) resolveType(t Type) {
	switch t := t.(type) {
	case *NamedType:
		c.resolveNamed(t)
	case *ArrayType:
		c.resolveType(t.Elem)
	case *RegionType:
		c.resolveType(t.Of)
	case *MatchType:
		for _, a := range t.Arms {
			if a.Type != nil {
				c.resolveType(a.Type)
			}
		}
	}
}

func (c *checker) resolveNamed(t *NamedType) {
	d := c.file.scope[t.Name]
	switch d := d.(type) {
	case *Enum, *Flags:
		t.Ref = d
		if len(t.Args) > 0 {
			c.rep.errorf(t.Span, "%s takes no parameters", quote(t.Name))
		}
	case *Struct:
		t.Ref = d
	case nil:
		names := c.declNames(isType)
		names = append(names, "bytes", "text", "bool", "u8", "u16", "u32", "u64")
		if alias, ok := foreignTypes[t.Name]; ok {
			c.rep.errorf(t.NameSpan, "there is no type %s", quote(t.Name)).fix("write `%s`", alias)
			return
		}
		c.unknown(t.NameSpan, "type", t.Name, names)
	default:
		c.rep.errorf(t.NameSpan, "%s is no type", quote(t.Name)).note(nameSpan(d), "it is declared here")
	}
}

func isType(d Decl) bool {
	switch d.(type) {
	case *Enum, *Flags, *Struct:
		return true
	}
	return false
}

// foreignTypes are what other languages call our types.
var foreignTypes = map[string]string{
	"uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "byte": "u8", "char": "u8",
	"int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "int": "i32", "uint": "u32",
	"float": "f32", "float32": "f32", "double": "f64", "float64": "f64", "boolean": "bool",
	"string": "text<u16 max 1024>", "str": "text<u16 max 1024>",
}

// resolveMembers resolves the expressions of all members, in wire order.
func (c *checker) resolveMembers(s *Struct) {
	next := 0 // fields declared before the member
	for _, m := range s.Members {
		switch m := m.(type) {
		case *Field:
			c.resolveClauses(s, m)
			next++
		case *BitGroup:
			for _, f := range m.Fields {
				c.resolveClauses(s, f)
			}
			next += len(m.Fields)
		case *Assert:
			c.resolveAssert(s, m, next)
		}
	}
}

func (c *checker) resolveAssert(s *Struct, a *Assert, next int) {
	c.resolve(a.Expr, &scope{s: s, upto: next})
	if !c.wantBool(a.Expr) {
		return
	}
	a.Limit = a.Expr.Info().Limit
	a.Fields = namedFields(a.Expr, s)
	if !measures(a.Expr) {
		c.assume(s, a.Expr, a.upto())
	}
}

// upto is the number of fields that must have been read for the assertion.
func (a *Assert) upto() int {
	if n := len(a.Fields); n > 0 {
		return a.Fields[n-1].Index + 1
	}
	return 0
}

// measures reports whether e asks for a size or a count. The constraints of
// such an expression wait until the sizes are known.
func measures(e Expr) bool {
	return calls(e, func(fn Func) bool { return fn == FuncSize || fn == FuncCount })
}

// assume adds what follows from a condition that holds once the fields below
// upto have been read.
func (c *checker) assume(s *Struct, e Expr, upto int) {
	st := c.state[s]
	for _, con := range c.constraints(e, upto) {
		con.from = e
		st.cons = append(st.cons, con)
	}
}

// assumeOf is assume for a condition on a field. A condition on a field that may
// be absent says something about the value of that field only.
func (c *checker) assumeOf(s *Struct, f *Field, e Expr) {
	if f.If == nil {
		c.assume(s, e, f.Index+1)
		return
	}
	st := c.state[s]
	for _, con := range c.constraints(e, f.Index+1) {
		if _, ok := con.form.terms[linVar{f: f}]; ok && len(con.form.terms) == 1 {
			con.from = e
			st.cons = append(st.cons, con)
		}
	}
}

// namedFields are the fields that e names, in wire order.
func namedFields(e Expr, s *Struct) []*Field {
	used := make(map[*Field]bool)
	walk(e, func(x Expr) {
		switch x := x.(type) {
		case *Ident:
			if f, ok := x.Ref.(*Field); ok {
				used[f] = true
			}
		case *This:
			used[x.Field] = true
		}
	})
	var out []*Field
	for _, f := range s.Fields {
		if used[f] {
			out = append(out, f)
		}
	}
	return out
}

// resolveClauses resolves the expressions of one field, those of its type
// included, and collects the constraints on it.
func (c *checker) resolveClauses(s *Struct, f *Field) {
	before := &scope{s: s, upto: f.Index}
	if f.If != nil {
		c.resolve(f.If, before)
		c.wantBool(f.If)
	}
	before.cond = f.If
	c.typeExprs(f.Type, before)
	after := &scope{s: s, upto: f.Index + 1, this: f, cond: f.If}
	for _, w := range f.Where {
		c.resolve(w, after)
		if c.wantBool(w) && !measures(w) {
			c.assumeOf(s, f, w)
		}
	}
	for _, in := range f.In {
		c.resolve(in, after)
		if in.Info().Kind == ValueBool {
			c.assumeOf(s, f, in)
		}
	}
	if f.Derived != nil {
		in := typeInfo(f.Type)
		en, _ := in.Named.(*Enum)
		sc := &scope{s: s, upto: f.Index, derived: true, cond: f.If}
		c.resolveAs(f.Derived, sc, en)
		if f.Absent != nil {
			c.resolveAs(f.Absent, &scope{}, en)
			c.wantConst(f.Absent, "the value behind `or`")
		}
	}
	if f.Default != nil {
		en, _ := typeInfo(f.Type).Named.(*Enum)
		c.resolveAs(f.Default, &scope{}, en)
	}
}

// typeExprs resolves the expressions inside a type.
func (c *checker) typeExprs(t Type, sc *scope) {
	switch t := t.(type) {
	case *NamedType:
		c.argExprs(t, sc)
	case *BytesType:
		c.extentExprs(t.Extent, sc)
	case *ArrayType:
		c.extentExprs(t.Extent, sc)
		c.typeExprs(t.Elem, sc)
	case *RegionType:
		c.extentExprs(t.Extent, sc)
		c.typeExprs(t.Of, sc)
	case *MatchType:
		c.resolve(t.Subject, sc)
		for _, a := range t.Arms {
			if a.Type != nil {
				c.typeExprs(a.Type, sc)
			}
		}
	}
}

func (c *checker) argExprs(t *NamedType, sc *scope) {
	s, ok := t.Ref.(*Struct)
	if !ok {
		return
	}
	for i, a := range t.Args {
		var en *Enum
		if i < len(s.Params) {
			if n, ok := s.Params[i].Type.(*NamedType); ok {
				en, _ = c.file.scope[n.Name].(*Enum)
			}
		}
		c.resolveAs(a, sc, en)
	}
	least := len(s.Params)
	for least > 0 && s.Params[least-1].Default != nil {
		least--
	}
	if n := len(t.Args); n < least || n > len(s.Params) {
		c.rep.errorf(t.Span, "%s takes %s, not %d", quote(s.Name), plural(len(s.Params), "parameter"), n).note(s.NameSpan, "it is declared here")
	}
}

func (c *checker) extentExprs(x *Extent, sc *scope) {
	if x.Size != nil {
		c.resolve(x.Size, sc)
		c.wantInt(x.Size)
	}
	for _, e := range []Expr{x.Min, x.Max} {
		if e == nil {
			continue
		}
		c.resolve(e, &scope{s: &Struct{}})
		if c.wantInt(e) {
			c.ranges(e, newEnv())
		}
	}
}
