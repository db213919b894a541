package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// message writes everything for one frame or struct.
func (g *generator) message(m *message) {
	g.sizes(m)
	g.typeDoc(m)
	g.typeDecl(m)
	g.size(m)
	g.encode(m)
	if m.s.Frame {
		g.frameLen(m)
	}
	g.decode(m)
	g.clone(m)
	g.text(m)
	g.trace(m)
	g.lateLen(m)
	g.errTable(m.errs)
}

// lateLen writes the length function of a struct when a message before or after
// it asked for one: structs come before or after their users, so each struct
// writes its own when any message of the file nests it outside a region.
func (g *generator) lateLen(m *message) {
	if !m.s.Frame && g.needsLen(m.s) {
		g.structLen(m)
	}
}

// needsLen reports whether a length function walks over s: directly in a frame or
// in another struct that needs one.
func (g *generator) needsLen(s *spec.Struct) bool {
	if s.Size.Fixed() && s.Size.Max < 1<<28 {
		return false
	}
	for _, o := range g.f.Structs {
		if o == s || !inlines(o, s) {
			continue
		}
		if o.Frame || g.needsLen(o) {
			return true
		}
	}
	return false
}

// inlines reports whether o holds s outside a region.
func inlines(o, s *spec.Struct) bool {
	for _, f := range o.Fields {
		if holds(f.Type, s) {
			return true
		}
	}
	return false
}

func holds(t spec.Type, s *spec.Struct) bool {
	switch t := t.(type) {
	case *spec.NamedType:
		in, _ := structOf(t)
		return in == s
	case *spec.ArrayType:
		return !t.Extent.InBytes && holds(t.Elem, s)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind == spec.ArmType && holds(a.Type, s) {
				return true
			}
		}
	}
	return false
}

func (g *generator) sizes(m *message) {
	s := m.s
	g.p("// Sizes of %s in bytes, with the default limits.\nconst (", m.goName)
	g.p("%sMinSize = %d", m.goName, s.Size.Min)
	g.p("%sMaxSize = %d", m.goName, s.Size.Max)
	if s.Frame {
		g.p("%sHeadSize = %d // bytes that tell the size of the whole, at least", m.goName, s.Prefix.Min)
	}
	g.p(")\n")
}

func (g *generator) typeDoc(m *message) {
	s := m.s
	kind := "struct"
	if s.Frame {
		kind = "frame"
	}
	if s.Doc != "" {
		g.w.WriteString(comment(s.Doc))
		g.p("//")
	}
	size := fmt.Sprintf("%d bytes", s.Size.Min)
	if !s.Size.Fixed() {
		size = fmt.Sprintf("%d to %d bytes", s.Size.Min, s.Size.Max)
	}
	g.p("// %s is the %s %s, %s:", m.goName, kind, s.Name, size)
	g.p("//\n//\toffset size  field")
	for _, f := range s.Fields {
		g.p("//\t%-6s %-5s %s", offsetText(f), sizeText(f), fieldText(f))
	}
}

func offsetText(f *spec.Field) string {
	if f.Offset < 0 {
		return "..."
	}
	if f.Group != nil {
		return fmt.Sprintf("%d.%d", f.Offset, f.Shift)
	}
	return fmt.Sprint(f.Offset)
}

func sizeText(f *spec.Field) string {
	if f.Group != nil {
		return fmt.Sprintf("%d bit", f.Width)
	}
	if f.Size.Fixed() {
		return fmt.Sprint(f.Size.Min)
	}
	if f.If != nil && f.Size.Min == 0 && scalarOf(f.Type) != nil {
		return fmt.Sprintf("0|%d", f.Size.Max)
	}
	return "..."
}

func fieldText(f *spec.Field) string {
	s := f.Name + ": " + kindName(f.Type)
	switch f.Role {
	case spec.RoleConst:
		if c := f.Derived.Info().Const; c != nil {
			s += ", always " + goConst(c)
		}
	case spec.RoleLength, spec.RoleDerived:
		s += ", derived"
	case spec.RoleChecksum:
		s += ", computed"
	case spec.RoleReserved:
		s += ", reserved"
	}
	if f.Presence == spec.PresentFlag {
		s += ", if " + f.Flag.Name
	} else if f.If != nil {
		s += ", optional"
	}
	return s
}

