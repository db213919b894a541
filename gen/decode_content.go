package gen

import (
	"fmt"

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
