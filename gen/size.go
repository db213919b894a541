package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// sizeOf writes the encoded size of f's content as uint64, its prefix included
// when whole is set.
func (g *generator) sizeOf(x *scope, m *message, f *spec.Field, whole bool) string {
	s := g.sizeInt(x, m, f)
	if e := extentOf(f.Type); whole && e != nil && e.Kind == spec.ExtentPrefixed && f.If == nil {
		s = fmt.Sprintf("%d + %s", e.Prefix.Bytes(), s)
	}
	return "uint64(" + s + ")"
}

// sizeInt writes the size of f's content as int; optional fields count with their prefix.
func (g *generator) sizeInt(x *scope, m *message, f *spec.Field) string {
	fn := m.fields[f]
	if f.If != nil {
		return fmt.Sprintf("m.size%s(%s)", camel(f.Name), strings.TrimPrefix(m.paramNames(), ", "))
	}
	if s := scalarOf(f.Type); s != nil {
		if f.Group != nil {
			return "0"
		}
		return fmt.Sprint(s.Bytes())
	}
	if n, ok := fixedArray(f.Type); ok {
		return fmt.Sprint(n)
	}
	if f.Name == "_" {
		n, _ := extentOf(f.Type).FixedLen()
		return fmt.Sprint(n)
	}
	if n, ok := g.plainSize(x, f.Type, "m."+fn.goName); ok {
		return n
	}
	return fmt.Sprintf("m.size%s(%s)", camel(f.Name), strings.TrimPrefix(m.paramNames(), ", "))
}

// plainSize writes the size of a value of type t when that is one expression.
func (g *generator) plainSize(x *scope, t spec.Type, v string) (string, bool) {
	switch t := t.(type) {
	case *spec.BytesType:
		return "len(" + v + ")", true
	case *spec.NamedType:
		s, _ := structOf(t)
		if s == nil {
			return fmt.Sprint(scalarOf(t).Bytes()), true
		}
		if s.Size.Fixed() && s.Size.Max < 1<<28 {
			return fmt.Sprint(s.Size.Max), true
		}
		return v + ".Size(" + strings.TrimPrefix(x.args(t), ", ") + ")", true
	case *spec.RegionType:
		return g.plainSize(x, t.Of, v)
	case *spec.ArrayType:
		if s := scalarOf(t.Elem); s != nil {
			return fmt.Sprintf("%d*len(%s)", s.Bytes(), v), true
		}
		if s, _ := structOf(t.Elem); s.Size.Fixed() && s.Size.Max < 1<<28 {
			return fmt.Sprintf("%d*len(%s)", s.Size.Max, v), true
		}
	}
	return "", false
}

// structScope is a scope in which fields are those of the Go struct.
func (g *generator) structScope(m *message) *scope {
	x := &scope{g: g, m: m}
	x.field = func(f *spec.Field) string {
		fn := m.fields[f]
		if fn.goName == "" {
			if f.Role == spec.RoleConst && f.Derived.Info().Const != nil {
				return fieldGoType(g, f) + "(" + goConst(f.Derived.Info().Const) + ")"
			}
			g.refuse(f.NameSpan, "the Go back end needs %s in the Go struct to know what is present", f.Name)
			return "0"
		}
		return "m." + fn.goName
	}
	return x
}

// structPresence writes whether optional f is present in the Go struct.
func (g *generator) structPresence(x *scope, m *message, f *spec.Field) string {
	if fn := m.fields[f]; fn.has != "" {
		return "m." + fn.has
	}
	return x.cond(f.If)
}

// size writes the Size method and the helpers for fields that need one.
func (g *generator) size(m *message) {
	x := g.structScope(m)
	fixed := 0
	var parts []string
	var helpers []*spec.Field
	var group *spec.BitGroup
	for _, f := range m.s.Fields {
		if f.Group != nil {
			if f.Group != group {
				fixed += f.Group.Word.Bytes()
			}
			group = f.Group
			continue
		}
		if e := extentOf(f.Type); e != nil && e.Kind == spec.ExtentPrefixed && f.If == nil {
			fixed += e.Prefix.Bytes()
		}
		s := g.sizeInt(x, m, f)
		n := 0
		if _, err := fmt.Sscanf(s+"\n", "%d\n", &n); err == nil && fmt.Sprint(n) == s {
			fixed += n
			continue
		}
		parts = append(parts, s)
		if strings.HasPrefix(s, "m.size") {
			helpers = append(helpers, f)
		}
	}
	if fixed > 0 || len(parts) == 0 {
		parts = append([]string{fmt.Sprint(fixed)}, parts...)
	}
	g.p("// Size returns how many bytes Append adds.")
	g.p("func (m *%s) Size(%s) int { return %s }\n", m.goName, strings.TrimPrefix(g.paramList(m), ", "), strings.Join(parts, " + "))
	for _, f := range helpers {
		g.sizeHelper(x, m, f)
	}
}

func (g *generator) sizeHelper(x *scope, m *message, f *spec.Field) {
	v := "m." + m.fields[f].goName
	g.p("func (m *%s) size%s(%s) int {", m.goName, camel(f.Name), strings.TrimPrefix(g.paramList(m), ", "))
	defer g.p("}\n")
	if f.If != nil {
		g.p("if !(%s) {\nreturn 0\n}", g.structPresence(x, m, f))
	}
	prefix := 0
	if e := extentOf(f.Type); e != nil && e.Kind == spec.ExtentPrefixed && f.If != nil {
		prefix = e.Prefix.Bytes()
	}
	if s := scalarOf(f.Type); s != nil {
		g.p("return %d", s.Bytes())
		return
	}
	if n, ok := fixedArray(f.Type); ok {
		g.p("return %d", n)
		return
	}
	if s, ok := g.plainSize(x, f.Type, v); ok {
		if prefix > 0 {
			s = fmt.Sprintf("%d + %s", prefix, s)
		}
		g.p("return %s", s)
		return
	}
	switch t := f.Type.(type) {
	case *spec.ArrayType:
		_, named := structOf(t.Elem)
		g.p("n := %d\nfor i := range %s {\nn += %s[i].Size(%s)\n}\nreturn n", prefix, v, v, strings.TrimPrefix(x.args(named), ", "))
	case *spec.MatchType:
		g.armSwitch(x, t, func(a *spec.Arm) { g.armSize(x, a, v) })
		if !everyArmReturns(t) {
			g.p("return 0")
		}
	default:
		g.p("return 0")
	}
}

// everyArmReturns tells whether nothing comes behind the switch over t that armSize
// fills: go vet complains about code that is never reached.
func everyArmReturns(t *spec.MatchType) bool {
	all := t.Else != nil
	for _, a := range append(t.Arms[:len(t.Arms):len(t.Arms)], t.Else) {
		all = all && a.Kind == spec.ArmType
	}
	return all
}

func (g *generator) armSize(x *scope, a *spec.Arm, v string) {
	if a == nil || a.Kind != spec.ArmType {
		return
	}
	name, inner := g.armField(a)
	s, _ := g.plainSize(x, inner, v+"."+name)
	if e := extentOf(a.Type); e != nil && e.Kind == spec.ExtentPrefixed {
		s = fmt.Sprintf("%d + %s", e.Prefix.Bytes(), s)
	}
	g.p("return %s", s)
}
