package spec

import "math/big"

// ranges computes Info().Min and Max of e and of everything below it, and
// refuses arithmetic that can go wrong. Names must be resolved.
func (c *checker) ranges(e Expr, env *env) interval {
	in := e.Info()
	if in.Kind == ValueInvalid {
		return uintRange(0, 0)
	}
	r, ok := c.rangeNode(e, env)
	if in.Const != nil && in.Kind != ValueBool {
		r, ok = point(in.Const), true
	}
	if !ok || in.Kind == ValueBool || in.Kind == ValueFloat || in.Kind == ValueData {
		return uintRange(0, 1)
	}
	in.Min, in.Max = r.lo, r.hi
	return r
}

func (c *checker) rangeNode(e Expr, env *env) (interval, bool) {
	switch e := e.(type) {
	case *Paren:
		return c.ranges(e.X, env), true
	case *This:
		return env.get(linVar{f: e.Field}), true
	case *Ident:
		return c.rangeIdent(e, env)
	case *Selector:
		if e.Member == nil {
			c.ranges(e.X, env)
			return interval{}, false
		}
		return uintRange(e.Member.Lo, e.Member.Hi), true
	case *Unary:
		x := c.ranges(e.X, env)
		return x.scale(bigMinusOne), e.Op == "-"
	case *Binary:
		return c.rangeBinary(e, env)
	case *Cond:
		c.ranges(e.If, env)
		then := env.clone()
		then.apply(c.constraints(e.If, 0), 0)
		return c.ranges(e.Then, then).hull(c.ranges(e.Else, env)), true
	case *InExpr:
		c.ranges(e.X, env)
		for _, it := range e.Set {
			c.ranges(it.Lo, env)
			if it.Hi != nil {
				c.ranges(it.Hi, env)
			}
		}
	case *Call:
		return c.rangeCall(e, env)
	}
	return interval{}, false
}

func (c *checker) rangeIdent(e *Ident, env *env) (interval, bool) {
	switch r := e.Ref.(type) {
	case *Field:
		return env.get(linVar{f: r}), true
	case *Param:
		return env.get(linVar{p: r}), true
	case *Limit:
		return uintRange(r.Value, r.Value), true
	case *EnumMember:
		return uintRange(r.Lo, r.Hi), true
	}
	return interval{}, false
}

func (c *checker) rangeCall(e *Call, env *env) (interval, bool) {
	switch e.Func {
	case FuncCRC32, FuncCRC32C:
		return bitsRange(32, false), true
	case FuncXXH3:
		return bitsRange(64, false), true
	}
	if l := c.linearCall(e); l != nil {
		return l.rangeIn(env), true
	}
	return interval{}, false
}

func (c *checker) rangeBinary(e *Binary, en *env) (interval, bool) {
	a := c.ranges(e.X, en)
	if e.Op == "&&" {
		en = en.clone()
		en.apply(c.constraints(e.X, 0), 0)
	}
	b := c.ranges(e.Y, en)
	if e.Info().Kind != ValueInt {
		return interval{}, false
	}
	if !c.saneOperands(e, a, b, en) {
		return uintRange(0, 0), true
	}
	// A sum is bounded as a whole where that is tighter: a - b with b <= a.
	r := arith(e.Op, a, b)
	if l := c.linearBinary(e); l != nil {
		lr := l.rangeIn(en)
		r = interval{maxBig(r.lo, lr.lo), minBig(r.hi, lr.hi)}
	}
	if e.Op == "-" && r.lo.Sign() < 0 && a.lo.Sign() >= 0 && b.lo.Sign() >= 0 {
		r.lo = new(big.Int) // proven above
	}
	if r.hi.BitLen() > 128 || r.lo.BitLen() > 128 {
		c.rep.errorf(e.Span, "this may need more than 128 bits").fix("bound its operands with `where`")
		return uintRange(0, 0), true
	}
	return r, true
}

// saneOperands refuses operands for which an operator has no meaning.
func (c *checker) saneOperands(e *Binary, a, b interval, env *env) bool {
	zero := new(big.Int)
	negative := a.lo.Sign() < 0 || b.lo.Sign() < 0
	switch e.Op {
	case "-":
		if !negative && a.lo.Cmp(b.hi) < 0 && !c.provenLess(e, env) {
			x, y := ExprString(e.X), ExprString(e.Y)
			err := c.rep.errorf(e.Span, "this subtraction may go below zero: %s is %s, %s is %s", quote(x), a, quote(y), b)
			if e.Y.Info().Const != nil {
				err.fix("bound the field before: `where this >= %s`", y)
			} else {
				err.fix("put `assert %s >= %s` before it", x, y)
			}
			return false
		}
	case "/", "%":
		if b.lo.Cmp(zero) <= 0 {
			c.rep.errorf(e.Y.Pos(), "the divisor may be zero or negative")
			return false
		}
		fallthrough
	case "&", "|", "^", "<<", ">>":
		if negative {
			c.rep.errorf(e.Span, "%s needs operands that are not negative", quote(e.Op))
			return false
		}
		if (e.Op == "<<" || e.Op == ">>") && b.hi.Cmp(big.NewInt(63)) > 0 {
			c.rep.errorf(e.Y.Pos(), "a shift is by 0..63 bits; this is %s", b)
			return false
		}
	}
	return true
}

// provenLess reports whether a constraint of the message proves X - Y >= 0.
func (c *checker) provenLess(e *Binary, env *env) bool {
	l := c.linearBinary(e)
	if l == nil {
		return false
	}
	if l.rangeIn(env).lo.Sign() >= 0 {
		return true
	}
	st := c.state[c.top()]
	if st == nil {
		return false
	}
	// form <= 0 and l + form >= 0 whatever the variables are: then l >= 0.
	for _, con := range st.cons {
		if st.self != nil && con.from == st.self {
			break
		}
		if con.upto <= st.at && l.plus(con.form).rangeIn(env).lo.Sign() >= 0 {
			return true
		}
	}
	return false
}
