package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

func (e *encoder) match(t *spec.MatchType, f *spec.Field, last bool) {
	g := e.g
	g.armSwitch(e.x, t, func(a *spec.Arm) {
		if a == nil || a.Kind == spec.ArmError {
			g.p("%s", e.back(e.m.errs.static("Match", -1, f.Name)))
			return
		}
		if a.Kind == spec.ArmNone {
			return
		}
		e.arm(a, f, last)
	})
}

func (e *encoder) arm(a *spec.Arm, f *spec.Field, last bool) {
	g := e.g
	name, inner := g.armField(a)
	to := "m." + e.m.fields[f].goName + "." + name
	_, named := structOf(inner)
	x := extentOf(a.Type)
	if b, ok := inner.(*spec.BytesType); ok {
		e.armBytes(b, to, f)
	}
	if x != nil && x.Kind == spec.ExtentPrefixed {
		e.armPrefix(x, a, to, f)
	} else if x != nil && x.Kind == spec.ExtentSized && windowExpr(f) == nil {
		size := "uint64(len(" + to + "))"
		if named != nil {
			size = fmt.Sprintf("uint64(%s.Size(%s))", to, strings.TrimPrefix(e.x.args(named), ", "))
		}
		g.p("if %s != %s {\n%s\n}", size, e.x.num(x.Size, asUint), e.back(e.m.errs.static("Length", -1, f.Name)))
	}
	tail := tailNone
	if e.head && last {
		tail = armTail(a, f)
	}
	switch {
	case tail == tailStruct:
		g.p("dst, tail, err = %s.AppendHead(dst%s)", to, e.x.args(named))
		g.p("if err != nil {\n%s\n}", e.back("err"))
	case tail == tailBytes:
		g.p("tail = %s", to)
	case named != nil:
		e.part(to, named)
	default:
		g.p("dst = append(dst, %s...)", to)
	}
}

// armBytes writes the checks of a bytes or text arm.
func (e *encoder) armBytes(b *spec.BytesType, to string, f *spec.Field) {
	if b.Text {
		e.g.p("if !codec.ValidText(%s) {\n%s\n}", to, e.back(e.m.errs.static("UTF8", -1, f.Name)))
	}
	x := b.Extent
	lo := constOr(x.Min, 0)
	hi := constOr(x.Max, ^uint64(0))
	if n, ok := x.FixedLen(); ok {
		lo, hi = n, n
	}
	var conds []string
	if lo > 0 {
		conds = append(conds, fmt.Sprintf("uint64(len(%s)) < %d", to, lo))
	}
	if hi != ^uint64(0) {
		conds = append(conds, fmt.Sprintf("uint64(len(%s)) > %d", to, hi))
	}
	if len(conds) > 0 {
		e.g.p("if %s {\n%s\n}", strings.Join(conds, " || "), e.back(e.m.errs.static("Range", -1, f.Name)))
	}
}

func (e *encoder) armPrefix(x *spec.Extent, a *spec.Arm, to string, f *spec.Field) {
	size := "uint64(len(" + to + "))"
	if _, ok := a.Type.(*spec.RegionType); ok {
		_, named := structOf(a.Type.(*spec.RegionType).Of)
		size = fmt.Sprintf("uint64(%s.Size(%s))", to, strings.TrimPrefix(e.x.args(named), ", "))
	}
	e.g.p("size := %s", size)
	if top := ^uint64(0) >> (64 - uint(x.Prefix.Bits)); top != ^uint64(0) {
		e.g.p("if size > %d {\n%s\n}", min(top, constOr(x.Max, top)), e.back(e.m.errs.static("Range", -1, f.Name)))
	}
	e.word("size", x.Prefix.Bytes(), x.Prefix.Order)
	e.flush()
}
