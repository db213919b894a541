package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// trace writes the function that walks encoded bytes for codec.Dump: no checks,
// one line for each field, for as long as there are bytes.
func (g *generator) trace(m *message) {
	r := g.newReader(m)
	for _, f := range m.s.Fields {
		r.value[f] = m.fields[f].local
	}
	g.p("// trace%s walks the fields of an encoded %s for [codec.Dump].", m.goName, m.goName)
	g.p("func trace%s(t *codec.Tracer%s) {", m.goName, g.paramList(m))
	body := g.w.Len()
	for _, member := range m.s.Members {
		switch f := member.(type) {
		case *spec.BitGroup:
			g.traceGroup(r, f)
		case *spec.Field:
			g.traceField(r, m, f)
		}
	}
	g.p("}\n")
	r.settle(body)
	g.needLimits(body)
}

func (g *generator) traceGroup(r *reader, b *spec.BitGroup) {
	w := b.Word
	word := r.groupWord(b)
	g.p("%s := t.Uint(\"bits\", %d, %t)", word, w.Bytes(), w.Order == spec.LittleEndian)
	for _, f := range b.Fields {
		v := g.groupValue(f, "uint"+fmt.Sprint(goBits(w.Bits))+"("+word+")", w.Bits)
		if f.Name == "_" {
			continue
		}
		r.local(r.m.fields[f].local, v)
		g.p("t.Bits(%q, %s)", f.Name, g.traceText(f.Type, "("+v+")"))
	}
}

// traceText writes the text of a scalar value.
func (g *generator) traceText(t spec.Type, v string) string {
	if n, ok := t.(*spec.NamedType); ok {
		return g.declGo[n.Ref] + "(" + v + ").String()"
	}
	return "codec.TextOf(" + v + ")"
}

func (g *generator) traceField(r *reader, m *message, f *spec.Field) {
	if f.If != nil {
		if scalarOf(f.Type) != nil {
			r.keyed(m.fields[f].local, "var "+m.fields[f].local+" "+fieldGoType(g, f))
		}
		g.p("if %s {", r.presence(f))
		defer g.p("}")
	}
	if s := scalarOf(f.Type); s != nil {
		g.traceScalar(r, m, f, s)
		return
	}
	label := fmt.Sprintf("%q", f.Name)
	switch t := f.Type.(type) {
	case *spec.BytesType:
		g.traceBytes(r, t, label)
	case *spec.NamedType:
		g.p("t.In(%s)\ntrace%s(t%s)\nt.Out()", label, g.declGo[t.Ref], r.x.args(t))
	case *spec.RegionType:
		g.traceRegion(r, t, label)
	case *spec.ArrayType:
		g.traceArray(r, t, label)
	case *spec.MatchType:
		g.armSwitch(r.x, t, func(a *spec.Arm) { g.traceArm(r, a, label) })
	}
}

func (g *generator) traceScalar(r *reader, m *message, f *spec.Field, s *spec.ScalarType) {
	local := m.fields[f].local
	op := ":="
	if f.If != nil {
		op = "="
	}
	read := fmt.Sprintf("t.Uint(%q, %d, %t)", f.Name, s.Bytes(), s.Order == spec.LittleEndian)
	word := fmt.Sprintf("uint%d(%s)", goBits(s.Bytes()*8), read)
	if s.Kind == spec.ScalarBool {
		g.p("%sRaw := %s", local, read)
		r.keyed(local, fmt.Sprintf("%s %s %sRaw != 0", local, op, local))
		g.p("t.Note(codec.TextOf(%sRaw != 0))", local)
		return
	}
	if f.Name == "_" {
		g.p("%s", read)
		return
	}
	g.p("%sRaw := %s", local, word)
	value := g.fromWord(f.Type, local+"Raw", s.Bytes()*8)
	r.keyed(local, fmt.Sprintf("%s %s %s", local, op, value))
	g.p("t.Note(%s)", g.traceText(f.Type, value))
}

