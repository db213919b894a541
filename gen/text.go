package gen

import (
	"github.com/wireplane/wireplane/spec"
)

// text writes String and the printer behind it.
func (g *generator) text(m *message) {
	x := g.structScope(m)
	g.p("// String returns m as a vector in a .wire file would give it, on one line.")
	g.p("func (m *%s) String() string {\nvar p codec.Printer\nm.print(&p)\nreturn p.String()\n}\n", m.goName)
	g.p("func (m *%s) print(p *codec.Printer) {", m.goName)
	g.p("p.Open(%q)", m.s.Name)
	for _, f := range m.s.Fields {
		fn := m.fields[f]
		if fn.no != "" {
			g.p("if m.%s {\np.Name(%q)\np.Word(\"none\")\n}", fn.no, f.Name)
		}
		if fn.goName == "" {
			continue
		}
		if fn.has != "" {
			g.p("if m.%s {", fn.has)
		}
		g.p("p.Name(%q)", f.Name)
		g.printValue(x, m, f, f.Type, "m."+fn.goName)
		if fn.has != "" {
			g.p("}")
		}
	}
	g.p("p.Close()\n}\n")
}

func (g *generator) printValue(x *scope, m *message, f *spec.Field, t spec.Type, v string) {
	switch t := t.(type) {
	case *spec.ScalarType:
		switch t.Kind {
		case spec.ScalarBool:
			g.p("p.Bool(%s)", v)
		case spec.ScalarFloat:
			g.p("p.Float(float64(%s))", v)
		case spec.ScalarInt:
			g.p("p.Int(int64(%s))", v)
		default:
			g.p("p.Uint(uint64(%s))", v)
		}
	case *spec.NamedType:
		if s, _ := structOf(t); s != nil {
			g.p("%s.print(p)", v)
			return
		}
		g.p("p.Word(%s.String())", v)
	case *spec.BytesType:
		if _, fixed := fixedArray(t); fixed {
			g.p("p.Bytes(%s[:])", v)
		} else if t.Text {
			g.p("p.Text(%s)", v)
		} else {
			g.p("p.Bytes(%s)", v)
		}
	case *spec.RegionType:
		g.printValue(x, m, f, t.Of, v)
	case *spec.ArrayType:
		g.p("p.List()\nfor i := range %s {\np.Item()", v)
		g.printValue(x, m, f, t.Elem, v+"[i]")
		g.p("}\np.EndList()")
	case *spec.MatchType:
		id, _ := unparen(t.Subject).(*spec.Ident)
		if id != nil {
			if sf, ok := id.Ref.(*spec.Field); ok && m.fields[sf].goName != "" {
				g.armSwitch(x, t, func(a *spec.Arm) { g.printArm(x, m, f, a, v) })
				return
			}
		}
		g.p("p.Word(\"by parameter\")")
	}
}

func (g *generator) printArm(x *scope, m *message, f *spec.Field, a *spec.Arm, v string) {
	if a == nil || a.Kind != spec.ArmType {
		g.p("p.Word(\"none\")")
		return
	}
	name, inner := g.armField(a)
	if b, ok := inner.(*spec.BytesType); ok {
		if b.Text {
			g.p("p.Text(%s.Bytes)", v)
		} else {
			g.p("p.Bytes(%s.Bytes)", v)
		}
		return
	}
	g.printValue(x, m, f, inner, v+"."+name)
}
