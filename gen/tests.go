package gen

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// testCode returns the test file: vectors, samples, fuzz targets.
func (g *generator) testCode() ([]byte, error) {
	g.w.Reset()
	g.imports = map[string]bool{}
	g.use("testing")
	g.use(g.o.Runtime + "/codectest")
	g.use(g.o.ImportPath)
	for _, s := range g.f.Structs {
		m := g.msgs[s]
		g.codecFunc(m)
		g.sampleFunc(m)
	}
	g.vectorTest()
	g.sampleTest()
	for _, s := range g.f.Structs {
		g.fuzzTest(g.msgs[s])
	}
	if len(g.errs) > 0 {
		return nil, g.errs
	}
	return g.finish(g.o.Package+"_test", false)
}

// canonical reports whether every accepted encoding of s is the only one of its value.
func canonical(s *spec.Struct) bool { return make(visited).canonical(s) }

func (v visited) canonical(s *spec.Struct) bool {
	for _, f := range s.Fields {
		if f.Ignore || !v.canonicalType(f.Type) {
			return false
		}
	}
	return true
}

func (v visited) canonicalType(t spec.Type) bool {
	if fl := flagsOf(t); fl != nil {
		return fl.Rest != spec.RestIgnore || unknownBits(fl) == 0
	}
	switch t := t.(type) {
	case *spec.NamedType:
		s, _ := structOf(t)
		return !v.first(s) || v.canonical(s)
	case *spec.ArrayType:
		return v.canonicalType(t.Elem)
	case *spec.RegionType:
		return v.canonicalType(t.Of)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind == spec.ArmType && !v.canonicalType(a.Type) {
				return false
			}
		}
	}
	return true
}

func (g *generator) codecFunc(m *message) {
	t := g.o.Package + "." + m.goName
	params := strings.TrimPrefix(g.testParams(m), ", ")
	g.p("func codec%s(%s) (*%s, codectest.Codec) {", m.goName, params, t)
	g.p("m := new(%s)\nreturn m, codectest.Codec{", t)
	g.p("Name: %q, Frame: %t, Canonical: %t,", m.s.Name, m.s.Frame, canonical(m.s))
	names := m.paramNames()
	g.p("Reset: func() { *m = %s{} },", t)
	g.p("Decode: func(b []byte) (int, error) { return m.Decode(b, nil%s) },", names)
	g.p("Append: func(dst []byte) ([]byte, error) { return m.Append(dst%s) },", names)
	if endsInTail(m.s) {
		g.p("Head: func(dst []byte) ([]byte, []byte, error) { return m.AppendHead(dst%s) },", names)
	}
	g.p("Size: func() int { return m.Size(%s) },", strings.TrimPrefix(names, ", "))
	if m.s.Frame {
		g.p("Len: func(b []byte) (int, int, error) { return %s.%s(b, nil%s) },", g.o.Package, lenName(m.goName), names)
	}
	g.p("Clone: func() { *m = m.Clone() },\nText: m.String,\n}\n}\n")
}

// testParams is paramList with qualified types.
func (g *generator) testParams(m *message) string {
	s := ""
	for _, p := range m.s.Params {
		s += ", " + m.params[p] + " " + g.qualified(paramGoType(g, p))
	}
	return s
}

func (g *generator) qualified(t string) string {
	if t != "" && t[0] >= 'A' && t[0] <= 'Z' {
		return g.o.Package + "." + t
	}
	return t
}

// paramArgs returns the argument lists with which a message is tested.
func (g *generator) paramArgs(m *message) []string {
	lists := []string{""}
	for i, p := range m.s.Params {
		var vals []string
		seen := map[string]bool{}
		add := func(v *big.Int) {
			s := g.paramLit(p, v)
			if !seen[s] {
				seen[s] = true
				vals = append(vals, s)
			}
		}
		if paramGoType(g, p) == "bool" {
			add(big.NewInt(0))
			add(big.NewInt(1))
		} else if p.Default != nil && p.Default.Info().Const != nil {
			add(p.Default.Info().Const)
		}
		for _, v := range g.f.Vectors {
			if v.Type == m.s && i < len(v.ArgConst) && v.ArgConst[i] != nil {
				add(v.ArgConst[i])
			}
		}
		if len(vals) == 0 {
			add(big.NewInt(1))
		}
		var next []string
		for _, l := range lists {
			for _, v := range vals[:min(len(vals), 3)] {
				next = append(next, l+", "+v)
			}
		}
		lists = next
	}
	for i := range lists {
		lists[i] = strings.TrimPrefix(lists[i], ", ")
	}
	return lists[:min(len(lists), 6)]
}

