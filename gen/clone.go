package gen

import (
	"github.com/wireplane/wireplane/spec"
)

// clone writes Clone.
func (g *generator) clone(m *message) {
	g.p("// Clone returns a copy of m that shares no memory with it.")
	g.p("func (m *%s) Clone() %s {", m.goName, m.goName)
	defer g.p("}\n")
	mark := g.w.Len()
	g.p("c := *m")
	before := g.w.Len()
	for _, f := range m.s.Fields {
		fn := m.fields[f]
		if fn.goName == "" {
			continue
		}
		g.cloneValue(m, f, f.Type, "m."+fn.goName, "c."+fn.goName)
	}
	if g.w.Len() == before {
		g.w.Truncate(mark)
		g.p("return *m")
		return
	}
	g.p("return c")
}

func (g *generator) cloneValue(m *message, f *spec.Field, t spec.Type, from, to string) {
	switch t := t.(type) {
	case *spec.BytesType:
		if _, fixed := fixedArray(t); !fixed {
			g.p("%s = codec.Copy(%s)", to, from)
		}
	case *spec.RegionType:
		g.cloneValue(m, f, t.Of, from, to)
	case *spec.NamedType:
		if s, _ := structOf(t); s != nil && hasSlices(s) {
			g.p("%s = %s.Clone()", to, from)
		}
	case *spec.ArrayType:
		g.p("%s = append(%s[:0:0], %s...)", to, from, from)
		if s, _ := structOf(t.Elem); s != nil && hasSlices(s) {
			g.p("for i := range %s {\n%s[i] = %s[i].Clone()\n}", to, to, from)
		}
	case *spec.MatchType:
		g.cloneMatch(m, f, t, from, to)
	}
}

func (g *generator) cloneMatch(m *message, f *spec.Field, t *spec.MatchType, from, to string) {
	arm := func(a *spec.Arm) {
		if a == nil || a.Kind != spec.ArmType {
			return
		}
		name, inner := g.armField(a)
		if s, _ := structOf(inner); s != nil && !hasSlices(s) {
			g.p("%s.%s = %s.%s", to, name, from, name)
			return
		}
		if _, ok := inner.(*spec.BytesType); ok {
			g.p("%s.%s = codec.Copy(%s.%s)", to, name, from, name)
			return
		}
		g.p("%s.%s = %s.%s.Clone()", to, name, from, name)
	}
	g.p("%s = %s{}", to, g.goType(t, m, f))
	if id, ok := unparen(t.Subject).(*spec.Ident); ok {
		if sf, isField := id.Ref.(*spec.Field); isField && m.fields[sf].goName != "" {
			g.armSwitch(g.structScope(m), t, arm)
			return
		}
	}
	done := map[string]bool{}
	for _, a := range t.Arms {
		if a.Kind != spec.ArmType {
			continue
		}
		if name, _ := g.armField(a); !done[name] {
			done[name] = true
			arm(a)
		}
	}
}

// hasSlices reports whether the Go struct of s holds slices.
func hasSlices(s *spec.Struct) bool { return make(visited).hasSlices(s) }

func (v visited) hasSlices(s *spec.Struct) bool {
	for _, f := range s.Fields {
		if !f.Vanishes && v.typeSlices(f.Type) {
			return true
		}
	}
	return false
}

func (v visited) typeSlices(t spec.Type) bool {
	switch t := t.(type) {
	case *spec.BytesType:
		_, fixed := fixedArray(t)
		return !fixed
	case *spec.ArrayType:
		return true
	case *spec.RegionType:
		return v.typeSlices(t.Of)
	case *spec.NamedType:
		s, _ := structOf(t)
		return v.first(s) && v.hasSlices(s)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind != spec.ArmType {
				continue
			}
			if _, isBytes := a.Type.(*spec.BytesType); isBytes || v.typeSlices(a.Type) {
				return true
			}
		}
	}
	return false
}
