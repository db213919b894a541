package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// content writes the part of f whose size is read from the wire. at is its first
// byte, behind the prefix; rest is the least size of what follows. It returns the
// place behind it.
func (d *decoder) content(f *spec.Field, at pos, rest int) pos {
	d.inner[f] = at
	if _, ok := d.starts[f]; !ok {
		d.starts[f] = at
	}
	fn := d.m.fields[f]
	switch t := f.Type.(type) {
	case *spec.BytesType:
		end := d.extentEnd(t.Extent, f, at, rest)
		d.bytes("m."+fn.goName, t, f.Own, f, at, end)
		return end
	case *spec.RegionType:
		end := d.extentEnd(t.Extent, f, at, rest)
		d.sumsReady(nil)
		s, named := structOf(t.Of)
		if s != nil {
			d.structIn("m."+fn.goName, named, f, at, end)
		}
		return end
	case *spec.NamedType:
		return d.structAt("m."+fn.goName, t, f, at, rest)
	case *spec.ArrayType:
		return d.array(t, f, at, rest)
	case *spec.MatchType:
		return d.match(t, f, at, rest)
	}
	d.g.refuse(f.Pos(), "the Go back end cannot decode this type")
	return at
}

// extentEnd writes the computation of the end of an extent in bytes, the test
// that the input reaches it, and its bounds.
func (d *decoder) extentEnd(e *spec.Extent, f *spec.Field, at pos, rest int) pos {
	fn := d.m.fields[f]
	end := pos{base: fn.local + "End"}
	switch e.Kind {
	case spec.ExtentRest:
		end = pos{base: d.end}
		if e.Min != nil || e.Max != nil {
			n := fn.local + "Len"
			d.local(n, fmt.Sprintf("uint64(%s - %s)", d.end, paren(at)))
			d.extentChecks(e, n, true, d.starts[f], f.Name)
		}
	case spec.ExtentPrefixed:
		d.span(fn.local+"Len", narrowPrefix(e), end, at, rest)
	case spec.ExtentSized:
		end = d.sized(e, e.Size, f, end, at, rest)
	}
	d.ends[f] = end
	return end
}

// sized writes the end of an extent whose length is an expression.
func (d *decoder) sized(e *spec.Extent, size spec.Expr, f *spec.Field, end, at pos, rest int) pos {
	if c := size.Info().Const; c != nil && c.IsInt64() && c.Int64() < 1<<28 {
		to := at.add(int(c.Int64()))
		d.ends[f] = to
		return to
	}
	n := d.x.num(size, asUint)
	if e != nil && (e.Min != nil || e.Max != nil) {
		d.extentChecks(e, "("+n+")", true, d.starts[f], f.Name)
	}
	if narrow(size) {
		d.span("int("+n+")", true, end, at, rest)
	} else {
		d.span(n, false, end, at, rest)
	}
	d.ends[f] = end
	return end
}

// span writes `end := at + n` and the test that n and the rest fit the input. A
// narrow n cannot overflow an int; a wide one is an uint64 and is compared first.
func (d *decoder) span(n string, isNarrow bool, end, at pos, rest int) {
	g := d.g
	if isNarrow {
		g.p("%s := %s", end.base, sum(at, n))
		d.want(end, rest)
		return
	}
	g.p("if %s > uint64(%s-%s) {\n%s\n}", n, d.end, paren(at), d.short(fmt.Sprintf("codec.Clamp(%s - uint64(%s-%s))", n, d.end, paren(at))))
	g.p("%s := %s", end.base, sum(at, "int("+n+")"))
	if rest > 0 {
		d.want(end, rest)
	}
}

func sum(at pos, n string) string {
	if at.String() == "0" {
		return n
	}
	return at.String() + " + " + n
}

func paren(p pos) string {
	if p.base != "" && p.off != 0 {
		return "(" + p.String() + ")"
	}
	return p.String()
}

