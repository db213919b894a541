package spec

import (
	"math/big"
	"slices"
	"strings"
)

// checkVector checks the types of a vector. Whether the bytes really mean the
// value is for the tests that a back end generates.
func (c *checker) checkVector(v *Vector) {
	n := &NamedType{Span: v.TypeSpan, Name: v.TypeName, NameSpan: v.TypeSpan, Args: v.Args}
	s := c.structNamed(n)
	if s == nil {
		return
	}
	v.Type = s
	c.argExprs(n, &scope{})
	if len(v.Args) > len(s.Params) {
		return
	}
	params := make(map[*Param]*big.Int)
	for i, p := range s.Params {
		e := p.Default
		if i < len(v.Args) {
			e = v.Args[i]
			c.assignable(e, p.Type, newEnv(), "parameter "+quote(p.Name))
		}
		if e == nil || e.Info().Kind == ValueInvalid {
			return
		}
		if e.Info().Const == nil {
			c.rep.errorf(e.Pos(), "the parameters of a vector are constants")
			return
		}
		params[p] = e.Info().Const
		v.ArgConst = append(v.ArgConst, e.Info().Const)
	}
	if v.Value != nil {
		c.structFields(v.Value, s, params)
	}
	if !v.Accept {
		c.checkReject(v)
	}
}

func (c *checker) checkReject(v *Vector) {
	if !slices.Contains(Kinds, v.Kind) {
		c.unknown(v.KindSpan, "error kind", v.Kind, append([]string(nil), Kinds...))
	}
	if v.At == nil {
		return
	}
	c.resolve(v.At, &scope{})
	if k := c.wantConst(v.At, "an offset"); k != nil {
		v.Offset = int(c.wantUint(v.At, k, 0, maxVector))
	}
}

// structFields checks a struct value.
func (c *checker) structFields(v *Value, s *Struct, params map[*Param]*big.Int) {
	if !v.braces {
		c.rep.errorf(v.Span, "a value of %s is written { field: value, ... }", quote(s.Name))
		return
	}
	if v.typeName != "" && v.typeName != s.Name {
		c.rep.errorf(v.typeSpan, "this must be a %s, not a %s", quote(s.Name), quote(v.typeName))
		return
	}
	v.Form, v.Struct = FormStruct, s
	given := make(map[*Field]*FieldValue)
	for _, fv := range v.Fields {
		f := s.field(fv.Name)
		if f == nil {
			c.unknown(fv.NameSpan, "field", fv.Name, s.fieldNames())
			continue
		}
		if old := given[f]; old != nil {
			c.rep.errorf(fv.NameSpan, "%s is given twice", quote(fv.Name)).note(old.NameSpan, "it was given here")
			continue
		}
		given[f], fv.Field = fv, f
		c.fieldValue(fv, f, given)
	}
	c.missing(v, s, given, params)
}

func (s *Struct) fieldNames() []string {
	var names []string
	for _, f := range s.Fields {
		if !f.Vanishes || f.Absent != nil {
			names = append(names, f.Name)
		}
	}
	return names
}

func (c *checker) fieldValue(fv *FieldValue, f *Field, given map[*Field]*FieldValue) {
	if f.Vanishes && f.Absent == nil {
		c.rep.errorf(fv.NameSpan, "%s is derived, so a value has no say in it", quote(f.Name)).note(f.NameSpan, "it is declared here").fix("leave it away")
		return
	}
	if m, ok := f.Type.(*MatchType); ok {
		c.matchValue(fv, f, m, given)
		return
	}
	c.value(fv.Value, f.Type)
	switch {
	case f.Absent != nil && fv.Value.Form == FormInt:
		if want := f.Absent.Info().Const; want.Cmp(fv.Value.Int) != 0 {
			c.rep.errorf(fv.Value.Span, "%s can be given only as %s, which means that it is not computed", quote(f.Name), want)
		}
	case f.DerivedBits != 0 && fv.Value.Form == FormFlags:
		if fv.Value.Int.Uint64()&f.DerivedBits != 0 {
			c.rep.errorf(fv.Value.Span, "this sets a bit that is derived from an optional field").fix("give the field instead, and leave its bit away")
		}
	}
}