func (g *generator) paramLit(p *spec.Param, v *big.Int) string {
	t := paramGoType(g, p)
	if t == "bool" {
		return fmt.Sprint(v.Sign() != 0)
	}
	if t[0] >= 'A' && t[0] <= 'Z' {
		return g.qualified(t) + "(" + goConst(v) + ")"
	}
	return goConst(v)
}

func (g *generator) vectorTest() {
	if len(g.f.Vectors) == 0 {
		return
	}
	g.p("// TestVectors holds the codecs to the examples of the spec.")
	g.p("func TestVectors(t *testing.T) {")
	for _, v := range g.f.Vectors {
		g.vector(v)
	}
	g.p("}\n")
}

func (g *generator) vector(v *spec.Vector) {
	if v.Type == nil {
		return
	}
	m := g.msgs[v.Type]
	var args []string
	for i, p := range v.Type.Params {
		args = append(args, g.paramLit(p, v.ArgConst[i]))
	}
	word := "accept"
	if !v.Accept {
		word = "reject"
	}
	g.p("t.Run(\"%s %s line %d\", func(t *testing.T) {", word, v.TypeName, v.Start.Line)
	name := "_"
	if v.Accept && v.Value != nil {
		name = "m"
	}
	g.p("%s, c := codec%s(%s)", name, m.goName, strings.Join(args, ", "))
	g.p("codectest.Vector{Codec: c, Hex: %s,", hexLit(v.Bytes))
	if v.Accept && v.Value != nil {
		g.p("Set: func() { *m = %s },", g.structLit(v.Value, v.Type))
	}
	if !v.Accept {
		off := v.Offset
		if v.Kind == "Need" {
			g.p("Reject: true,")
		} else {
			g.use(g.o.Runtime)
			g.p("Reject: true, Kind: codec.Kind%s, Offset: %d,", v.Kind, off)
		}
	}
	g.p("}.Run(t)\n})")
}

func hexLit(b []byte) string {
	s := hex.EncodeToString(b)
	const width = 96
	var parts []string
	for len(s) > width {
		parts = append(parts, fmt.Sprintf("%q", s[:width]))
		s = s[width:]
	}
	parts = append(parts, fmt.Sprintf("%q", s))
	return strings.Join(parts, " +\n")
}

// structLit writes a struct value of a vector as a Go literal.
func (g *generator) structLit(v *spec.Value, s *spec.Struct) string {
	m := g.msgs[s]
	var parts []string
	for _, fv := range v.Fields {
		f := fv.Field
		fn := m.fields[f]
		if fn == nil {
			continue
		}
		if fn.no != "" {
			parts = append(parts, fn.no+": true")
			continue
		}
		if fn.goName == "" {
			continue
		}
		if fn.has != "" {
			parts = append(parts, fn.has+": true")
		}
		parts = append(parts, fn.goName+": "+g.valueLit(fv.Value, f.Type, m, f))
	}
	return g.o.Package + "." + m.goName + "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) valueLit(v *spec.Value, t spec.Type, m *message, f *spec.Field) string {
	if s := scalarOf(t); s != nil {
		return g.scalarLit(v, t)
	}
	switch t := t.(type) {
	case *spec.BytesType:
		if n, ok := fixedArray(t); ok {
			return fmt.Sprintf("[%d]byte([]byte(%q))", n, v.Str)
		}
		return fmt.Sprintf("[]byte(%q)", v.Str)
	case *spec.NamedType:
		s, _ := structOf(t)
		return g.structLit(v, s)
	case *spec.RegionType:
		return g.valueLit(v, t.Of, m, f)
	case *spec.ArrayType:
		var parts []string
		for _, e := range v.Elems {
			parts = append(parts, g.valueLit(e, t.Elem, m, f))
		}
		elem := g.goType(t.Elem, m, f)
		return "[]" + g.qualified(elem) + "{" + strings.Join(parts, ", ") + "}"
	case *spec.MatchType:
		name := g.o.Package + "." + g.goType(t, m, f)
		if v.Form == spec.FormStruct && v.Struct != nil {
			return fmt.Sprintf("%s{%s: %s}", name, g.declGo[v.Struct], g.structLit(v, v.Struct))
		}
		if len(v.Str) > 0 {
			return fmt.Sprintf("%s{Bytes: []byte(%q)}", name, v.Str)
		}
		return name + "{}"
	}
	return "nil"
}