// bytes writes the assignment of b[at:end] to a bytes or text field.
func (d *decoder) bytes(to string, t *spec.BytesType, own spec.Ownership, f *spec.Field, at, end pos) {
	slice := fmt.Sprintf("b[%s:%s:%s]", at, end, end)
	if own == spec.OwnCopy {
		d.g.p("%s = append(%s[:0], %s...)", to, to, slice)
	} else {
		d.g.p("%s = %s", to, slice)
	}
	if t.Text {
		d.refuseIf("!codec.ValidText("+to+")", "UTF8", at, f.Name)
	}
}

// structIn writes the decoding of a struct that has b[at:end] to itself.
func (d *decoder) structIn(to string, t *spec.NamedType, f *spec.Field, at, end pos) {
	g := d.g
	n := d.m.fields[f].local + "Used"
	g.p("%s, err := %s.Decode(b[%s:%s:%s], lim%s)", n, to, at, end, end, d.x.args(t))
	g.p("if err != nil {\nreturn 0, codec.Inside(err, %s, %s, %q, %q)\n}", at, lengthOf(at, end), d.m.s.Name, f.Name)
	d.g.p("if %s != %s {\n%s\n}", n, lengthOf(at, end), d.fail(fmt.Sprintf("codec.Fail(codec.KindRegion, %s, %q, %q)", sum(at, n), d.m.s.Name, f.Name)))
}

func lengthOf(at, end pos) string {
	if at.base == end.base {
		return fmt.Sprint(end.off - at.off)
	}
	if at.String() == "0" {
		return end.String()
	}
	return end.String() + "-" + paren(at)
}

// structAt writes the decoding of a struct that finds its own end.
func (d *decoder) structAt(to string, t *spec.NamedType, f *spec.Field, at pos, rest int) pos {
	g := d.g
	s, _ := structOf(t)
	n := d.m.fields[f].local + "Used"
	fixed := s.Size.Fixed() && s.Size.Max < 1<<28
	if fixed {
		n = "_"
	}
	op := ":="
	slice := "b[" + at.String() + ":]"
	if d.end != "len(b)" {
		slice = fmt.Sprintf("b[%s:%s:%s]", at, d.end, d.end)
	}
	if fixed {
		slice = fmt.Sprintf("b[%s:%s]", at, at.add(int(s.Size.Max)))
		g.p("if _, err := %s.Decode(%s, lim%s); err != nil {\nreturn 0, codec.Moved(err, %s)\n}", to, slice, d.x.args(t), at)
		d.ends[f] = at.add(int(s.Size.Max))
		return d.ends[f]
	}
	g.p("%s, err %s %s.Decode(%s, lim%s)", n, op, to, slice, d.x.args(t))
	g.p("if err != nil {\n%s\n}", d.moved(at))
	end := pos{base: d.m.fields[f].local + "End"}
	g.p("%s := %s", end.base, sum(at, n))
	if rest > 0 {
		d.want(end, rest)
	}
	d.ends[f] = end
	return end
}

// moved writes the return for an error from a part at the given place. When the
// part wants more bytes, a frame says how many are missing to its own end.
func (d *decoder) moved(at pos) string {
	s := fmt.Sprintf("return 0, codec.Moved(err, %s)", at)
	if d.m.s.Frame {
		return fmt.Sprintf("if _, short := err.(codec.Need); short {\n%s\n}\n%s", d.short(""), s)
	}
	return s
}

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

// match writes the switch over the arms.
func (d *decoder) match(t *spec.MatchType, f *spec.Field, at pos, rest int) pos {
	g := d.g
	fn := d.m.fields[f]
	end := pos{base: fn.local + "End"}
	size := windowExpr(f)
	if size != nil {
		end = d.sized(nil, size, f, end, at, rest)
		d.sumsReady(nil)
	} else {
		g.p("%s := %s", end.base, at)
	}
	d.arms(t, func(a *spec.Arm) {
		if a == nil || a.Kind == spec.ArmError {
			d.g.p("%s", d.fail(d.failure("Match", d.starts[f], f.Name)))
			return
		}
		d.arm(a, f, at, end, rest, size)
	})
	if size == nil && rest > 0 {
		d.want(end, rest)
	}
	d.ends[f] = end
	return end
}

