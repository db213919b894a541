package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// encoder writes Append and AppendHead of one message.
type encoder struct {
	g       *generator
	m       *message
	x       *scope
	head    bool // AppendHead: the last bytes field is returned, not appended
	body    int  // where the function body starts in the output
	vals    map[*spec.Field]string
	starts  map[*spec.Field]string // expressions for places in dst
	inner   map[*spec.Field]string
	ends    map[*spec.Field]string
	spots   map[*spec.Field]bool   // fields whose places a checksum or patch needs
	patches []*spec.Field          // lengths written after their contents
	off     int                    // bytes appended so far when static, else -1
	bytes   []string               // pending literal bytes
	wide    map[*spec.Field]string // derived unsigned fields: the local that holds the value as uint64
}

// endsInTail reports whether the encoding of s can end in a borrowed bytes field
// that AppendHead leaves to the caller.
func endsInTail(s *spec.Struct) bool {
	f := lastField(s)
	if f == nil || f.Name == "_" {
		return false
	}
	switch t := f.Type.(type) {
	case *spec.BytesType:
		_, fixed := fixedArray(t)
		return !fixed && !t.Text && f.Own == spec.OwnBorrow
	case *spec.MatchType:
		if f.If != nil {
			return false
		}
		for _, a := range t.Arms {
			if armTail(a, f) != tailNone {
				return true
			}
		}
	}
	return false
}

func lastField(s *spec.Struct) *spec.Field {
	for i := len(s.Members) - 1; i >= 0; i-- {
		switch m := s.Members[i].(type) {
		case *spec.Field:
			return m
		case *spec.BitGroup:
			return nil
		}
	}
	return nil
}

type tailKind uint8

const (
	tailNone   tailKind = iota
	tailBytes           // the arm is bytes
	tailStruct          // the arm is a struct that ends in bytes
)

func armTail(a *spec.Arm, f *spec.Field) tailKind {
	if a.Kind != spec.ArmType {
		return tailNone
	}
	inner := a.Type
	if r, ok := inner.(*spec.RegionType); ok {
		inner = r.Of
	}
	if s, _ := structOf(inner); s != nil && endsInTail(s) {
		return tailStruct
	}
	if b, ok := a.Type.(*spec.BytesType); ok && !b.Text && (a.Own == spec.OwnBorrow || f.Own == spec.OwnBorrow) {
		return tailBytes
	}
	return tailNone
}

// encode writes Append, and AppendHead where there is something to leave out.
func (g *generator) encode(m *message) {
	g.appendFunc(m, false)
	if endsInTail(m.s) {
		g.appendFunc(m, true)
	}
}

func (g *generator) appendFunc(m *message, head bool) {
	e := &encoder{
		g: g, m: m, head: head, vals: map[*spec.Field]string{}, starts: map[*spec.Field]string{},
		inner: map[*spec.Field]string{}, ends: map[*spec.Field]string{}, spots: map[*spec.Field]bool{}, wide: map[*spec.Field]string{},
	}
	e.x = &scope{g: g, m: m, field: e.value, size: e.sizeCall}
	if head {
		g.p("// AppendHead appends all of m to dst except its last bytes field, which it returns")
		g.p("// as it lies: send head, then tail. Lengths and checksums already cover the tail.")
		g.p("// tail is m's own slice and may be empty. On error head is dst as it was.")
		g.p("func (m *%s) AppendHead(dst []byte%s) (head, tail []byte, err error) {", m.goName, g.paramList(m))
	} else {
		g.p("// Append appends the encoding of m to dst and returns the longer slice; on error")
		g.p("// dst as it was, and a [*codec.Error] without an offset. Nothing of m is kept.")
		g.p("func (m *%s) Append(dst []byte%s) ([]byte, error) {", m.goName, g.paramList(m))
	}
	e.body = g.w.Len()
	e.checks()
	e.prepare()
	e.steps(m.steps)
	e.flush()
	e.finish()
	g.p("return dst, %snil\n}\n", tailResult(head))
	e.dropUnused()
}

func tailResult(head bool) string {
	if head {
		return "tail, "
	}
	return ""
}

