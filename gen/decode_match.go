package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

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