// arms writes a switch with one case for each arm; nil stands for a value without
// an arm.
func (r *reader) arms(t *spec.MatchType, body func(*spec.Arm)) {
	r.g.armSwitch(r.x, t, body)
}

func (g *generator) armSwitch(x *scope, t *spec.MatchType, body func(*spec.Arm)) {
	ranges := false
	for _, a := range t.Arms {
		for _, v := range a.Values {
			ranges = ranges || v.Hi != nil
		}
	}
	if ranges {
		g.p("switch {")
	} else {
		g.p("switch %s {", x.operand(t.Subject))
	}
	for _, a := range t.Arms {
		if a.Else {
			continue
		}
		if ranges {
			g.p("case %s:", strings.TrimSuffix(strings.TrimPrefix(x.in(&spec.InExpr{X: t.Subject, Set: a.Values}, false), "("), ")"))
		} else {
			var vals []string
			for _, v := range a.Values {
				vals = append(vals, x.constant(v.Lo))
			}
			g.p("case %s:", strings.Join(vals, ", "))
		}
		body(a)
	}
	mark := g.w.Len()
	g.p("default:")
	before := g.w.Len()
	body(t.Else)
	if g.w.Len() == before {
		g.w.Truncate(mark)
	}
	g.p("}")
}

// armField is the name of the field of the match's struct that holds arm a, and
// the type inside its region.
func (g *generator) armField(a *spec.Arm) (name string, inner spec.Type) {
	inner = a.Type
	if r, ok := inner.(*spec.RegionType); ok {
		inner = r.Of
	}
	if s, _ := structOf(inner); s != nil {
		return g.declGo[s], inner
	}
	return "Bytes", inner
}

func (d *decoder) arm(a *spec.Arm, f *spec.Field, at, end pos, rest int, size spec.Expr) {
	g := d.g
	if a.Kind == spec.ArmNone {
		if id, ok := size.(*spec.Ident); ok {
			l := id.Ref.(*spec.Field)
			d.refuseIf(fmt.Sprintf("%s != 0", d.x.field(l)), "Length", d.starts[l], l.Name)
		}
		return
	}
	name, inner := g.armField(a)
	to := "m." + d.m.fields[f].goName + "." + name
	_, named := structOf(inner)
	ext := extentOf(a.Type)
	stop := end
	switch {
	case size != nil:
	case ext != nil && ext.Kind == spec.ExtentPrefixed:
		at, stop = d.armPrefix(ext, f, at, rest)
	case ext != nil && ext.Kind == spec.ExtentSized:
		stop = d.sized(ext, ext.Size, f, pos{base: "stop"}, at, rest)
		if stop.base != "stop" {
			d.want(stop, rest)
		}
	case ext != nil:
		stop = pos{base: d.end}
		if ext.Max != nil || ext.Min != nil {
			g.p("n := uint64(%s - %s)", d.end, paren(at))
			d.extentChecks(ext, "n", true, d.starts[f], f.Name)
		}
	}
	switch {
	case named != nil && ext == nil:
		g.p("n, err := %s.Decode(b[%s:%s], lim%s)", to, at, d.end, d.x.args(named))
		g.p("if err != nil {\n%s\n}", d.moved(at))
		g.p("%s = %s", end.base, sum(at, "n"))
		return
	case named != nil:
		d.structIn(to, named, f, at, stop)
	default:
		d.bytes(to, inner.(*spec.BytesType), max(a.Own, f.Own), f, at, stop)
	}
	if size == nil {
		g.p("%s = %s", end.base, stop)
	}
}

// armPrefix writes the prefix of an arm and returns the place and end of its content.
func (d *decoder) armPrefix(e *spec.Extent, f *spec.Field, at pos, rest int) (pos, pos) {
	n := e.Prefix.Bytes()
	d.want(at, n+rest)
	t := "uint64"
	if narrowPrefix(e) {
		t = "int"
	}
	d.g.p("n := %s(%s)", t, d.g.load("b", at, n, e.Prefix.Order))
	d.extentChecks(e, "n", !narrowPrefix(e), at, f.Name)
	stop := pos{base: "stop"}
	d.span("n", narrowPrefix(e), stop, at.add(n), rest)
	return at.add(n), stop
}