// matchValue checks the value of a match by the arm that its subject selects.
func (c *checker) matchValue(fv *FieldValue, f *Field, m *MatchType, given map[*Field]*FieldValue) {
	arm := m.Else
	if sel := c.subjectValue(m, given); sel != nil {
		arm = m.armFor(sel)
	} else if fv.Value.braces {
		arm = m.armOf(fv.Value.typeName)
	}
	switch {
	case arm == nil:
		c.rep.errorf(fv.Value.Span, "no arm of %s takes this value", quote(f.Name))
	case arm.Kind != ArmType:
		c.rep.errorf(fv.Value.Span, "the arm that is selected here has no value").note(arm.Span, "it is this one").fix("leave %s away", f.Name)
	default:
		c.value(fv.Value, arm.Type)
	}
}

// subjectValue returns the value of the subject if the vector gives it before.
func (c *checker) subjectValue(m *MatchType, given map[*Field]*FieldValue) *big.Int {
	id, ok := m.Subject.(*Ident)
	if !ok {
		return nil
	}
	f, ok := id.Ref.(*Field)
	if !ok || given[f] == nil {
		return nil
	}
	return given[f].Value.Int
}

// armFor returns the arm that a value selects, or nil.
func (m *MatchType) armFor(v *big.Int) *Arm {
	for _, a := range m.Arms {
		for _, it := range a.Values {
			if it.LoVal != nil && it.HiVal != nil && v.Cmp(it.LoVal) >= 0 && v.Cmp(it.HiVal) <= 0 {
				return a
			}
		}
	}
	return m.Else
}

// armOf returns the arm whose type has the name, or nil.
func (m *MatchType) armOf(name string) *Arm {
	for _, a := range m.Arms {
		t := a.Type
		if r, ok := t.(*RegionType); ok {
			t = r.Of
		}
		if n, ok := t.(*NamedType); ok && n.Name == name {
			return a
		}
	}
	return nil
}

// missing reports fields that a value must give.
func (c *checker) missing(v *Value, s *Struct, given map[*Field]*FieldValue, params map[*Param]*big.Int) {
	var names []string
	ev := &evaluator{params: params, given: given}
	for _, f := range s.Fields {
		if f.Vanishes {
			continue
		}
		if f.Presence == PresentExpr {
			there := ev.eval(f.If)
			if fv := given[f]; fv != nil && there != nil && there.Sign() == 0 {
				c.rep.errorf(fv.NameSpan, "%s is absent here", quote(f.Name)).note(f.If.Pos(), "this does not hold").fix("leave it away")
			}
			if there == nil || there.Sign() == 0 {
				continue
			}
		}
		if f.Presence == PresentFlag || given[f] != nil {
			continue
		}
		if m, ok := f.Type.(*MatchType); ok {
			var sel *big.Int
			if id, ok := m.Subject.(*Ident); ok {
				if p, ok := id.Ref.(*Param); ok {
					sel = params[p]
				}
			}
			if sel == nil {
				sel = c.subjectValue(m, given)
			}
			if sel == nil || m.armFor(sel) == nil || m.armFor(sel).Kind != ArmType {
				continue
			}
		}
		names = append(names, quote(f.Name))
	}
	if len(names) > 0 {
		at := Span{Start: v.Start, End: v.Start}
		at.End.Offset++
		at.End.Col++
		c.rep.errorf(at, "the value of %s lacks %s", quote(s.Name), strings.Join(names, ", "))
	}
}

