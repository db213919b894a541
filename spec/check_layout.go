package spec

import (
	"fmt"
	"math/big"
)

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// maxOffset is the largest offset that is worth a constant: it fits an int of
// every platform.
const maxOffset = 1<<31 - 1

// layout computes offsets and sizes of all members, and the ranges of the
// expressions that are evaluated while reading.
func (c *checker) layout(s *Struct) {
	total := Size{}
	for i, m := range s.Members {
		last := i == len(s.Members)-1
		offset := -1
		if total.Fixed() && total.Min <= maxOffset {
			offset = int(total.Min)
		}
		switch m := m.(type) {
		case *Field:
			m.Offset = offset
			c.layoutField(s, m, last)
			total = c.addSize(total, m.Size, m.Span)
		case *BitGroup:
			m.Offset = offset
			c.layoutGroup(s, m)
			total = c.addSize(total, m.Size, m.Span)
		case *Assert:
			c.layoutAssert(s, m)
		}
	}
	s.Size = total
}

// layoutAssert computes the ranges in an assertion by the conditions above it.
func (c *checker) layoutAssert(s *Struct, a *Assert) {
	st := c.state[s]
	before := st.cons
	for i, con := range before {
		if con.from == a.Expr {
			before = before[:i]
			break
		}
	}
	env := newEnv()
	env.apply(before, a.upto())
	st.self, st.at = a.Expr, a.upto()
	c.ranges(a.Expr, env)
	st.self = nil
	if measures(a.Expr) && a.Expr.Info().Kind == ValueBool {
		c.assume(s, a.Expr, a.upto())
	}
}

// addSize adds sizes; a message that cannot fit into memory is refused.
func (c *checker) addSize(a, b Size, at Span) Size {
	lo, hi := a.Min+b.Min, a.Max+b.Max
	if a.Max > maxLimit || b.Max > maxLimit || hi > maxLimit || lo > maxLimit {
		c.rep.errorf(at, "with this the message may be larger than %d bytes", uint64(maxLimit))
		return Size{}
	}
	return Size{Min: lo, Max: hi}
}

func (c *checker) layoutField(s *Struct, f *Field, last bool) {
	st := c.state[s]
	st.at = f.Index
	st.env.apply(st.cons, f.Index)
	if f.If != nil {
		c.ranges(f.If, st.env)
	}
	env := st.env
	if f.If != nil {
		env = st.env.clone()
		env.apply(c.constraints(f.If, 0), 0)
	}
	f.Size = c.typeSize(f.Type, f, env, last)
	if f.If != nil {
		f.Size.Min = 0
	}
	c.checkClauses(f)
	st.at = f.Index + 1
	for _, w := range f.Where {
		st.self = w
		c.ranges(w, env)
		st.self = nil
		if measures(w) && w.Info().Kind == ValueBool {
			c.assumeOf(s, f, w)
		}
	}
	for _, in := range f.In {
		c.ranges(in, env)
		c.checkIn(f, in)
	}
}

// checkIn refuses an `in` range that the type cannot reach.
func (c *checker) checkIn(f *Field, in *InExpr) {
	hold, ok := typeRange(f.Type)
	if !ok || in.Info().Kind != ValueBool {
		return
	}
	for _, it := range in.Set {
		if it.LoVal != nil && it.HiVal != nil && !(interval{it.LoVal, it.HiVal}).within(hold) {
			c.rep.errorf(it.Span, "%s holds %s only", quote(f.Name), hold)
		}
	}
}

// checkClauses refuses clauses that have no meaning on a field.
func (c *checker) checkClauses(f *Field) {
	if f.Name == "_" {
		c.checkReserved(f)
		return
	}
	if f.Ignore {
		c.rep.errorf(f.NameSpan, "`ignore` has a meaning only on a reserved field").fix("name the field `_`")
	}
	if f.Own != OwnDefault && !hasBytes(f.Type) {
		c.rep.errorf(f.Type.Pos(), "only bytes and text are borrowed or copied")
	}
	if f.Derived != nil && f.Default != nil {
		c.rep.errorf(f.Default.Pos(), "a derived field has no default")
	}
	if f.Default != nil {
		if f.If == nil {
			c.rep.errorf(f.Default.Pos(), "`default` has a meaning only on an optional field").fix("add an `if`, or leave the default away")
		} else if c.assignable(f.Default, f.Type, newEnv(), quote(f.Name)) && f.Default.Info().Const == nil {
			c.rep.errorf(f.Default.Pos(), "a default must be constant")
		}
	}
}

func hasBytes(t Type) bool {
	switch t := t.(type) {
	case *BytesType:
		return true
	case *MatchType:
		for _, a := range t.Arms {
			if a.Type != nil && hasBytes(a.Type) {
				return true
			}
		}
	}
	return false
}

