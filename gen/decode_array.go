package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// array writes the decoding of a repetition.
func (d *decoder) array(t *spec.ArrayType, f *spec.Field, at pos, rest int) pos {
	if t.Extent.Kind == spec.ExtentRest || t.Extent.InBytes {
		return d.arrayToEnd(t, f, at, rest)
	}
	g := d.g
	fn := d.m.fields[f]
	to := "m." + fn.goName
	count := "uint64(" + fn.local + "Len)"
	if t.Extent.Kind == spec.ExtentSized {
		count = d.x.num(t.Extent.Size, asUint)
		d.extentChecks(t.Extent, "("+count+")", true, d.starts[f], f.Name)
	}
	size := typeMin(t.Elem)
	if size > 0 {
		fits := fmt.Sprintf("uint64(%s-%s)/%d", d.end, paren(at), size)
		g.p("if %s > %s {\n%s\n}", count, fits, d.short(fmt.Sprintf("codec.Clamp(codec.Sub(codec.Mul(%s, %d), uint64(%s-%s)))", count, size, d.end, paren(at))))
	}
	g.p("%s = codec.Extend(%s, int(%s))", to, to, count)
	end := pos{base: fn.local + "End"}
	g.p("%s := %s", end.base, at)
	g.p("for i := range %s {", to)
	d.element(t, to+"[i]", f, end, d.end)
	g.p("}")
	if rest > 0 {
		d.want(end, rest)
	}
	d.ends[f] = end
	return end
}

// element writes the decoding of one element at the local end, which it moves.
func (d *decoder) element(t *spec.ArrayType, to string, f *spec.Field, end pos, limit string) {
	g := d.g
	if s := scalarOf(t.Elem); s != nil {
		if s.Kind == spec.ScalarBool {
			d.refuseIf(fmt.Sprintf("b[%s] > 1", end), "Range", end, f.Name)
		}
		g.p("%s = %s", to, g.loadScalar(t.Elem, "b", end))
		d.elementChecks(t.Elem, to, end, f)
		g.p("%s += %d", end.base, s.Bytes())
		return
	}
	_, named := structOf(t.Elem)
	slice := "b[" + end.String() + ":]"
	if limit != "len(b)" {
		slice = fmt.Sprintf("b[%s:%s:%s]", end, limit, limit)
	}
	g.p("n, err := %s.Decode(%s, lim%s)", to, slice, d.x.args(named))
	g.p("if err != nil {\n%s\n}", d.elementError(end, limit, f))
	g.p("%s += n", end.base)
}

func (d *decoder) elementError(at pos, limit string, f *spec.Field) string {
	if limit != d.end {
		return fmt.Sprintf("return 0, codec.Inside(err, %s, %s-%s, %q, %q)", at, limit, at, d.m.s.Name, f.Name)
	}
	return d.moved(at)
}

// elementChecks writes what the type of a scalar element demands.
func (d *decoder) elementChecks(t spec.Type, to string, at pos, f *spec.Field) {
	n, ok := t.(*spec.NamedType)
	if !ok {
		return
	}
	switch decl := n.Ref.(type) {
	case *spec.Enum:
		if !decl.Open {
			d.refuseIf("!"+to+".known()", "Enum", at, f.Name)
		}
	case *spec.Flags:
		if decl.Rest == spec.RestError && unknownBits(decl) != 0 {
			d.refuseIf(fmt.Sprintf("%s&^%#x != 0", to, decl.Mask), "Reserved", at, f.Name)
		}
		if decl.Rest == spec.RestIgnore && unknownBits(decl) != 0 {
			d.g.p("%s &= %#x", to, decl.Mask)
		}
	}
}

// arrayToEnd writes a repetition that fills the rest, or the bytes that its prefix counts.
func (d *decoder) arrayToEnd(t *spec.ArrayType, f *spec.Field, at pos, rest int) pos {
	g := d.g
	fn := d.m.fields[f]
	to := "m." + fn.goName
	limit := pos{base: d.end}
	if t.Extent.InBytes {
		limit = pos{base: fn.local + "End"}
		if t.Extent.Kind == spec.ExtentPrefixed {
			d.span(fn.local+"Len", narrowPrefix(t.Extent), limit, at, rest)
		} else {
			limit = d.sized(t.Extent, t.Extent.Size, f, limit, at, rest)
		}
	}
	cur := pos{base: fn.local + "At"}
	g.p("%s = %s[:0]", to, to)
	g.p("for %s := %s; %s < %s; {", cur.base, at, cur, limit)
	if !t.Extent.InBytes && t.Extent.Max != nil {
		d.refuseIf(fmt.Sprintf("uint64(len(%s)) >= %s", to, d.x.num(t.Extent.Max, asUint)), rangeKind(t.Extent.Max), d.starts[f], f.Name)
	}
	if s := scalarOf(t.Elem); s != nil && s.Bytes() > 1 {
		g.p("if %s-%s < %d {\n%s\n}", limit, cur, s.Bytes(), d.fail(fmt.Sprintf("codec.Fail(codec.KindRegion, %s, %q, %q)", limit, d.m.s.Name, f.Name)))
	}
	g.p("%s = codec.Extend(%s, len(%s)+1)", to, to, to)
	if scalarOf(t.Elem) == nil {
		g.p("from := %s", cur)
	}
	d.element(t, fmt.Sprintf("%s[len(%s)-1]", to, to), f, cur, limit.String())
	if scalarOf(t.Elem) == nil {
		d.refuseIf(fmt.Sprintf("%s == from", cur), "Region", cur, f.Name)
	}
	g.p("}")
	if t.Extent.Min != nil && !t.Extent.InBytes {
		d.refuseIf(fmt.Sprintf("uint64(len(%s)) < %s", to, d.x.num(t.Extent.Min, asUint)), rangeKind(t.Extent.Min), d.starts[f], f.Name)
	}
	d.ends[f] = limit
	return limit
}