// dropUnused removes `start := len(dst)` and the like when nothing needs them.
func (e *encoder) dropUnused() {
	r := &reader{g: e.g}
	r.settle(e.body)
}

func (e *encoder) local(name, expr string) {
	e.g.p("\x00%s\x01%s := %s", name, name, expr)
}

// back writes the return for an error after something was appended.
func (e *encoder) back(err string) string {
	if e.head {
		return "return dst[:start], nil, " + err
	}
	return "return dst[:start], " + err
}

// refuseIf writes a check before anything is appended.
func (e *encoder) refuseIf(cond, kind, field string) {
	if cond == "false" {
		return
	}
	err := e.m.errs.static(kind, -1, field)
	if e.head {
		e.g.p("if %s {\nreturn dst, nil, %s\n}", cond, err)
		return
	}
	e.g.p("if %s {\nreturn dst, %s\n}", cond, err)
}

// value writes the value of a scalar field as the encoder knows it.
func (e *encoder) value(f *spec.Field) string {
	if v, ok := e.vals[f]; ok {
		return v
	}
	fn := e.m.fields[f]
	if fn.goName != "" {
		return "m." + fn.goName
	}
	if f.Role == spec.RoleConst && f.Derived.Info().Const != nil {
		return fieldGoType(e.g, f) + "(" + goConst(f.Derived.Info().Const) + ")"
	}
	e.g.refuse(f.NameSpan, "the Go back end cannot compute %s before it is encoded", f.Name)
	return "0"
}

// prepare declares the locals of derived fields: flags with derived bits, and
// lengths that are known before their contents are appended.
func (e *encoder) prepare() {
	g := e.g
	e.local("start", "len(dst)")
	for _, f := range e.m.s.Fields {
		fn := e.m.fields[f]
		switch {
		case f.DerivedBits != 0:
			e.flagsLocal(f)
		case f.Role == spec.RoleLength || f.Role == spec.RoleDerived:
			if f.Role == spec.RoleLength && e.patched(f) {
				e.patches = append(e.patches, f)
				e.mark(f)
				e.markCovered(f.Derived)
				continue
			}
			g.p("%sWant := %s", fn.local, e.x.num(f.Derived, asUint))
			e.fitsField(f, fn.local+"Want", false)
			e.vals[f] = e.narrowed(f, fn.local+"Want")
			if s := scalarOf(f.Type); s.Kind == spec.ScalarUint {
				e.wide[f] = fn.local + "Want"
			}
		case f.Role == spec.RoleChecksum:
			e.mark(f)
			e.markCovered(f.Derived)
		}
	}
	e.sizedChecks()
}

func (e *encoder) narrowed(f *spec.Field, v string) string {
	t := fieldGoType(e.g, f)
	if t == "uint64" {
		return v
	}
	if t == "bool" {
		return "(" + v + " != 0)"
	}
	return t + "(" + v + ")"
}

// fitsField writes the test that v, an uint64, fits the width of f.
func (e *encoder) fitsField(f *spec.Field, v string, late bool) {
	s := scalarOf(f.Type)
	width := s.Bits
	if f.Group != nil {
		width = f.Width
	}
	if s.Kind == spec.ScalarInt {
		width--
	}
	if width < 64 {
		e.refuseWhen(fmt.Sprintf("%s > %#x", v, uint64(1)<<uint(width)-1), "Length", f.Name, late)
	}
	e.vals[f] = e.narrowed(f, v)
	e.ownRange(f, late)
}

func (e *encoder) refuseWhen(cond, kind, field string, late bool) {
	if !late {
		e.refuseIf(cond, kind, field)
		return
	}
	e.g.p("if %s {\n%s\n}", cond, e.back(e.m.errs.static(kind, -1, field)))
}

func (e *encoder) flagsLocal(f *spec.Field) {
	g := e.g
	fn := e.m.fields[f]
	t := fieldGoType(g, f)
	if fn.goName != "" {
		g.p("%s := m.%s &^ %#x", fn.local, fn.goName, f.DerivedBits)
	} else {
		g.p("var %s %s", fn.local, t)
	}
	for _, o := range e.m.s.Fields {
		if o.Presence == spec.PresentFlag && o.FlagIn == f {
			g.p("if m.%s {\n%s |= %s\n}", e.m.fields[o].has, fn.local, g.flagGo[o.Flag])
		}
	}
	e.vals[f] = fn.local
}