func (c *checker) checkReserved(f *Field) {
	switch {
	case f.Derived != nil:
		c.rep.errorf(f.Derived.Pos(), "a reserved field is always zero").fix("give it a name: `magic: ...`")
	case len(f.Where)+len(f.In) > 0 || f.Default != nil || f.If != nil:
		c.rep.errorf(f.Span, "a reserved field has no conditions")
	}
	switch t := f.Type.(type) {
	case *ScalarType:
		if t.Kind == ScalarFloat {
			c.rep.errorf(t.Span, "a reserved field is an integer or bytes of a fixed size")
		}
	case *BytesType:
		if _, ok := t.Extent.FixedLen(); !ok {
			c.rep.errorf(t.Span, "a reserved field has a fixed size").fix("write `bytes[4]`, say")
		}
	default:
		c.rep.errorf(t.Pos(), "a reserved field is an integer or bytes of a fixed size")
	}
}

func (c *checker) layoutGroup(s *Struct, g *BitGroup) {
	if g.Word.Bits%8 != 0 {
		c.rep.errorf(g.Word.Span, "the word of a bit group is whole bytes, not %d bits", g.Word.Bits)
		return
	}
	g.Size = Size{Min: uint64(g.Word.Bytes()), Max: uint64(g.Word.Bytes())}
	st := c.state[s]
	used := 0
	for _, f := range g.Fields {
		f.Offset = g.Offset
		st.at = f.Index
		st.env.apply(st.cons, f.Index)
		f.Width = c.bitWidth(f)
		f.Shift = g.Word.Bits - used - f.Width
		if g.LSB {
			f.Shift = used
		}
		used += f.Width
		c.checkClauses(f)
		for _, w := range f.Where {
			c.ranges(w, st.env)
		}
		for _, in := range f.In {
			c.ranges(in, st.env)
			c.checkIn(f, in)
		}
	}
	if used != g.Word.Bits {
		e := c.rep.errorf(g.Span, "the fields of this group have %d bits together, its word has %d", used, g.Word.Bits)
		if used < g.Word.Bits {
			e.fix("fill up with `_: u%d`", g.Word.Bits-used)
		}
	}
}

// bitWidth returns the width of a field in a bit group.
func (c *checker) bitWidth(f *Field) int {
	if f.If != nil {
		c.rep.errorf(f.If.Pos(), "a bit field is always there: it cannot have an `if`")
	}
	switch t := f.Type.(type) {
	case *ScalarType:
		if t.Kind != ScalarFloat {
			return t.Bits
		}
	case *NamedType:
		switch d := t.Ref.(type) {
		case *Enum:
			return d.Type.Bits
		case *Flags:
			return d.Type.Bits
		case nil:
			return 0
		}
	}
	c.rep.errorf(f.Type.Pos(), "a bit field is an integer, a bool, an enum or flags")
	return 0
}

// bounds computes the size, memory and depth of a message as a whole.
func (c *checker) bounds(s *Struct) {
	st := c.state[s]
	if limit := c.sumBound(s, st); limit != nil && limit.IsUint64() {
		s.Size.Max = max(s.Size.Min, min(s.Size.Max, limit.Uint64()))
	}
	s.Alloc, s.Depth = 0, 0
	for _, f := range s.Fields {
		alloc, depth := c.cost(f.Type, f.Own)
		s.Alloc = satAdd(s.Alloc, alloc)
		s.Depth = max(s.Depth, depth)
	}
}

// sumBound looks for a condition that bounds the whole message, such as
// `assert 24 + header_len + body_len <= max`, and returns the bound or nil.
func (c *checker) sumBound(s *Struct, st *structState) *big.Int {
	total := constForm(new(big.Int))
	var group *BitGroup
	for _, f := range s.Fields {
		if f.Group != nil && f.Group == group {
			continue
		}
		group = f.Group
		total = total.plus(sizeForm(f))
	}
	for _, u := range st.uses {
		if l := c.linear(u.x.Size); l != nil && u.m == measureSize {
			total = total.replace(linVar{m: measureSize, f: u.field}, l)
		}
	}
	env := newEnv()
	env.apply(st.cons, len(s.Fields))
	var best *big.Int
	for _, con := range st.cons {
		if hi := total.minus(con.form).rangeIn(env).hi; best == nil || hi.Cmp(best) < 0 {
			best = hi
		}
	}
	return best
}

// satAdd and satMul stop at the largest value.
func satAdd(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

func satMul(a, b uint64) uint64 {
	if a != 0 && b > ^uint64(0)/a {
		return ^uint64(0)
	}
	return a * b
}