// traceLen writes the length of an extent, reading its prefix.
func (g *generator) traceLen(r *reader, e *spec.Extent, label string) string {
	switch e.Kind {
	case spec.ExtentPrefixed:
		return fmt.Sprintf("t.Prefix(%s, %d, %t)", label, e.Prefix.Bytes(), e.Prefix.Order == spec.LittleEndian)
	case spec.ExtentSized:
		return r.x.num(e.Size, asUint)
	}
	return "t.Rest()"
}

func (g *generator) traceBytes(r *reader, t *spec.BytesType, label string) {
	g.p("t.Bytes(%s, %s, %t)", label, g.traceLen(r, t.Extent, label), t.Text)
}

func (g *generator) traceRegion(r *reader, t *spec.RegionType, label string) {
	_, named := structOf(t.Of)
	if named == nil {
		return
	}
	g.p("t.Region(%s, %s)\ntrace%s(t%s)\nt.EndRegion()", label, g.traceLen(r, t.Extent, label), g.declGo[named.Ref], r.x.args(named))
}

func (g *generator) traceArray(r *reader, t *spec.ArrayType, label string) {
	n := g.traceLen(r, t.Extent, label)
	region := t.Extent.Kind == spec.ExtentRest || t.Extent.InBytes
	if region {
		g.p("t.Region(%s, %s)\nfor i := 0; t.More(); i++ {", label, n)
	} else {
		g.p("for i, n := 0, uint64(%s); uint64(i) < n && t.More(); i++ {", n)
	}
	if s := scalarOf(t.Elem); s != nil {
		g.p("t.Uint(codec.Index(%s, i), %d, %t)", label, s.Bytes(), s.Order == spec.LittleEndian)
	} else {
		_, named := structOf(t.Elem)
		g.p("t.In(codec.Index(%s, i))\ntrace%s(t%s)\nt.Out()", label, g.declGo[named.Ref], r.x.args(named))
	}
	g.p("}")
	if region {
		g.p("t.EndRegion()")
	}
}

func (g *generator) traceArm(r *reader, a *spec.Arm, label string) {
	if a == nil || a.Kind != spec.ArmType {
		return
	}
	switch t := a.Type.(type) {
	case *spec.BytesType:
		g.traceBytes(r, t, label)
	case *spec.RegionType:
		g.traceRegion(r, t, label)
	case *spec.NamedType:
		g.p("t.In(%s)\ntrace%s(t%s)\nt.Out()", label, g.declGo[t.Ref], r.x.args(t))
	}
}

// describers writes the table of all messages.
func (g *generator) describers() {
	g.p("// Messages describes every frame and struct of the spec, for [codec.Dump] and for")
	g.p("// programs that choose a message by its name.")
	g.p("func Messages() []codec.Message {\nreturn []codec.Message{")
	for _, s := range g.f.Structs {
		m := g.msgs[s]
		g.p("{\nName: %q,\nFrame: %t,", s.Name, s.Frame)
		if len(s.Params) > 0 {
			g.p("Params: []codec.Param{")
			for _, p := range s.Params {
				def, has := "0", false
				if p.Default != nil && p.Default.Info().Const != nil {
					def, has = goConst(p.Default.Info().Const), true
				}
				g.p("{Name: %q, Type: %q, Default: %s, HasDefault: %t},", p.Name, kindName(p.Type), def, has)
			}
			g.p("},")
		}
		args := ""
		for i, p := range s.Params {
			t := paramGoType(g, p)
			if t == "bool" {
				args += fmt.Sprintf(", args[%d] != 0", i)
			} else {
				args += fmt.Sprintf(", %s(args[%d])", t, i)
			}
		}
		name := "args"
		if args == "" {
			name = "_"
		}
		g.p("Decode: func(b []byte, %s []uint64) (string, int, error) {", name)
		g.p("var m %s\nn, err := m.Decode(b, nil%s)\nif err != nil {\nreturn \"\", 0, err\n}\nreturn m.String(), n, nil\n},", m.goName, args)
		g.p("Trace: func(t *codec.Tracer, %s []uint64) { trace%s(t%s) },", name, m.goName, args)
		g.p("},")
	}
	g.p("}\n}\n")
}
