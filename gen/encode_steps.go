package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// steps writes the appends in wire order.
func (e *encoder) steps(steps []step) {
	for i, s := range steps {
		last := i == len(steps)-1
		switch s := s.(type) {
		case *block:
			for _, it := range s.items {
				e.item(it)
			}
		case *content:
			e.flush()
			e.content(s.field, last)
		case *optional:
			e.flush()
			e.optional(s, last)
		}
	}
}

// place returns an expression for the current end of the output.
func (e *encoder) place(f *spec.Field, suffix string) string {
	if e.off >= 0 {
		if e.off == 0 {
			return "start"
		}
		return fmt.Sprintf("start+%d", e.off)
	}
	e.flush()
	name := e.m.fields[f].local + suffix
	e.local(name, "len(dst)")
	return name
}

// grow counts n more bytes, -1 when their number is not static.
func (e *encoder) grow(n int) {
	if e.off < 0 || n < 0 {
		e.off = -1
		return
	}
	e.off += n
}

// emit queues literal bytes; one append takes them all.
func (e *encoder) emit(bytes ...string) { e.bytes = append(e.bytes, bytes...) }

func (e *encoder) flush() {
	if len(e.bytes) == 0 {
		return
	}
	if len(e.bytes) == 1 {
		e.g.p("dst = append(dst, %s)", e.bytes[0])
	} else {
		var b strings.Builder
		for i, s := range e.bytes {
			if i > 0 {
				b.WriteString(", ")
				if i%8 == 0 {
					b.WriteString("\n")
				}
			}
			b.WriteString(s)
		}
		e.g.p("dst = append(dst, %s)", b.String())
	}
	e.bytes = e.bytes[:0]
}

// word queues the n bytes of the unsigned expression v in the given order.
func (e *encoder) word(v string, n int, order spec.ByteOrder) {
	if n == 1 {
		e.emit("byte(" + v + ")")
		return
	}
	if strings.ContainsAny(v, " +-*/&|") {
		v = "(" + v + ")"
	}
	for i := 0; i < n; i++ {
		shift := 8 * (n - 1 - i)
		if order == spec.LittleEndian {
			shift = 8 * i
		}
		if shift == 0 {
			e.emit("byte(" + v + ")")
		} else {
			e.emit(fmt.Sprintf("byte(%s>>%d)", v, shift))
		}
	}
}

func (e *encoder) item(it item) {
	f := it.field
	if it.group != nil {
		e.group(it)
		return
	}
	if e.spots[f] {
		e.starts[f] = e.place(f, "At")
		e.inner[f] = e.starts[f]
	}
	defer func() {
		e.grow(it.size)
		if e.spots[f] && !it.prefix {
			e.ends[f] = after(e.starts[f], it.size)
		}
	}()
	switch {
	case f.Name == "_":
		e.zeros(it.size)
	case it.prefix:
		e.prefix(f)
	case f.Role == spec.RoleConst:
		e.constant(f)
	case f.Role == spec.RoleChecksum || e.isPatch(f):
		e.zeros(it.size)
	default:
		e.fixed(f)
	}
}

func after(place string, n int) string {
	base, off := place, 0
	if i := strings.LastIndexByte(place, '+'); i > 0 {
		base = place[:i]
		fmt.Sscan(place[i+1:], &off)
	}
	if off+n == 0 {
		return base
	}
	return fmt.Sprintf("%s+%d", base, off+n)
}

func (e *encoder) isPatch(f *spec.Field) bool {
	for _, p := range e.patches {
		if p == f {
			return true
		}
	}
	return false
}

func (e *encoder) zeros(n int) {
	if n > 64 {
		e.flush()
		e.g.p("dst = append(dst, make([]byte, %d)...)", n)
		return
	}
	for range n {
		e.emit("0")
	}
}

func (e *encoder) constant(f *spec.Field) {
	for _, c := range []byte(e.g.constBytes(f)) {
		e.emit(fmt.Sprintf("%#02x", c))
	}
}

