package gen

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// sampleFunc writes a function that returns values of m: smallest and fuller
// ones, and for a match one of each for every arm.
func (g *generator) sampleFunc(m *message) {
	t := g.o.Package + "." + m.goName
	g.p("func samples%s() []%s {\nreturn []%s{", m.goName, t, t)
	for _, lit := range g.samples(m.s, 0) {
		g.p("%s,", lit)
	}
	g.p("}\n}\n")
}

// sampler chooses the values of one sample.
type sampler struct {
	g     *generator
	full  bool
	arm   map[*spec.Field]int      // chosen arm of each match
	force map[*spec.Field]*big.Int // values of the fields that matches look at
	depth int
}

func (g *generator) samples(s *spec.Struct, depth int) []string {
	var match *spec.Field
	for _, f := range s.Fields {
		if _, ok := f.Type.(*spec.MatchType); ok {
			match = f
			break
		}
	}
	var out []string
	for _, full := range []bool{false, true} {
		if match == nil {
			sm := &sampler{g: g, full: full, depth: depth}
			out = append(out, sm.lit(s))
			continue
		}
		t := match.Type.(*spec.MatchType)
		for i, a := range t.Arms {
			if a.Kind == spec.ArmError {
				continue
			}
			sm := &sampler{g: g, full: full, depth: depth, arm: map[*spec.Field]int{match: i}, force: map[*spec.Field]*big.Int{}}
			if id, ok := unparen(t.Subject).(*spec.Ident); ok {
				if f, isField := id.Ref.(*spec.Field); isField {
					sm.force[f] = armValue(t, a)
				}
			}
			out = append(out, sm.lit(s))
		}
	}
	return out
}

// armValue returns a value that chooses arm a.
func armValue(t *spec.MatchType, a *spec.Arm) *big.Int {
	if !a.Else && len(a.Values) > 0 && a.Values[0].LoVal != nil {
		return a.Values[0].LoVal
	}
	for v := int64(1); v < 1<<16; v++ {
		n := big.NewInt(v)
		taken := false
		for _, o := range t.Arms {
			for _, item := range o.Values {
				hi := item.HiVal
				if hi == nil {
					hi = item.LoVal
				}
				taken = taken || item.LoVal != nil && n.Cmp(item.LoVal) >= 0 && n.Cmp(hi) <= 0
			}
		}
		if !taken {
			return n
		}
	}
	return big.NewInt(0)
}

// lit writes one value of s.
func (sm *sampler) lit(s *spec.Struct) string {
	m := sm.g.msgs[s]
	var parts []string
	for _, f := range s.Fields {
		fn := m.fields[f]
		if fn.no != "" && sm.full {
			parts = append(parts, fn.no+": true")
		}
		if fn.goName == "" {
			continue
		}
		if fn.has != "" {
			if !sm.full {
				continue
			}
			parts = append(parts, fn.has+": true")
		}
		if v := sm.value(f.Type, m, f); v != "" {
			parts = append(parts, fn.goName+": "+v)
		}
	}
	return sm.g.o.Package + "." + m.goName + "{" + strings.Join(parts, ", ") + "}"
}

func (sm *sampler) value(t spec.Type, m *message, f *spec.Field) string {
	g := sm.g
	switch t := t.(type) {
	case *spec.BytesType:
		if _, ok := fixedArray(t); ok {
			return ""
		}
		return fmt.Sprintf("[]byte(%q)", strings.Repeat("x", sm.count(t.Extent, 5)))
	case *spec.ArrayType:
		n := min(sm.count(t.Extent, 2), 64)
		if t.Extent.InBytes {
			n = 0
			if sm.full {
				n = 1
			}
		}
		elem := ""
		if s, _ := structOf(t.Elem); s != nil {
			elem = (&sampler{g: g, full: sm.full, depth: sm.depth + 1}).firstOf(s)
		} else {
			elem = sm.scalar(t.Elem, nil)
		}
		return "[]" + g.qualified(g.goType(t.Elem, m, f)) + "{" + strings.TrimSuffix(strings.Repeat(elem+", ", n), ", ") + "}"
	case *spec.RegionType:
		return sm.value(t.Of, m, f)
	case *spec.MatchType:
		return sm.matchValue(t, m, f)
	case *spec.NamedType:
		if s, _ := structOf(t); s != nil {
			return (&sampler{g: g, full: sm.full, depth: sm.depth + 1}).firstOf(s)
		}
	}
	return sm.scalar(t, f)
}

// sampleKey names the sample of a nested struct.
type sampleKey struct {
	s     *spec.Struct
	full  bool
	depth int
}

