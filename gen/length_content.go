package gen

import (
	"github.com/wireplane/wireplane/spec"
)

// content writes the computation of the end of a content.
func (l *measurer) content(f *spec.Field, at pos, rest int) pos {
	g := l.g
	fn := l.m.fields[f]
	end := pos{base: fn.local + "End"}
	if _, ok := l.starts[f]; !ok {
		l.starts[f] = at
	}
	switch t := f.Type.(type) {
	case *spec.BytesType, *spec.RegionType:
		return l.extent(extentOf(t), f, at, end)
	case *spec.NamedType:
		return l.structEnd(t, at, end, rest)
	case *spec.ArrayType:
		return l.array(t, f, at, end, rest)
	case *spec.MatchType:
		if e := windowExpr(f); e != nil {
			l.windowArms(t, f, e)
			g.p("%s := %s", end, plus(at, l.x.num(e, asUint), widest(e) != nil))
			return end
		}
		g.p("%s := uint64(%s)", end, at)
		g.armSwitch(l.x, t, func(a *spec.Arm) { l.arm(a, f, at, end, rest) })
		return end
	}
	return at
}

// plus writes a sum of uint64 that does not wrap.
func plus(at pos, n string, bounded bool) string {
	if at.String() == "0" {
		return "uint64(" + n + ")"
	}
	if bounded {
		return at.String() + " + " + n
	}
	return "codec.Add(" + at.String() + ", " + n + ")"
}

func (l *measurer) extent(e *spec.Extent, f *spec.Field, at, end pos) pos {
	g := l.g
	switch e.Kind {
	case spec.ExtentPrefixed:
		g.p("%s := %s", end, plus(at, l.m.fields[f].local+"Len", e.Prefix.Bits <= 32))
	case spec.ExtentSized:
		if c := e.Size.Info().Const; c != nil && c.IsInt64() && c.Int64() < 1<<28 {
			return at.add(int(c.Int64()))
		}
		n := l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+n+")", true, l.starts[f], f.Name)
		w := widest(e.Size)
		g.p("%s := %s", end, plus(at, n, w != nil && w.BitLen() <= 60))
	default:
		g.refuse(f.Pos(), "the Go back end cannot find the end of this frame: bound %s by a region", f.Name)
	}
	return end
}

func (l *measurer) structEnd(t *spec.NamedType, at, end pos, rest int) pos {
	s, _ := structOf(t)
	if s.Size.Fixed() && s.Size.Max < 1<<28 {
		return at.add(int(s.Size.Max))
	}
	l.g.p("%s := uint64(%s)", end, at)
	l.partEnd(t, end, rest)
	return end
}

// partEnd writes the step of the place `end` over one struct that finds its own end.
func (l *measurer) partEnd(t *spec.NamedType, end pos, rest int) {
	g := l.g
	s, _ := structOf(t)
	if s.Size.Fixed() && s.Size.Max < 1<<28 {
		g.p("%s += %d", end, s.Size.Max)
		return
	}
	l.lack(end, int(min(s.Size.Min, 1<<28))+rest, func() {})
	g.p("n, need, err = len%s(b[%s:], lim%s)", g.declGo[s], end, l.x.args(t))
	g.p("if err != nil {\nreturn 0, 0, codec.Moved(err, int(%s))\n}", end)
	g.p("if need > 0 {\nreturn 0, need + %d, nil\n}", rest)
	g.p("%s += uint64(n)", end)
}

func (l *measurer) array(t *spec.ArrayType, f *spec.Field, at, end pos, rest int) pos {
	g := l.g
	e := t.Extent
	if e.InBytes {
		return l.extent(e, f, at, end)
	}
	count := l.m.fields[f].local + "Len"
	if e.Kind == spec.ExtentSized {
		count = l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+count+")", true, l.starts[f], f.Name)
	} else if e.Kind == spec.ExtentRest {
		g.refuse(f.Pos(), "the Go back end cannot find the end of this frame: bound %s by a region", f.Name)
		return end
	}
	_, named := structOf(t.Elem)
	s, _ := structOf(t.Elem)
	if s == nil || s.Size.Fixed() {
		g.p("%s := codec.Add(%s, codec.Mul(%s, %d))", end, at, count, typeMin(t.Elem))
		return end
	}
	g.p("%s := uint64(%s)", end, at)
	g.p("for range %s {", count)
	l.partEnd(named, end, rest)
	g.p("}")
	return end
}

// windowArms refuses, in a match whose arms share one size, the arms that have no
// bytes while the size says otherwise, and values without an arm.
func (l *measurer) windowArms(t *spec.MatchType, f *spec.Field, size spec.Expr) {
	acting := &spec.MatchType{Span: t.Span, Subject: t.Subject, Else: t.Else}
	others := t.Else == nil || t.Else.Kind != spec.ArmType
	for _, a := range t.Arms {
		if a.Kind != spec.ArmType || others {
			acting.Arms = append(acting.Arms, a)
		}
	}
	if len(acting.Arms) == 0 && !others {
		return
	}
	id, _ := size.(*spec.Ident)
	l.g.armSwitch(l.x, acting, func(a *spec.Arm) {
		switch {
		case a == nil || a.Kind == spec.ArmError:
			l.g.p("%s", l.fail(l.failure("Match", l.starts[f], f.Name)))
		case a.Kind == spec.ArmNone && id != nil:
			n := id.Ref.(*spec.Field)
			l.refuseIf(l.x.field(n)+" != 0", "Length", l.starts[n], n.Name)
		}
	})
}

func (l *measurer) arm(a *spec.Arm, f *spec.Field, at, end pos, rest int) {
	g := l.g
	if a == nil || a.Kind == spec.ArmError {
		g.p("%s", l.fail(l.failure("Match", l.starts[f], f.Name)))
		return
	}
	if a.Kind == spec.ArmNone {
		return
	}
	e := extentOf(a.Type)
	_, inner := g.armField(a)
	_, named := structOf(inner)
	switch {
	case e == nil:
		l.partEnd(named, end, rest)
	case e.Kind == spec.ExtentPrefixed:
		n := e.Prefix.Bytes()
		l.lack(at.add(n), rest, func() {})
		g.p("size := uint64(%s)", g.load("b", at, n, e.Prefix.Order))
		l.extentChecks(e, "size", true, at, f.Name)
		g.p("%s = %s", end, plus(at.add(n), "size", e.Prefix.Bits <= 32))
	case e.Kind == spec.ExtentSized:
		n := l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+n+")", true, l.starts[f], f.Name)
		g.p("%s = codec.Add(%s, %s)", end, at, n)
	default:
		g.refuse(a.Pos(), "the Go back end cannot find the end of this frame: bound the arm by a region")
	}
}
