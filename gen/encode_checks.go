package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// checks writes what must hold before anything is appended.
func (e *encoder) checks() {
	for _, f := range e.m.s.Fields {
		fn := e.m.fields[f]
		if f.Name == "_" || f.Vanishes || fn.goName == "" {
			continue
		}
		mark := e.g.w.Len()
		guard := ""
		if f.If != nil {
			if fn.has != "" {
				guard = "m." + fn.has
			} else {
				guard = e.presence(f)
			}
			e.g.p("if %s {", guard)
		}
		before := e.g.w.Len()
		e.fieldChecks(f, "m."+fn.goName)
		if guard != "" {
			if e.g.w.Len() == before {
				e.g.w.Truncate(mark)
			} else {
				e.g.p("}")
			}
		}
	}
	e.asserts()
}

// presence writes the condition of an optional field for the encoder.
func (e *encoder) presence(f *spec.Field) string {
	if fn := e.m.fields[f]; fn.has != "" {
		return "m." + fn.has
	}
	return e.x.cond(f.If)
}

// asserts writes the asserts that need no derived field and no limit: the others
// hold by construction or are the receiver's to judge.
func (e *encoder) asserts() {
	for _, m := range e.m.s.Members {
		a, ok := m.(*spec.Assert)
		if !ok || a.Limit || usesLimit(a.Expr) {
			continue
		}
		own := true
		for _, f := range a.Fields {
			own = own && (e.m.fields[f].goName != "" && f.DerivedBits == 0 || f.Role == spec.RoleConst)
		}
		if own {
			e.refuseIf(e.x.not(a.Expr), "Assert", "")
		}
	}
}

func (e *encoder) fieldChecks(f *spec.Field, v string) {
	if s := scalarOf(f.Type); s != nil {
		e.scalarChecks(f.Type, v, f)
		e.widthCheck(f, s, v)
		e.ownRange(f, false)
		return
	}
	switch t := f.Type.(type) {
	case *spec.BytesType:
		e.bytesChecks(t, v, f.Name)
	case *spec.ArrayType:
		e.lengthChecks(t.Extent, v, f.Name, t.Extent.InBytes)
		if s := scalarOf(t.Elem); s != nil {
			mark := e.g.w.Len()
			e.g.p("for _, v := range %s {", v)
			before := e.g.w.Len()
			e.scalarChecks(t.Elem, "v", f)
			if s.Bits != goBits(s.Bits) && s.Kind != spec.ScalarBool && s.Kind != spec.ScalarFloat {
				e.width(s.Kind, s.Bits, "v", f.Name)
			}
			if e.g.w.Len() == before {
				e.g.w.Truncate(mark)
			} else {
				e.g.p("}")
			}
		}
	}
}

// ownRange writes the `in` and `where` clauses of f that name no limit; late says
// that something has been appended.
func (e *encoder) ownRange(f *spec.Field, late bool) {
	e.x.this = f
	for _, c := range f.In {
		if !usesLimit(c) {
			e.refuseWhen(e.x.not(c), "Range", f.Name, late)
		}
	}
	for _, c := range f.Where {
		if !usesLimit(c) && e.knows(c) {
			e.refuseWhen(e.x.not(c), "Range", f.Name, late)
		}
	}
	e.x.this = nil
}

// knows reports whether every field that c names has a value by now.
func (e *encoder) knows(c spec.Expr) bool {
	for _, f := range covered(c) {
		if _, ok := e.vals[f]; !ok && e.m.fields[f].goName == "" && f.Role != spec.RoleConst {
			return false
		}
	}
	return true
}

func (e *encoder) scalarChecks(t spec.Type, v string, f *spec.Field) {
	n, ok := t.(*spec.NamedType)
	if !ok {
		return
	}
	switch d := n.Ref.(type) {
	case *spec.Enum:
		if !d.Open {
			e.refuseIf("!"+v+".known()", "Enum", f.Name)
		}
	case *spec.Flags:
		if unknown := unknownBits(d); d.Rest == spec.RestError && unknown != 0 {
			e.refuseIf(fmt.Sprintf("%s&^%#x != 0", v, d.Mask), "Reserved", f.Name)
		}
	}
}

