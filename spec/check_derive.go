package spec

import "math/big"

// checkDerived finds the roles of the fields, and checks that what they are
// derived from fits them. What depends on sizes is left out if these are not
// sound.
func (c *checker) checkDerived(s *Struct, sound bool) {
	st := c.state[s]
	for _, f := range s.Fields {
		f.Role = role(f)
		if f.Derived == nil || !sound && measures(f.Derived) {
			continue
		}
		env := newEnv()
		env.apply(without(st.cons, f), f.Index)
		if !c.assignable(f.Derived, f.Type, env, quote(f.Name)) {
			continue
		}
		if f.Absent != nil {
			c.assignable(f.Absent, f.Type, env, quote(f.Name))
			if f.Role != RoleChecksum {
				c.rep.errorf(f.Absent.Pos(), "only a checksum can have a value that stands for \"not computed\"")
			}
		}
		if k := f.Derived.Info().Const; k != nil {
			c.constMeets(f, k)
		}
	}
}

// without leaves out the constraints that depend on the field itself, which are
// what its derived value has to meet and not facts about it.
func without(cons []constraint, f *Field) []constraint {
	var out []constraint
	for _, con := range cons {
		if _, ok := con.form.terms[linVar{f: f}]; !ok {
			out = append(out, con)
		}
	}
	return out
}

// constMeets refuses a constant that its own conditions exclude.
func (c *checker) constMeets(f *Field, k *big.Int) {
	for _, in := range f.In {
		if hi := in.Set[0]; len(in.Set) == 1 && hi.LoVal != nil && hi.HiVal != nil && !point(k).within(interval{hi.LoVal, hi.HiVal}) {
			c.rep.errorf(f.Derived.Pos(), "the constant %s is not in %s..%s", k, hi.LoVal, hi.HiVal)
		}
	}
}

func role(f *Field) Role {
	switch {
	case f.Name == "_":
		return RoleReserved
	case f.Derived == nil:
		return RoleData
	case f.Derived.Info().Const != nil:
		return RoleConst
	case calls(f.Derived, Func.IsChecksum):
		return RoleChecksum
	case calls(f.Derived, func(fn Func) bool { return fn == FuncSize || fn == FuncCount }):
		return RoleLength
	}
	return RoleDerived
}

// checkPresence finds out how the presence of optional fields is encoded.
func (c *checker) checkPresence(s *Struct) {
	type use struct {
		at   Span
		bare *Field // the field whose whole condition is this bit
	}
	type bitOf struct {
		f *Field
		b *FlagBit
	}
	uses := make(map[bitOf][]use)
	for _, f := range s.Fields {
		if f.If == nil {
			continue
		}
		f.Presence = PresentExpr
		walk(f.If, func(x Expr) {
			in, bit := flagTest(x)
			if in == nil {
				return
			}
			u := use{at: x.Pos()}
			if x == f.If {
				u.bare = f
			}
			k := bitOf{in, bit}
			uses[k] = append(uses[k], u)
		})
	}
	for _, f := range s.Fields { // in wire order, so that diagnostics are stable
		in, bit := flagTest(f.If)
		if in == nil || in.Role != RoleData {
			continue
		}
		all := uses[bitOf{in, bit}]
		if len(all) == 1 {
			f.Presence, f.FlagIn, f.Flag = PresentFlag, in, bit
			in.DerivedBits |= 1 << bit.Bit
			continue
		}
		at, other := f.If.Pos(), all[0].at
		if all[0].bare == f {
			at, other = all[1].at, at
		}
		if len(all) > 1 {
			c.rep.errorf(at, "the bit %s is tested by two `if`s, so it cannot be derived from one field", quote(bit.Name)).
				note(other, "it is tested here too").
				fix("put both fields into a struct and make that optional")
		}
	}
}

// flagTest returns the flags field and the bit if e is `field.BIT`.
func flagTest(e Expr) (*Field, *FlagBit) {
	sel, ok := e.(*Selector)
	if !ok || sel.Flag == nil {
		return nil, nil
	}
	id, ok := sel.X.(*Ident)
	if !ok {
		return nil, nil
	}
	f, _ := id.Ref.(*Field)
	return f, sel.Flag
}

// checkVanish finds the fields that are not in the Go struct.
func (c *checker) checkVanish(s *Struct) {
	for _, f := range s.Fields {
		f.Vanishes = f.Role != RoleData
		n, ok := f.Type.(*NamedType)
		if !ok || f.DerivedBits == 0 {
			continue
		}
		if fl, ok := n.Ref.(*Flags); ok && fl.Rest != RestKeep && fl.Mask == f.DerivedBits {
			f.Vanishes = true
		}
	}
}