// prefix queues the length prefix of f.
func (e *encoder) prefix(f *spec.Field) {
	x := extentOf(f.Type)
	v := "m." + e.m.fields[f].goName
	switch f.Type.(type) {
	case *spec.RegionType:
		e.prefixValue(f, x, e.g.sizeOf(e.x, e.m, f, false))
		return
	case *spec.ArrayType:
		if x.InBytes {
			e.prefixValue(f, x, e.g.sizeOf(e.x, e.m, f, false))
			return
		}
	}
	e.word("len("+v+")", x.Prefix.Bytes(), x.Prefix.Order)
}

// prefixValue computes a prefix that is not a plain len() and queues it.
func (e *encoder) prefixValue(f *spec.Field, x *spec.Extent, size string) {
	e.flush()
	name := e.m.fields[f].local + "Len"
	e.g.p("%s := %s", name, size)
	top := ^uint64(0) >> (64 - uint(x.Prefix.Bits))
	hi := min(top, constOr(x.Max, top))
	var conds []string
	if lo := constOr(x.Min, 0); lo > 0 {
		conds = append(conds, fmt.Sprintf("%s < %d", name, lo))
	}
	if hi != ^uint64(0) {
		conds = append(conds, fmt.Sprintf("%s > %d", name, hi))
	}
	if len(conds) > 0 {
		e.g.p("if %s {\n%s\n}", strings.Join(conds, " || "), e.back(e.m.errs.static("Range", -1, f.Name)))
	}
	e.word(name, x.Prefix.Bytes(), x.Prefix.Order)
}

func constOr(x spec.Expr, otherwise uint64) uint64 {
	if x == nil || x.Info().Const == nil || !x.Info().Const.IsUint64() {
		return otherwise
	}
	return x.Info().Const.Uint64()
}

// fixed queues a scalar or array field.
func (e *encoder) fixed(f *spec.Field) {
	if _, ok := fixedArray(f.Type); ok {
		e.flush()
		e.g.p("dst = append(dst, m.%s[:]...)", e.m.fields[f].goName)
		return
	}
	if want, ok := e.wide[f]; ok {
		s := scalarOf(f.Type)
		e.word(want, s.Bytes(), s.Order)
		return
	}
	e.scalar(f.Type, e.value(f), e.m.fields[f].local)
}

// scalar queues the value v of a scalar type; name is free for a local.
func (e *encoder) scalar(t spec.Type, v, name string) {
	s := scalarOf(t)
	switch s.Kind {
	case spec.ScalarBool:
		e.emit("codec.Bit(" + v + ")")
		return
	case spec.ScalarFloat:
		e.g.use("math")
		bits := name + "Bits"
		e.hoist(fmt.Sprintf("%s := math.Float%dbits(%s)", bits, s.Bits, v))
		e.word(bits, s.Bytes(), s.Order)
		return
	}
	if fl := flagsOf(t); fl != nil && fl.Rest == spec.RestIgnore && unknownBits(fl) != 0 {
		v = fmt.Sprintf("(%s & %#x)", v, fl.Mask)
	}
	if s.Kind == spec.ScalarInt && s.Bytes() > 1 {
		// Unsigned shifts of one variable become one store; signed ones do not.
		bits := name + "Bits"
		e.hoist(fmt.Sprintf("%s := uint%d(%s)", bits, goBits(s.Bits), v))
		v = bits
	}
	e.word(v, s.Bytes(), s.Order)
}

// hoist writes a line before the pending append.
func (e *encoder) hoist(line string) { e.g.p("%s", line) }

