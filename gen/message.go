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
		field, _ := g.armField(a)
		label := armLabel(a)
		if old, dup := seen[field]; dup {
			seen[field] = old + ", " + label
			continue
		}
		seen[field] = label
		order = append(order, field)
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