func (g *generator) scalarLit(v *spec.Value, t spec.Type) string {
	goT := g.qualified(g.goType(t, nil, nil))
	switch {
	case v.Form == spec.FormFloat:
		return fmt.Sprintf("%s(%v)", goT, v.Float)
	case v.Int == nil:
		return goT + "(0)"
	case goT == "bool":
		return fmt.Sprint(v.Int.Sign() != 0)
	case v.Member != nil && v.Member.HiExpr == nil:
		return g.o.Package + "." + g.goNames[v.Member]
	}
	return goT + "(" + goConst(v.Int) + ")"
}

// sampleTest writes the tests that run over the samples of every message.
func (g *generator) sampleTest() {
	g.p("// samples runs do on one value after another of every message, encoded.")
	g.p("func samples(t *testing.T, do func(t *testing.T, c codectest.Codec, b []byte)) {")
	for _, s := range g.f.Structs {
		m := g.msgs[s]
		for _, args := range g.paramArgs(m) {
			label := s.Name
			if args != "" {
				label += "(" + args + ")"
			}
			g.p("t.Run(%q, func(t *testing.T) {", label)
			g.p("m, c := codec%s(%s)\ncodectest.Each(t, c, m, samples%s(), do)\n})", m.goName, args, m.goName)
		}
	}
	g.p("}\n")
	g.p("// TestRoundTrip encodes, decodes and encodes again.")
	g.p("func TestRoundTrip(t *testing.T) {\nsamples(t, func(t *testing.T, c codectest.Codec, b []byte) {")
	g.p("if ok, err := codectest.Check(c, b); !ok || err != nil {\nt.Errorf(\"accepted %%t: %%v\", ok, err)\n}\n})\n}\n")
	g.p("// TestTruncation cuts every sample at every byte.")
	g.p("func TestTruncation(t *testing.T) { samples(t, codectest.Truncations) }\n")
	g.p("// TestDamage changes every byte of every sample.")
	g.p("func TestDamage(t *testing.T) { samples(t, codectest.Damage) }\n")
	g.p("// TestAllocs encodes and decodes every sample without allocating.")
	g.p("func TestAllocs(t *testing.T) { samples(t, codectest.Allocs) }\n")
}

func (g *generator) fuzzTest(m *message) {
	g.p("// Fuzz%s checks on any input what TestRoundTrip checks on samples.", m.goName)
	g.p("func Fuzz%s(f *testing.F) {", m.goName)
	lists := g.paramArgs(m)
	g.p("var codecs []codectest.Codec")
	for _, args := range lists {
		g.p("{\nm, c := codec%s(%s)\ncodecs = append(codecs, c)\ncodectest.Seed(f, c, m, samples%s())\n}", m.goName, args, m.goName)
	}
	for _, v := range g.f.Vectors {
		if v.Type == m.s {
			g.p("codectest.SeedHex(f, %s)", hexLit(v.Bytes))
		}
	}
	g.p("f.Fuzz(func(t *testing.T, b []byte) {\nfor _, c := range codecs {")
	g.p("if _, err := codectest.Check(c, b); err != nil {\nt.Fatal(err)\n}\n}\n})\n}\n")
}
