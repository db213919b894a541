package spec

import "math/big"

// kindName names a kind of value in diagnostics.
func kindName(in *Info) string {
	switch in.Kind {
	case ValueInt:
		return "an integer"
	case ValueBool:
		return "a condition"
	case ValueFloat:
		return "a float"
	case ValueEnum, ValueFlags:
		return "a value of " + quote(in.Named.DeclName())
	case ValueData:
		return "a piece of data"
	}
	return "nothing"
}

// want reports e if it is not of the kind; it returns whether it is.
func (c *checker) want(e Expr, k ValueKind, what string) bool {
	in := e.Info()
	if in.Kind == k {
		return true
	}
	if in.Kind != ValueInvalid {
		c.rep.errorf(e.Pos(), "%s is needed here, this is %s", what, kindName(in))
	}
	return false
}

func (c *checker) wantInt(e Expr) bool  { return c.want(e, ValueInt, "an integer") }
func (c *checker) wantBool(e Expr) bool { return c.want(e, ValueBool, "a condition") }

func (c *checker) resolveUnary(e *Unary, sc *scope) {
	c.resolve(e.X, sc)
	x := e.X.Info()
	switch e.Op {
	case "!":
		if c.wantBool(e.X) {
			e.info = Info{Kind: ValueBool, Limit: x.Limit}
			if x.Const != nil {
				e.info.Const = boolInt(x.Const.Sign() == 0)
			}
		}
	case "-":
		if x.Kind == ValueFloat {
			e.info.Kind = ValueFloat
		} else if c.wantInt(e.X) {
			e.info = Info{Kind: ValueInt, Limit: x.Limit}
			if x.Const != nil {
				e.info.Const = new(big.Int).Neg(x.Const)
			}
		}
	default:
		c.rep.errorf(e.Span, "`~` is not supported: integers have no width").fix("use ^ with a mask")
	}
}

func (c *checker) resolveBinary(e *Binary, sc *scope, want *Enum) {
	switch e.Op {
	case "||", "&&":
		c.resolve(e.X, sc)
		c.resolve(e.Y, sc)
		if ok := c.wantBool(e.X); !c.wantBool(e.Y) || !ok {
			return
		}
	case "==", "!=", "<", "<=", ">", ">=":
		if !c.resolveCompare(e, sc) {
			return
		}
	default:
		c.resolveAs(e.X, sc, want)
		c.resolveAs(e.Y, sc, want)
		if ok := c.wantInt(e.X); !c.wantInt(e.Y) || !ok {
			return
		}
		e.info.Kind = ValueInt
	}
	x, y := e.X.Info(), e.Y.Info()
	if e.info.Kind == ValueInvalid {
		e.info.Kind = ValueBool
	}
	e.info.Limit = x.Limit || y.Limit
	if x.Const != nil && y.Const != nil {
		c.fold(e, x.Const, y.Const)
	}
}

// resolveCompare resolves the two sides of a comparison.
func (c *checker) resolveCompare(e *Binary, sc *scope) bool {
	c.resolveAs(e.X, sc, c.enumOf(e.Y, sc))
	c.resolveAs(e.Y, sc, c.enumOf(e.X, sc))
	x, y := e.X.Info(), e.Y.Info()
	if x.Kind == ValueInvalid || y.Kind == ValueInvalid {
		return false
	}
	equality := e.Op == "==" || e.Op == "!="
	switch {
	case x.Kind == ValueData || y.Kind == ValueData:
		c.rep.errorf(e.Span, "data cannot be compared").fix("compare size(x) or count(x)")
		return false
	case x.Kind == ValueFlags && y.Kind == ValueInt && equality, x.Kind == ValueInt && y.Kind == ValueFlags && equality:
		return true
	case x.Kind != y.Kind || x.Named != y.Named:
		c.rep.errorf(e.Span, "%s cannot be compared with %s", kindName(x), kindName(y))
		return false
	case !equality && (x.Kind == ValueBool || x.Kind == ValueFlags):
		c.rep.errorf(e.Span, "%s has no order", kindName(x)).fix("use == or !=")
		return false
	}
	return c.notRange(e.X) && c.notRange(e.Y)
}

// notRange refuses an enum member that stands for many values.
func (c *checker) notRange(e Expr) bool {
	var m *EnumMember
	switch e := e.(type) {
	case *Ident:
		m, _ = e.Ref.(*EnumMember)
	case *Selector:
		m = e.Member
	}
	if m != nil && m.Lo != m.Hi {
		c.rep.errorf(e.Pos(), "%s stands for the values %d..%d", quote(m.Name), m.Lo, m.Hi).fix("use `in {%s}`", m.Name)
		return false
	}
	return true
}