func (e *encoder) widthCheck(f *spec.Field, s *spec.ScalarType, v string) {
	bits := s.Bits
	if f.Group != nil {
		bits = f.Width
	}
	if bits == goBits(s.Bits) || s.Kind == spec.ScalarBool || s.Kind == spec.ScalarFloat {
		return
	}
	e.width(s.Kind, bits, v, f.Name)
}

func (e *encoder) width(kind spec.ScalarKind, bits int, v, field string) {
	if kind == spec.ScalarInt {
		top := int64(1) << uint(bits-1)
		e.refuseIf(fmt.Sprintf("%s < %d || %s > %d", v, -top, v, top-1), "Range", field)
		return
	}
	e.refuseIf(fmt.Sprintf("%s > %#x", v, uint64(1)<<uint(bits)-1), "Range", field)
}

func (e *encoder) bytesChecks(t *spec.BytesType, v, field string) {
	if _, ok := fixedArray(t); ok {
		return
	}
	e.lengthChecks(t.Extent, v, field, false)
	if t.Text {
		e.refuseIf("!codec.ValidText("+v+")", "UTF8", field)
	}
}

// lengthChecks writes the bounds of an extent over len(v). Limits are the
// receiver's: the encoder keeps to what the format can express.
func (e *encoder) lengthChecks(x *spec.Extent, v, field string, skip bool) {
	if skip {
		return
	}
	lo, hi, checkHi := uint64(0), uint64(0), false
	if n, ok := x.FixedLen(); ok {
		e.refuseIf(fmt.Sprintf("len(%s) != %d", v, n), "Length", field)
		return
	}
	if x.Min != nil && x.Min.Info().Const != nil {
		lo = x.Min.Info().Const.Uint64()
	}
	if x.Max != nil && x.Max.Info().Const != nil {
		hi, checkHi = x.Max.Info().Const.Uint64(), true
	}
	if x.Kind == spec.ExtentPrefixed {
		if top := ^uint64(0) >> (64 - uint(x.Prefix.Bits)); !checkHi || top < hi {
			hi, checkHi = top, true
		}
	}
	if lo > 0 {
		e.refuseIf(fmt.Sprintf("uint64(len(%s)) < %d", v, lo), "Range", field)
	}
	if checkHi && hi < 1<<63-1 {
		e.refuseIf(fmt.Sprintf("uint64(len(%s)) > %d", v, hi), "Limit", field)
	}
}

// sizedChecks writes the comparison of slices with the length that the spec
// computes for them, unless the length was derived from that very slice.
func (e *encoder) sizedChecks() {
	for _, f := range e.m.s.Fields {
		x := extentOf(f.Type)
		if x == nil || x.Kind != spec.ExtentSized || e.m.fields[f].goName == "" {
			continue
		}
		if _, fixed := x.FixedLen(); fixed || e.direct(x.Size, f) {
			continue
		}
		size := ""
		switch f.Type.(type) {
		case *spec.ArrayType:
			size = "uint64(len(m." + e.m.fields[f].goName + "))"
		default:
			size = e.g.sizeOf(e.x, e.m, f, false)
		}
		cond := size + " != " + e.x.num(x.Size, asUint)
		if f.If != nil {
			cond = e.presence(f) + " && " + cond
		}
		e.refuseIf(cond, "Length", f.Name)
	}
}

// direct reports whether size is a field derived as exactly size(f) or count(f).
func (e *encoder) direct(size spec.Expr, f *spec.Field) bool {
	id, ok := unparen(size).(*spec.Ident)
	if !ok {
		return false
	}
	l, ok := id.Ref.(*spec.Field)
	if !ok || l.Derived == nil {
		return false
	}
	c, ok := unparen(l.Derived).(*spec.Call)
	if !ok || len(c.Args) != 1 || c.Func.IsChecksum() {
		return false
	}
	of, ok := unparen(c.Args[0]).(*spec.Ident)
	return ok && of.Ref == f
}