// firstOf is the first or last sample of a nested struct.
func (sm *sampler) firstOf(s *spec.Struct) string {
	if sm.depth > 8 {
		return sm.g.o.Package + "." + sm.g.declGo[s] + "{}"
	}
	key := sampleKey{s, sm.full, sm.depth}
	if lit, ok := sm.g.sampled[key]; ok {
		return lit
	}
	all := sm.g.samples(s, sm.depth)
	lit := all[0]
	if sm.full {
		lit = all[len(all)-1]
	}
	if sm.g.sampled == nil {
		sm.g.sampled = make(map[sampleKey]string)
	}
	sm.g.sampled[key] = lit
	return lit
}

// count chooses a length.
func (sm *sampler) count(e *spec.Extent, more int) int {
	n := e.MinLen
	if sm.full && e.MaxLen > n {
		n = min(n+uint64(more), e.MaxLen)
	}
	if fixed, ok := e.FixedLen(); ok {
		n = fixed
	}
	return int(min(n, 1<<12))
}

func (sm *sampler) matchValue(t *spec.MatchType, m *message, f *spec.Field) string {
	name := sm.g.o.Package + "." + sm.g.goType(t, m, f)
	a := t.Arms[min(sm.arm[f], len(t.Arms)-1)]
	if a.Kind != spec.ArmType {
		return name + "{}"
	}
	field, inner := sm.g.armField(a)
	if b, ok := inner.(*spec.BytesType); ok { // a slice even when its size is fixed
		return fmt.Sprintf("%s{Bytes: []byte(%q)}", name, strings.Repeat("x", sm.count(b.Extent, 5)))
	}
	return fmt.Sprintf("%s{%s: %s}", name, field, sm.value(inner, m, f))
}

// scalar chooses a number that the clauses of f allow, as far as they are constant.
func (sm *sampler) scalar(t spec.Type, f *spec.Field) string {
	g := sm.g
	s := scalarOf(t)
	goT := g.qualified(g.goType(t, nil, nil))
	if v := sm.force[f]; v != nil && f != nil {
		return goT + "(" + goConst(v) + ")"
	}
	if goT == "bool" {
		return fmt.Sprint(sm.full)
	}
	if s.Kind == spec.ScalarFloat {
		if sm.full {
			return "-2.5"
		}
		return "0"
	}
	if n, ok := t.(*spec.NamedType); ok {
		switch d := n.Ref.(type) {
		case *spec.Enum:
			if len(d.Members) == 0 {
				return goT + "(0)"
			}
			if sm.full {
				return g.o.Package + "." + g.goNames[d.Members[len(d.Members)-1]]
			}
			return g.o.Package + "." + g.goNames[d.Members[0]]
		case *spec.Flags:
			v := uint64(0)
			if sm.full {
				v = d.Mask
				if f != nil {
					v &^= f.DerivedBits
				}
			}
			return fmt.Sprintf("%s(%#x)", goT, v)
		}
	}
	return goT + "(" + goConst(sm.number(s, f)) + ")"
}

func (sm *sampler) number(s *spec.ScalarType, f *spec.Field) *big.Int {
	v := big.NewInt(1)
	if sm.full {
		v = big.NewInt(100)
	}
	bits := s.Bits
	if f != nil && f.Group != nil {
		bits = f.Width
	}
	if s.Kind == spec.ScalarInt {
		bits--
	}
	if top := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(1)); v.Cmp(top) > 0 {
		v = top
	}
	if f == nil {
		return v
	}
	for _, in := range f.In {
		if len(in.Set) == 0 || in.Set[0].Lo.Info().Const == nil {
			continue
		}
		lo, hi := in.Set[0].Lo.Info().Const, in.Set[0].Lo.Info().Const
		if e := in.Set[0].Hi; e != nil && e.Info().Const != nil {
			hi = e.Info().Const
		}
		if v.Cmp(lo) < 0 {
			v = lo
		} else if v.Cmp(hi) > 0 {
			v = hi
		}
	}
	for _, w := range f.Where {
		if b, ok := unparen(w).(*spec.Binary); ok && b.Y.Info().Const != nil {
			if _, isThis := unparen(b.X).(*spec.This); isThis {
				v = clip(v, b.Op, b.Y.Info().Const)
			}
		}
	}
	return v
}

func clip(v *big.Int, op string, c *big.Int) *big.Int {
	one := big.NewInt(1)
	switch op {
	case "==":
		return c
	case ">=":
		if v.Cmp(c) < 0 {
			return c
		}
	case ">":
		if v.Cmp(c) <= 0 {
			return new(big.Int).Add(c, one)
		}
	case "<=":
		if v.Cmp(c) > 0 {
			return c
		}
	case "<":
		if v.Cmp(c) >= 0 {
			return new(big.Int).Sub(c, one)
		}
	}
	return v
}