// fold computes a constant binary expression.
func (c *checker) fold(e *Binary, x, y *big.Int) {
	z := new(big.Int)
	switch e.Op {
	case "||":
		z = boolInt(x.Sign() != 0 || y.Sign() != 0)
	case "&&":
		z = boolInt(x.Sign() != 0 && y.Sign() != 0)
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "/", "%":
		if y.Sign() == 0 {
			c.rep.errorf(e.Y.Pos(), "division by zero")
			e.info = Info{}
			return
		}
		if e.Op == "/" {
			z.Quo(x, y)
		} else {
			z.Rem(x, y)
		}
	case "<<", ">>":
		if !y.IsUint64() || y.Uint64() > 127 {
			c.rep.errorf(e.Y.Pos(), "a shift is by 0..127 bits")
			e.info = Info{}
			return
		}
		if e.Op == "<<" {
			z.Lsh(x, uint(y.Uint64()))
		} else {
			z.Rsh(x, uint(y.Uint64()))
		}
	case "&":
		z.And(x, y)
	case "|":
		z.Or(x, y)
	case "^":
		z.Xor(x, y)
	default:
		z = boolInt(compare(e.Op, x.Cmp(y)))
	}
	e.info.Const = z
}

func compare(op string, cmp int) bool {
	switch op {
	case "==":
		return cmp == 0
	case "!=":
		return cmp != 0
	case "<":
		return cmp < 0
	case "<=":
		return cmp <= 0
	case ">":
		return cmp > 0
	}
	return cmp >= 0
}

func (c *checker) resolveCond(e *Cond, sc *scope, want *Enum) {
	c.resolve(e.If, sc)
	c.resolveAs(e.Then, sc, want)
	c.resolveAs(e.Else, sc, want)
	ok := c.wantBool(e.If)
	a, b := e.Then.Info(), e.Else.Info()
	if !ok || a.Kind == ValueInvalid || b.Kind == ValueInvalid {
		return
	}
	if a.Kind != b.Kind || a.Named != b.Named {
		c.rep.errorf(e.Span, "the two results differ: %s and %s", kindName(a), kindName(b))
		return
	}
	e.info = Info{Kind: a.Kind, Named: a.Named, Limit: a.Limit || b.Limit || e.If.Info().Limit}
	if v := e.If.Info().Const; v != nil {
		e.info.Const = b.Const
		if v.Sign() != 0 {
			e.info.Const = a.Const
		}
	}
}

func (c *checker) resolveIn(e *InExpr, sc *scope) {
	c.resolve(e.X, sc)
	en := c.enumOf(e.X, sc)
	x := e.X.Info()
	if x.Kind == ValueInvalid {
		return
	}
	if x.Kind != ValueInt && x.Kind != ValueEnum {
		c.rep.errorf(e.X.Pos(), "`in` needs an integer or an enum, this is %s", kindName(x))
		return
	}
	ok := true
	for _, it := range e.Set {
		ok = c.resolveSetItem(it, sc, en, x) && ok
	}
	if ok {
		e.info.Kind = ValueBool
		for _, it := range e.Set {
			e.info.Limit = e.info.Limit || it.Lo.Info().Limit || it.Hi != nil && it.Hi.Info().Limit
		}
	}
}

// resolveSetItem resolves one value or range of a set whose members are of the
// same kind as x.
func (c *checker) resolveSetItem(it *SetItem, sc *scope, en *Enum, x *Info) bool {
	ends := []Expr{it.Lo}
	if it.Hi != nil {
		ends = append(ends, it.Hi)
	}
	for _, e := range ends {
		c.resolveAs(e, sc, en)
		in := e.Info()
		if in.Kind == ValueInvalid {
			return false
		}
		if in.Kind != x.Kind || in.Named != x.Named {
			c.rep.errorf(e.Pos(), "this is %s, but the set is of %s", kindName(in), kindName(x))
			return false
		}
	}
	it.setBounds()
	if it.LoVal != nil && it.HiVal != nil && it.LoVal.Cmp(it.HiVal) > 0 {
		c.rep.errorf(it.Span, "the range %s..%s is empty", it.LoVal, it.HiVal)
		return false
	}
	return true
}

// setBounds fills in LoVal and HiVal when the ends are constant.
func (s *SetItem) setBounds() {
	s.LoVal, s.HiVal = s.Lo.Info().Const, s.Lo.Info().Const
	if m := memberOf(s.Lo); m != nil {
		s.LoVal, s.HiVal = new(big.Int).SetUint64(m.Lo), new(big.Int).SetUint64(m.Hi)
	}
	if s.Hi == nil {
		return
	}
	s.HiVal = s.Hi.Info().Const
	if m := memberOf(s.Hi); m != nil {
		s.HiVal = new(big.Int).SetUint64(m.Hi)
	}
}

// memberOf returns the enum member that e names, or nil.
func memberOf(e Expr) *EnumMember {
	switch e := e.(type) {
	case *Ident:
		m, _ := e.Ref.(*EnumMember)
		return m
	case *Selector:
		return e.Member
	case *Paren:
		return memberOf(e.X)
	}
	return nil
}