// checkInverse proves that each length that is read from a field is the length
// that the encoder writes there.
func (c *checker) checkInverse(s *Struct) {
	st := c.state[s]
	for _, u := range st.uses {
		c.checkUse(s, u)
	}
	for _, f := range s.Fields {
		if f.Role == RoleLength {
			f.Implied = c.implied(s, f)
		}
	}
}

func (c *checker) checkUse(s *Struct, u extentUse) {
	form := c.linear(u.x.Size)
	if form == nil {
		c.rep.errorf(u.x.Size.Pos(), "this length cannot be inverted, so the encoder would not know what to write").
			note(Span{}, "a length is a sum of fields, parameters and constants")
		return
	}
	var lengths []*Field
	for _, g := range s.Fields {
		if _, ok := form.terms[linVar{f: g}]; ok {
			lengths = append(lengths, g)
		}
	}
	written := form
	for _, g := range lengths {
		if !c.checkLength(g, u, len(lengths) == 1) {
			return
		}
		d := c.linear(g.Derived)
		if d == nil {
			c.rep.errorf(g.Derived.Pos(), "this cannot be inverted: %s is read as a length", quote(g.Name)).note(u.x.Span, "it is read here")
			return
		}
		written = written.replace(linVar{f: g}, d)
	}
	addLengths(u.field, lengths)
	if len(lengths) == 0 {
		return
	}
	measured := sizeForm(u.field)
	if u.m == measureCount {
		measured = varForm(linVar{m: measureCount, f: u.field})
	}
	if written.minus(measured).isZero() {
		return
	}
	g := lengths[0]
	e := c.rep.errorf(g.Derived.Pos(), "%s is written as %s, but the length of %s is read as %s",
		quote(g.Name), quote(ExprString(g.Derived)), quote(u.field.Name), quote(ExprString(u.x.Size))).note(u.x.Span, "it is read here")
	if _, ok := u.x.Size.(*Ident); ok {
		e.fix("write `%s: %s = %s`", g.Name, typeName(g.Type), u.call())
	}
}

// call is the expression that measures what the extent measures.
func (u extentUse) call() string {
	if u.m == measureCount {
		return "count(" + u.field.Name + ")"
	}
	return "size(" + u.field.Name + ")"
}

func typeName(t Type) string {
	switch t := t.(type) {
	case *ScalarType:
		if t.Kind == ScalarInt {
			return "i" + itoa(t.Bits)
		}
		return "u" + itoa(t.Bits)
	case *NamedType:
		return t.Name
	}
	return "u32"
}

func addLengths(f *Field, lengths []*Field) {
	for _, g := range lengths {
		found := false
		for _, h := range f.LengthOf {
			found = found || g == h
		}
		if !found {
			f.LengthOf = append(f.LengthOf, g)
		}
	}
}

// checkLength refuses a length field that the user would have to keep right.
func (c *checker) checkLength(g *Field, u extentUse, alone bool) bool {
	switch g.Role {
	case RoleLength, RoleConst:
		return true
	case RoleData:
		e := c.rep.errorf(g.Span, "%s is the length of %s, but is not derived from it", quote(g.Name), quote(u.field.Name)).note(u.x.Span, "it is read here")
		if alone {
			e.fix("write `%s: %s = %s`", g.Name, typeName(g.Type), u.call())
		}
	default:
		c.rep.errorf(u.x.Size.Pos(), "%s is no length", quote(g.Name)).note(g.Span, "it is declared here")
	}
	return false
}

// implied reports whether reading the extents makes the value of f right.
func (c *checker) implied(s *Struct, f *Field) bool {
	form := c.linear(f.Derived)
	if form == nil || f.If != nil {
		return false
	}
	for _, g := range s.Fields {
		for _, m := range []measure{measureSize, measureCount} {
			v := linVar{m: m, f: g}
			if _, ok := form.terms[v]; !ok {
				continue
			}
			read := c.readAs(s, g, m)
			if read == nil {
				return false
			}
			form = form.replace(v, read)
		}
	}
	return form.minus(varForm(linVar{f: f})).isZero()
}

// readAs returns the form that decides the length of g, or nil if there is none
// that always holds.
func (c *checker) readAs(s *Struct, g *Field, m measure) *linForm {
	if g.If != nil {
		return nil
	}
	want := 1
	if t, ok := g.Type.(*MatchType); ok {
		want = len(t.Arms)
	}
	var read *linForm
	n := 0
	for _, u := range c.state[s].uses {
		if u.field != g || u.m != m {
			continue
		}
		form := c.linear(u.x.Size)
		if form == nil || read != nil && !form.minus(read).isZero() {
			return nil
		}
		read = form
		n++
	}
	if n != want {
		return nil
	}
	return read
}
