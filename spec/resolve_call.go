package spec

// funcs are the built-in functions.
var funcs = map[string]Func{
	"size":    FuncSize,
	"count":   FuncCount,
	"crc32c":  FuncCRC32C,
	"crc32":   FuncCRC32,
	"xxh3_64": FuncXXH3,
}

// laterFuncs are functions of the full language that this version refuses.
var laterFuncs = map[string]bool{"inet16": true, "adler32": true, "offset": true, "remaining": true}

func (c *checker) resolveCall(e *Call, sc *scope) {
	e.Func = funcs[e.Name]
	switch {
	case laterFuncs[e.Name]:
		c.rep.errorf(e.NameSpan, "%s is part of the language, but not supported by this version", quote(e.Name))
		return
	case e.Func == FuncInvalid:
		names := make([]string, 0, len(funcs))
		for n := range funcs {
			names = append(names, n)
		}
		c.unknown(e.NameSpan, "function", e.Name, names)
		return
	case sc.s == nil:
		c.rep.errorf(e.Span, "%s has a meaning only inside a struct", quote(e.Name))
		return
	case e.Func.IsChecksum() && !sc.derived:
		c.rep.errorf(e.Span, "a checksum can stand only behind the `=` of a field").fix("declare a field for it: `sum: u32 = %s(...)`", e.Name)
		return
	case e.Func.IsChecksum():
		c.checksumArgs(e, sc)
		return
	}
	c.measureArg(e, sc)
}

// measureArg resolves the argument of size or count.
func (c *checker) measureArg(e *Call, sc *scope) {
	if len(e.Args) != 1 {
		c.rep.errorf(e.Span, "%s takes one argument, not %d", quote(e.Name), len(e.Args))
		return
	}
	var f *Field
	switch a := e.Args[0].(type) {
	case *This:
		if c.resolve(a, sc); a.Field == nil {
			return
		}
		f = a.Field
	case *Ident:
		if f = c.fieldArg(a, sc); f == nil {
			return
		}
	case *FieldRange:
		if e.Func == FuncSize && c.rangeArg(a, sc) {
			e.info.Kind = ValueInt
			return
		}
	}
	switch {
	case f == nil:
		if len(c.rep.errs) == 0 || e.Func == FuncCount {
			c.rep.errorf(e.Args[0].Pos(), "%s measures a field", quote(e.Name))
		}
	case e.Func == FuncCount && !isArray(f.Type):
		c.rep.errorf(e.Args[0].Pos(), "count is of a repetition, and %s is none", quote(f.Name)).fix("did you mean `size(%s)`?", f.Name)
	default:
		e.info.Kind = ValueInt
	}
}

func isArray(t Type) bool {
	_, ok := t.(*ArrayType)
	return ok
}

// fieldArg resolves a name that must be a field; its bytes matter, not its
// value, so that it may come later in a derived expression.
func (c *checker) fieldArg(a *Ident, sc *scope) *Field {
	f := sc.s.field(a.Name)
	if f == nil {
		names := make([]string, 0, len(sc.s.Fields))
		for _, g := range sc.s.Fields {
			if g.Name != "_" {
				names = append(names, g.Name)
			}
		}
		c.unknown(a.Span, "field", a.Name, names)
		return nil
	}
	a.Ref = f
	a.info.Kind = ValueData
	if !sc.derived && f.Index >= sc.upto {
		c.rep.errorf(a.Span, "%s has not been read yet here", quote(a.Name)).note(f.NameSpan, "it stands here, later in the message")
		return nil
	}
	if f.Group != nil {
		c.rep.errorf(a.Span, "%s is a bit field and has no bytes of its own", quote(a.Name)).note(f.Group.Span, "it is part of this word")
		return nil
	}
	return f
}

// rangeArg resolves a..b.
func (c *checker) rangeArg(a *FieldRange, sc *scope) bool {
	from := c.fieldArg(a.From, sc)
	to := c.fieldArg(a.To, sc)
	if from == nil || to == nil {
		return false
	}
	if from.Index > to.Index {
		c.rep.errorf(a.Span, "the stretch is empty: %s stands behind %s", quote(from.Name), quote(to.Name)).fix("write `%s..%s`", to.Name, from.Name)
		return false
	}
	a.info.Kind = ValueData
	return true
}

func (c *checker) checksumArgs(e *Call, sc *scope) {
	if len(e.Args) == 0 {
		c.rep.errorf(e.Span, "%s covers nothing", quote(e.Name)).fix("list the fields that it covers, or a stretch `a..b` of them")
		return
	}
	ok := true
	for _, a := range e.Args {
		switch a := a.(type) {
		case *Ident:
			if sc.s.field(a.Name) == nil && sc.s.hasParam(a.Name) {
				c.rep.errorf(a.Span, "a checksum over a parameter is part of the language, but not supported by this version")
				ok = false
				continue
			}
			ok = c.fieldArg(a, sc) != nil && ok
		case *FieldRange:
			ok = c.rangeArg(a, sc) && ok
		case *This:
			c.rep.errorf(a.Span, "a checksum cannot cover itself").fix("cover the stretches before and behind it: `%s(a..b, c..d)`", e.Name)
			ok = false
		default:
			c.rep.errorf(a.Pos(), "a checksum covers fields and stretches a..b of them")
			ok = false
		}
	}
	if ok {
		e.info.Kind = ValueInt
	}
}

// covered calls fn for every field whose bytes the call reads.
func (e *Call) covered(s *Struct, fn func(*Field)) {
	for _, a := range e.Args {
		switch a := a.(type) {
		case *This:
			fn(a.Field)
		case *Ident:
			if f, ok := a.Ref.(*Field); ok {
				fn(f)
			}
		case *FieldRange:
			from, ok1 := a.From.Ref.(*Field)
			to, ok2 := a.To.Ref.(*Field)
			if ok1 && ok2 {
				for _, f := range s.Fields[from.Index : to.Index+1] {
					fn(f)
				}
			}
		}
	}
}

// walk calls fn for e and every expression below it.
func walk(e Expr, fn func(Expr)) {
	if e == nil {
		return
	}
	fn(e)
	switch e := e.(type) {
	case *Paren:
		walk(e.X, fn)
	case *Unary:
		walk(e.X, fn)
	case *Binary:
		walk(e.X, fn)
		walk(e.Y, fn)
	case *Cond:
		walk(e.If, fn)
		walk(e.Then, fn)
		walk(e.Else, fn)
	case *Selector:
		walk(e.X, fn)
	case *InExpr:
		walk(e.X, fn)
		for _, it := range e.Set {
			walk(it.Lo, fn)
			if it.Hi != nil {
				walk(it.Hi, fn)
			}
		}
	case *Call:
		for _, a := range e.Args {
			walk(a, fn)
		}
	case *FieldRange:
		walk(e.From, fn)
		walk(e.To, fn)
	}
}

// calls reports whether e calls a function that keep accepts.
func calls(e Expr, keep func(Func) bool) bool {
	found := false
	walk(e, func(x Expr) {
		if c, ok := x.(*Call); ok && keep(c.Func) {
			found = true
		}
	})
	return found
}