// value checks a value against a type.
func (c *checker) value(v *Value, t Type) {
	switch t := t.(type) {
	case *ScalarType:
		c.scalarValue(v, t)
	case *BytesType:
		if v.Str == nil {
			if _, ok := v.lit.(*StringLit); !ok {
				c.rep.errorf(v.Span, "a string is needed here")
				return
			}
		}
		v.Form = FormBytes
	case *ArrayType:
		if !v.list {
			c.rep.errorf(v.Span, "a list [ ... ] is needed here")
			return
		}
		v.Form = FormList
		for _, e := range v.Elems {
			c.value(e, t.Elem)
		}
	case *RegionType:
		c.value(v, t.Of)
	case *NamedType:
		switch d := t.Ref.(type) {
		case *Struct:
			c.structFields(v, d, nil)
		case *Enum:
			c.enumValueOf(v, d)
		case *Flags:
			c.flagsValueOf(v, d)
		}
	}
}

// intLit returns the integer that v is, or nil.
func (v *Value) intLit() *big.Int {
	switch e := v.lit.(type) {
	case *Number:
		return e.Value
	case *Unary:
		if n, ok := e.X.(*Number); ok && e.Op == "-" && n.Value != nil {
			return new(big.Int).Neg(n.Value)
		}
	}
	return nil
}

func (c *checker) scalarValue(v *Value, t *ScalarType) {
	switch t.Kind {
	case ScalarBool:
		b, ok := v.lit.(*BoolLit)
		if !ok {
			c.rep.errorf(v.Span, "true or false is needed here")
			return
		}
		v.Form, v.Int = FormBool, boolInt(b.Value)
	case ScalarFloat:
		c.floatValue(v)
	default:
		k := v.intLit()
		if k == nil {
			c.rep.errorf(v.Span, "an integer is needed here")
			return
		}
		if hold := bitsRange(t.Bits, t.Kind == ScalarInt); !point(k).within(hold) {
			c.rep.errorf(v.Span, "%s does not fit: the field holds %s", k, hold)
			return
		}
		v.Form, v.Int = FormInt, k
	}
}

func (c *checker) floatValue(v *Value) {
	e, sign := v.lit, 1.0
	if u, ok := e.(*Unary); ok && u.Op == "-" {
		e, sign = u.X, -1.0
	}
	n, ok := e.(*Number)
	if !ok {
		c.rep.errorf(v.Span, "a number is needed here")
		return
	}
	v.Form, v.Float = FormFloat, sign*n.Float
	if !n.IsFloat {
		f, _ := new(big.Float).SetInt(n.Value).Float64()
		v.Float = sign * f
	}
}

func (c *checker) enumValueOf(v *Value, d *Enum) {
	if len(v.names) == 1 {
		m := d.member(v.names[0].Name)
		if m == nil {
			c.unknown(v.Span, d.Name, v.names[0].Name, d.names())
			return
		}
		v.Form, v.Member, v.Int = FormEnum, m, bigUint(m.Lo)
		return
	}
	k := v.intLit()
	if k == nil || !point(k).within(bitsRange(d.Type.Bits, false)) {
		c.rep.errorf(v.Span, "a member of %s is needed here", quote(d.Name))
		return
	}
	v.Form, v.Int = FormEnum, k
}

func (c *checker) flagsValueOf(v *Value, d *Flags) {
	word := uint64(0)
	if k := v.intLit(); k != nil {
		if !point(k).within(bitsRange(d.Type.Bits, false)) {
			c.rep.errorf(v.Span, "%s does not fit %s", k, quote(d.Name))
			return
		}
		word = k.Uint64()
	} else if len(v.names) == 0 {
		c.rep.errorf(v.Span, "bits of %s are needed here, A | B, or a number", quote(d.Name))
		return
	}
	for _, id := range v.names {
		bit := d.bit(id.Name)
		if bit == nil {
			names := make([]string, 0, len(d.Bits))
			for _, b := range d.Bits {
				names = append(names, b.Name)
			}
			c.unknown(id.Span, d.Name+" bit", id.Name, names)
			return
		}
		word |= 1 << bit.Bit
	}
	v.Form, v.Int = FormFlags, bigUint(word)
}

func (d *Flags) bit(name string) *FlagBit {
	for _, b := range d.Bits {
		if b.Name == name {
			return b
		}
	}
	return nil
}