// patched reports whether the length field f is written after what it measures:
// when that is not known from a len() and the field is bytes of its own.
func (e *encoder) patched(f *spec.Field) bool {
	if f.Group != nil || f.If != nil {
		return false
	}
	cheap := true
	walkExpr(f.Derived, func(x spec.Expr) {
		if c, ok := x.(*spec.Call); ok && c.Func == spec.FuncSize {
			cheap = cheap && e.cheapSize(c)
		}
	})
	if cheap {
		return false
	}
	used := false
	for _, o := range e.m.s.Fields {
		for _, c := range append(append([]spec.Expr{o.If}, o.Where...), o.Derived) {
			for _, d := range covered(c) {
				used = used || d == f && o != f && o.Role != spec.RoleChecksum
			}
		}
		used = used || e.measures(o.Type, f)
	}
	for _, m := range e.m.s.Members {
		if a, ok := m.(*spec.Assert); ok {
			for _, d := range a.Fields {
				used = used || d == f
			}
		}
	}
	return !used
}

// measures reports whether an extent in t is computed from f by more than naming it.
func (e *encoder) measures(t spec.Type, f *spec.Field) bool {
	if m, ok := t.(*spec.MatchType); ok {
		for _, a := range m.Arms {
			if a.Kind == spec.ArmType && e.measures(a.Type, f) {
				return true
			}
		}
		return false
	}
	x := extentOf(t)
	if x == nil || x.Kind != spec.ExtentSized {
		return false
	}
	if _, direct := unparen(x.Size).(*spec.Ident); direct {
		return false
	}
	for _, d := range covered(x.Size) {
		if d == f {
			return true
		}
	}
	return false
}

func (e *encoder) cheapSize(c *spec.Call) bool {
	if len(c.Args) != 1 {
		return false
	}
	id, ok := unparen(c.Args[0]).(*spec.Ident)
	if !ok {
		return false
	}
	f, ok := id.Ref.(*spec.Field)
	if !ok {
		return false
	}
	_, isBytes := f.Type.(*spec.BytesType)
	return isBytes || f.Size.Fixed()
}

// sizeCall writes size() and count() from the struct, before anything is encoded.
func (e *encoder) sizeCall(c *spec.Call) string {
	if len(c.Args) != 1 {
		e.g.refuse(c.Pos(), "the Go back end cannot compute this %s", c.Name)
		return "0"
	}
	switch a := unparen(c.Args[0]).(type) {
	case *spec.This:
		return e.g.sizeOf(e.x, e.m, e.x.this, true)
	case *spec.Ident:
		if f, ok := a.Ref.(*spec.Field); ok {
			if c.Func == spec.FuncCount {
				return "uint64(len(m." + e.m.fields[f].goName + "))"
			}
			return e.g.sizeOf(e.x, e.m, f, true)
		}
	case *spec.FieldRange:
		from, _ := a.From.Ref.(*spec.Field)
		to, _ := a.To.Ref.(*spec.Field)
		var parts []string
		var group *spec.BitGroup
		for _, f := range e.m.s.Fields {
			if from == nil || to == nil || f.Index < from.Index || f.Index > to.Index || f.Group != nil && f.Group == group {
				continue
			}
			group = f.Group
			if group != nil {
				parts = append(parts, fmt.Sprint(group.Word.Bytes()))
				continue
			}
			parts = append(parts, e.g.sizeOf(e.x, e.m, f, true))
		}
		return "(" + strings.Join(parts, " + ") + ")"
	}
	e.g.refuse(c.Pos(), "the Go back end cannot compute this %s", c.Name)
	return "0"
}

// mark notes that the places of f are needed later.
func (e *encoder) mark(f *spec.Field) { e.spots[f] = true }

func (e *encoder) markCovered(x spec.Expr) {
	walkExpr(x, func(y spec.Expr) {
		c, ok := y.(*spec.Call)
		if !ok {
			return
		}
		for _, a := range c.Args {
			for _, f := range covered(a) {
				e.mark(f)
			}
		}
	})
}