func (e *encoder) group(it item) {
	w := it.group.Word
	var parts []string
	t := fmt.Sprintf("uint%d", goBits(w.Bits))
	for _, f := range it.group.Fields {
		if f.Name == "_" {
			continue
		}
		part := ""
		switch {
		case f.Role == spec.RoleConst:
			part = goConst(constWord(e.g, f))
		case scalarOf(f.Type).Kind == spec.ScalarBool:
			part = t + "(codec.Bit(" + e.value(f) + "))"
		default:
			part = fmt.Sprintf("%s(%s)", t, e.value(f))
			if scalarOf(f.Type).Kind == spec.ScalarInt {
				part += fmt.Sprintf("&%#x", groupMask(f))
			}
		}
		if f.Shift > 0 {
			part = fmt.Sprintf("(%s)<<%d", part, f.Shift)
		}
		parts = append(parts, part)
		if e.spots[f] {
			e.starts[f] = e.place(f, "At")
			e.inner[f] = e.starts[f]
			e.ends[f] = after(e.starts[f], it.size)
		}
	}
	if len(parts) == 0 {
		parts = []string{"0"}
	}
	name := "bits"
	for _, f := range it.group.Fields {
		name = e.m.fields[f].local + "Bits"
		break
	}
	e.hoist(fmt.Sprintf("%s := %s(%s)", name, t, strings.Join(parts, " | ")))
	e.word(name, w.Bytes(), w.Order)
	e.grow(it.size)
}

// content writes the append of a content; last says that nothing follows it.
func (e *encoder) content(f *spec.Field, last bool) {
	g := e.g
	to := "m." + e.m.fields[f].goName
	if e.spots[f] {
		in := e.place(f, "In")
		e.inner[f] = in
		if _, ok := e.starts[f]; !ok {
			e.starts[f] = in
		}
	}
	switch t := f.Type.(type) {
	case *spec.BytesType:
		if e.head && last && endsInTail(e.m.s) {
			g.p("tail = %s", to)
			break
		}
		g.p("dst = append(dst, %s...)", to)
	case *spec.RegionType:
		_, named := structOf(t.Of)
		e.part(to, named)
	case *spec.NamedType:
		e.part(to, t)
	case *spec.ArrayType:
		e.array(t, to)
	case *spec.MatchType:
		e.match(t, f, last)
	}
	e.off = -1
	if e.spots[f] {
		e.ends[f] = e.endPlace(f, last)
	}
}

// endPlace names the end of a content; the end of the message stays open, so that
// a tail can follow.
func (e *encoder) endPlace(f *spec.Field, last bool) string {
	if last {
		return ""
	}
	name := e.m.fields[f].local + "Stop"
	e.local(name, "len(dst)")
	return name
}

// part writes the append of a nested struct.
func (e *encoder) part(to string, t *spec.NamedType) {
	e.declareErr()
	e.g.p("dst, err = %s.Append(dst%s)", to, e.x.args(t))
	e.g.p("if err != nil {\n%s\n}", e.back("err"))
}

// declareErr declares err at the top of the function when it has no named result.
func (e *encoder) declareErr() {
	text := string(e.g.w.Bytes()[e.body:])
	if e.head || strings.Contains(text, "var err error\n") {
		return
	}
	e.g.w.Truncate(e.body)
	e.g.p("var err error")
	e.g.w.WriteString(text)
}

func (e *encoder) array(t *spec.ArrayType, to string) {
	g := e.g
	s := scalarOf(t.Elem)
	if s == nil {
		_, named := structOf(t.Elem)
		g.p("for i := range %s {", to)
		e.part(to+"[i]", named)
		g.p("}")
		return
	}
	g.p("for _, v := range %s {", to)
	e.scalar(t.Elem, "v", "v")
	e.flush()
	g.p("}")
}

func (e *encoder) optional(o *optional, last bool) {
	f := o.field
	if e.spots[f] {
		e.off = -1
		e.starts[f] = e.place(f, "At")
		e.inner[f] = e.starts[f]
	}
	spot := e.spots[f]
	e.spots[f] = false
	e.g.p("if %s {", e.presence(f))
	e.optionalSteps(o.steps, last)
	e.flush()
	e.g.p("}")
	e.off = -1
	if spot {
		e.spots[f] = true
		e.ends[f] = e.endPlace(f, last && !e.willPatch(f))
	}
}

func (e *encoder) willPatch(f *spec.Field) bool { return f.Role == spec.RoleChecksum }

// optionalSteps writes the steps of one optional field.
func (e *encoder) optionalSteps(steps []step, last bool) {
	for i, s := range steps {
		switch s := s.(type) {
		case *block:
			for _, it := range s.items {
				e.item(it)
			}
		case *content:
			e.flush()
			e.content(s.field, last && i == len(steps)-1)
		}
	}
}