func (g *generator) typeDecl(m *message) {
	g.p("type %s struct {", m.goName)
	for _, f := range m.s.Fields {
		fn := m.fields[f]
		note := fieldNote(f)
		if fn.has != "" {
			g.p("%s bool // %s is on the wire", fn.has, f.Name)
		}
		if fn.no != "" {
			g.p("%s bool // %s is written as %s: not computed", fn.no, f.Name, exprText(f.Absent))
		}
		if fn.goName == "" {
			continue
		}
		if f.Doc != "" && note == "" && len(f.Doc) < 80 {
			note = oneLine(f.Doc)
		} else if f.Doc != "" {
			g.w.WriteString(comment(f.Doc))
		}
		if note != "" {
			note = " // " + note
		}
		g.p("%s %s%s", fn.goName, g.goType(f.Type, m, f), note)
	}
	g.p("}\n")
	for _, f := range m.s.Fields {
		if t, ok := f.Type.(*spec.MatchType); ok {
			g.matchType(m, f, t)
		}
	}
}

func exprText(e spec.Expr) string {
	if c := e.Info().Const; c != nil {
		return goConst(c)
	}
	return "its absent value"
}

// fieldNote says who owns the bytes of a field.
func fieldNote(f *spec.Field) string {
	switch t := f.Type.(type) {
	case *spec.BytesType:
		if _, fixed := fixedArray(t); fixed {
			return ""
		}
		s := "borrowed from the input"
		if f.Own == spec.OwnCopy {
			s = "copied; the slice is reused by Decode"
		}
		if t.Text {
			s = "UTF-8; " + s
		}
		return s
	case *spec.ArrayType:
		return "the slice is reused by Decode"
	}
	return ""
}

// matchType writes the struct that holds the arms of a match.
func (g *generator) matchType(m *message, f *spec.Field, t *spec.MatchType) {
	name := g.goType(t, m, f)
	g.p("// %s holds the %s of a %s: which field is in use is told by %s. Decode", name, f.Name, m.goName, subjectText(t.Subject))
	g.p("// writes that field and leaves the others as they were.\ntype %s struct {", name)
	seen := map[string]string{}
	var order []string
	for _, a := range t.Arms {
		if a.Kind != spec.ArmType {
			continue
		}
		field, inner := g.armField(a)
		label := armLabel(a)
		if old, dup := seen[field]; dup {
			seen[field] = old + ", " + label
			continue
		}
		seen[field] = label
		order = append(order, field)
		_ = inner
	}
	for _, field := range order {
		if field == "Bytes" {
			g.p("Bytes []byte // %s; borrowed from the input", seen[field])
			continue
		}
		g.p("%s %s // %s", field, field, seen[field])
	}
	g.p("}\n")
}

func subjectText(e spec.Expr) string {
	if id, ok := unparen(e).(*spec.Ident); ok {
		return id.Name
	}
	return "the matched value"
}

func armLabel(a *spec.Arm) string {
	if a.Else {
		return "any other"
	}
	var vals []string
	for _, v := range a.Values {
		s := ""
		if id, ok := unparen(v.Lo).(*spec.Ident); ok {
			s = id.Name
		} else if v.LoVal != nil {
			s = v.LoVal.String()
		}
		if v.Hi != nil && v.HiVal != nil {
			s += ".." + v.HiVal.String()
		}
		vals = append(vals, s)
	}
	return strings.Join(vals, ", ")
}

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
		if b, ok := inner.(*spec.BytesType); ok {
			_ = b
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
func hasSlices(s *spec.Struct) bool {
	for _, f := range s.Fields {
		if !f.Vanishes && typeSlices(f.Type) {
			return true
		}
	}
	return false
}

func typeSlices(t spec.Type) bool {
	switch t := t.(type) {
	case *spec.BytesType:
		_, fixed := fixedArray(t)
		return !fixed
	case *spec.ArrayType:
		return true
	case *spec.RegionType:
		return typeSlices(t.Of)
	case *spec.NamedType:
		s, _ := structOf(t)
		return s != nil && hasSlices(s)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind != spec.ArmType {
				continue
			}
			if _, isBytes := a.Type.(*spec.BytesType); isBytes || typeSlices(a.Type) {
				return true
			}
		}
	}
	return false
}

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
