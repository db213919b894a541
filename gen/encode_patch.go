package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// finish writes what can be known only at the end: lengths of contents that were
// just appended, then checksums.
func (e *encoder) finish() {
	for _, f := range e.patches {
		e.patchLength(f)
	}
	e.x.hash = e.hashCall
	for _, f := range e.m.s.Checksums {
		e.patchSum(f)
	}
	e.x.hash = nil
}

// extra is what the tail adds to a size that runs to the end of the message.
func (e *encoder) extra() string {
	if e.head {
		return " + len(tail)"
	}
	return ""
}

func (e *encoder) patchLength(f *spec.Field) {
	v := e.m.fields[f].local + "Want"
	x := *e.x
	x.size = func(c *spec.Call) string {
		from, to, ok := e.callSpan(c)
		if !ok {
			return e.sizeCall(c)
		}
		if to == "" {
			return fmt.Sprintf("uint64(len(dst) - %s%s)", parenSum(from), e.extra())
		}
		return fmt.Sprintf("uint64(%s - %s)", to, parenSum(from))
	}
	e.g.p("%s := %s", v, x.num(f.Derived, asUint))
	e.fitsField(f, v, true)
	e.store(f, v)
}

func parenSum(s string) string {
	if strings.Contains(s, "+") {
		return "(" + s + ")"
	}
	return s
}

// callSpan returns the places of what size() measures.
func (e *encoder) callSpan(c *spec.Call) (from, to string, ok bool) {
	if len(c.Args) != 1 || c.Func != spec.FuncSize {
		return "", "", false
	}
	switch a := unparen(c.Args[0]).(type) {
	case *spec.Ident:
		f, isField := a.Ref.(*spec.Field)
		if !isField || !e.spots[f] {
			return "", "", false
		}
		return e.starts[f], e.ends[f], true
	case *spec.FieldRange:
		f, _ := a.From.Ref.(*spec.Field)
		t, _ := a.To.Ref.(*spec.Field)
		if f == nil || t == nil || !e.spots[f] || !e.spots[t] {
			return "", "", false
		}
		return e.starts[f], e.ends[t], true
	}
	return "", "", false
}

// store writes the uint64 v into the place of the scalar field f.
func (e *encoder) store(f *spec.Field, v string) {
	s := scalarOf(f.Type)
	at := e.starts[f]
	n := s.Bytes()
	o := "BigEndian"
	if s.Order == spec.LittleEndian {
		o = "LittleEndian"
	}
	switch n {
	case 1:
		e.g.p("dst[%s] = byte(%s)", at, v)
	case 2, 4:
		e.g.use("encoding/binary")
		e.g.p("binary.%s.PutUint%d(dst[%s:], uint%d(%s))", o, n*8, at, n*8, v)
	case 8:
		e.g.use("encoding/binary")
		e.g.p("binary.%s.PutUint64(dst[%s:], %s)", o, at, v)
	default:
		for i := n - 1; i >= 0; i-- {
			shift := 8 * (n - 1 - i)
			if s.Order == spec.LittleEndian {
				shift = 8 * i
			}
			if shift == 0 {
				e.g.p("dst[%s] = byte(%s)", after(at, i), v)
			} else {
				e.g.p("dst[%s] = byte(%s >> %d)", after(at, i), v, shift)
			}
		}
	}
}

func (e *encoder) patchSum(f *spec.Field) {
	g := e.g
	guard := ""
	if f.If != nil {
		guard = e.presence(f)
	}
	if guard != "" {
		g.p("if %s {", guard)
	}
	if f.HasAbsent() {
		if a := e.x.num(f.Absent, asUint); a != "0" {
			g.p("if m.%s {", e.m.fields[f].no)
			e.store(f, a)
			g.p("} else {")
		} else {
			g.p("if !m.%s {", e.m.fields[f].no)
		}
	}
	if c, ok := unparen(f.Derived).(*spec.Cond); ok {
		g.p("if %s {", e.x.cond(c.If))
		e.storeUnlessZero(f, e.x.num(c.Then, asUint))
		if other := e.x.num(c.Else, asUint); other != "0" {
			g.p("} else {")
			e.store(f, other)
		}
		g.p("}")
	} else {
		e.storeUnlessZero(f, e.x.num(f.Derived, asUint))
	}
	if f.HasAbsent() {
		g.p("}")
	}
	if guard != "" {
		g.p("}")
	}
}

func (e *encoder) storeUnlessZero(f *spec.Field, v string) {
	if v != "0" {
		e.store(f, v)
	}
}

// hashCall writes a checksum over what has been appended, and the tail.
func (e *encoder) hashCall(c *spec.Call) string {
	type span struct{ from, to string }
	var spans []span
	for _, a := range c.Args {
		var from, to *spec.Field
		switch a := unparen(a).(type) {
		case *spec.Ident:
			from, _ = a.Ref.(*spec.Field)
			to = from
		case *spec.FieldRange:
			from, _ = a.From.Ref.(*spec.Field)
			to, _ = a.To.Ref.(*spec.Field)
		}
		if from == nil || to == nil {
			e.g.refuse(a.Pos(), "the Go back end covers fields and spans of fields only")
			return "0"
		}
		s := span{e.starts[from], e.ends[to]}
		if n := len(spans); n > 0 && e.meets(spans[n-1].to, s.from, from) {
			spans[n-1].to = s.to
			continue
		}
		spans = append(spans, s)
	}
	var parts []string
	for _, s := range spans {
		if s.to == "" {
			parts = append(parts, fmt.Sprintf("dst[%s:]", s.from))
			if e.head {
				parts = append(parts, "tail")
			}
			continue
		}
		parts = append(parts, fmt.Sprintf("dst[%s:%s]", s.from, s.to))
	}
	return e.g.hash(c.Func, parts)
}

// meets reports whether one span ends where the next begins.
func (e *encoder) meets(end, start string, next *spec.Field) bool {
	if end == start {
		return true
	}
	// A content's end and the next field's start are the same place under two names.
	if next.Index == 0 {
		return false
	}
	prev := e.m.s.Fields[next.Index-1]
	return end != "" && e.ends[prev] == end
}
