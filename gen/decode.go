package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// decoder writes the Decode method of one message.
type decoder struct {
	*reader
	end     string // expression for the end of the readable bytes
	hoisted bool   // the value of the field at hand is assigned, not declared
}

// params writes the parameter list of m for a signature, with a leading comma.
func (g *generator) paramList(m *message) string {
	s := ""
	for _, p := range m.s.Params {
		s += ", " + m.params[p] + " " + paramGoType(g, p)
	}
	return s
}

// paramNames writes the parameters of m as arguments, with a leading comma.
func (m *message) paramNames() string {
	s := ""
	for _, p := range m.s.Params {
		s += ", " + m.params[p]
	}
	return s
}

// args writes the arguments for the parameters of the struct that t names.
func (x *scope) args(t *spec.NamedType) string {
	s, _ := structOf(t)
	out := ""
	for i, p := range s.Params {
		var e spec.Expr
		if i < len(t.Args) {
			e = t.Args[i]
		} else {
			e = p.Default
		}
		out += ", " + x.arg(e, p)
	}
	return out
}

func (x *scope) arg(e spec.Expr, p *spec.Param) string {
	goT := paramGoType(x.g, p)
	if e == nil {
		x.g.refuse(p.Pos(), "the Go back end needs an argument for %s", p.Name)
		return "0"
	}
	if goT == "bool" {
		return x.cond(e)
	}
	if t, _, ok := x.plain(e); ok && t == goT {
		return x.operand(e)
	}
	if c := e.Info().Const; c != nil && e.Info().Kind != spec.ValueFloat {
		return goT + "(" + goConst(c) + ")"
	}
	return goT + "(" + x.num(e, kindOf(e)) + ")"
}

// decode writes Decode, and for a frame the function that words the answer to a
// short input.
func (g *generator) decode(m *message) {
	r := g.newReader(m)
	d := &decoder{reader: r, end: "len(b)"}
	d.fail = func(e string) string { return "return 0, " + e }
	g.p("// Decode decodes m from the front of b and returns how many bytes it took. Other")
	g.p("// answers are [codec.Need] and [*codec.Error]; m is then in part overwritten.")
	if borrows(m.s) {
		g.p("// The []byte fields alias b: they are borrowed until b is reused.")
	}
	g.p("// lim nil stands for the default limits.")
	g.p("func (m *%s) Decode(b []byte, lim *Limits%s) (int, error) {", m.goName, g.paramList(m))
	body := g.w.Len()
	if n := minOf(m.steps); n > 0 {
		g.p("if len(b) < %d {\n%s\n}", n, d.short(fmt.Sprintf("%d - len(b)", n)))
	}
	end := d.walk(m.steps, pos{}, 0)
	d.finishChecks()
	g.p("return %s, nil\n}\n", end)
	r.settle(body)
	g.needLimits(body)
	if m.s.Frame {
		g.shortFunc(m)
	}
}

// needLimits puts the default in force when what was written since mark reads lim.
func (g *generator) needLimits(mark int) {
	text := string(g.w.Bytes()[mark:])
	if !strings.Contains(text, "lim.") {
		return
	}
	g.w.Truncate(mark)
	g.p("if lim == nil {\nlim = &defaultLimits\n}")
	g.w.WriteString(text)
}

func (g *generator) shortFunc(m *message) {
	g.p("// short%s is the answer of Decode to an input that ends too early: an error if", m.goName)
	g.p("// the bytes at hand already show one, else how many are missing.")
	g.p("//\n//go:noinline")
	g.p("func short%s(b []byte, lim *Limits%s) error {", m.goName, g.paramList(m))
	g.p("n, need, err := %s(b, lim%s)", lenName(m.goName), m.paramNames())
	g.p("if err != nil {\nreturn err\n}")
	g.p("return codec.Need(max(need, n-len(b), 1))\n}\n")
}

// short writes the return for missing bytes.
func (d *decoder) short(missing string) string {
	if d.m.s.Frame {
		return fmt.Sprintf("return 0, short%s(b, lim%s)", d.m.goName, d.m.paramNames())
	}
	return "return 0, codec.Need(" + missing + ")"
}

// want writes the test that the input reaches to, which is not static, and rest
// bytes further.
func (d *decoder) want(to pos, rest int) {
	to = to.add(rest)
	d.g.p("if %s < %s {\n%s\n}", d.end, to, d.short(to.String()+" - "+d.end))
}

// walk writes the steps from at on; rest is the least size of what follows them.
// It returns the place behind them.
func (d *decoder) walk(steps []step, at pos, rest int) pos {
	for i, s := range steps {
		after := minOf(steps[i+1:]) + rest
		switch s := s.(type) {
		case *block:
			d.block(s, at)
			at = at.add(s.size)
		case *content:
			at = d.content(s.field, at, after)
		case *optional:
			at = d.optional(s, at, after)
		}
		d.sumsReady(nil)
		d.assertsReady()
	}
	return at
}

// window returns a buffer and an offset through which a block at the given place
// is read with constant offsets.
func (r *reader) window(b *block, at pos) (buf string, off pos) {
	if b.size == 1 || len(b.items) == 1 {
		return "b", at
	}
	name := fmt.Sprintf("p%d", r.blocks)
	r.blocks++
	slice := "b"
	if at.String() != "0" {
		slice = "b[" + at.String() + ":]"
	}
	r.local(name, fmt.Sprintf("(*[%d]byte)(%s)", b.size, slice))
	return name, pos{}
}

func (d *decoder) block(b *block, at pos) {
	d.blockBody(b, at)
	d.assertsReady()
}

func (d *decoder) blockBody(b *block, at pos) {
	buf, off := d.window(b, at)
	d.place(b, at)
	for _, it := range b.items {
		if cond, ok := d.constantCheck(it, buf, off.add(it.off)); ok {
			d.refuseIf(cond, "Constant", at.add(it.off), it.field.Name)
		}
	}
	for _, it := range b.items {
		d.store(it, buf, off.add(it.off))
	}
	d.sumsReady(nil)
	for _, it := range b.items {
		d.checkItem(it, buf, off.add(it.off), at.add(it.off))
	}
}

// checkItem writes the checks of one item after all of the block has been stored.
func (r *reader) checkItem(it item, buf string, off, at pos) {
	r.rawChecks(it, buf, off, at)
	switch {
	case it.group != nil:
		for _, f := range it.group.Fields {
			r.groupChecks(f, at)
		}
	case it.prefix:
		e := extentOf(it.field.Type)
		r.extentChecks(e, r.m.fields[it.field].local+"Len", !narrowPrefix(e), at, it.field.Name)
	case it.field.Name != "_":
		r.valueChecks(it.field, at)
	}
}

func (r *reader) groupChecks(f *spec.Field, at pos) {
	if f.Name == "_" {
		if !f.Ignore {
			r.refuseIf(fmt.Sprintf("%s&%#x != 0", r.groupWord(f.Group), groupMask(f)<<uint(f.Shift)), "Reserved", at, "_")
		}
		return
	}
	if f.Role == spec.RoleConst {
		r.refuseIf(fmt.Sprintf("%s>>%d&%#x != %s", r.groupWord(f.Group), f.Shift, groupMask(f), goConst(constWord(r.g, f))), "Constant", at, f.Name)
		return
	}
	r.typeChecks(f, at)
	r.valueChecks(f, at)
}

func groupMask(f *spec.Field) uint64 { return ^uint64(0) >> (64 - uint(f.Width)) }

// groupWord is the local that holds the word of a bit group.
func (r *reader) groupWord(b *spec.BitGroup) string {
	for _, f := range b.Fields {
		return r.m.fields[f].local + "Bits"
	}
	return "bits"
}

// store writes the assignment of one item.
func (d *decoder) store(it item, buf string, off pos) {
	g, m := d.g, d.m
	if it.group != nil {
		d.storeGroup(it, buf, off)
		return
	}
	f := it.field
	fn := m.fields[f]
	switch {
	case f.Name == "_":
		return
	case it.prefix:
		e := extentOf(f.Type)
		t := "uint64"
		if narrowPrefix(e) {
			t = "int"
		}
		g.p("%sLen := %s(%s)", fn.local, t, g.load(buf, off, e.Prefix.Bytes(), e.Prefix.Order))
		return
	}
	if n, ok := fixedArray(f.Type); ok {
		if fn.goName != "" {
			g.p("m.%s = [%d]byte(%s[%s:%s])", fn.goName, n, buf, off, off.add(n))
		}
		return
	}
	d.storeValue(f, g.loadScalar(f.Type, buf, off))
}

// storeValue writes the assignment of a scalar field, or its local when it
// vanishes or when bits of it are derived.
func (d *decoder) storeValue(f *spec.Field, value string) {
	fn := d.m.fields[f]
	if fl := flagsOf(f.Type); fl != nil && fl.Rest == spec.RestIgnore && unknownBits(fl) != 0 {
		value = fmt.Sprintf("%s & %#x", parens(value), fl.Mask)
	}
	if fn.goName != "" && f.DerivedBits == 0 {
		d.g.p("m.%s = %s", fn.goName, value)
		d.value[f] = "m." + fn.goName
		return
	}
	if d.hoisted {
		d.keyed(fn.local, fn.local+" = "+value)
	} else {
		d.local(fn.local, value)
	}
	d.value[f] = fn.local
	if fn.goName != "" {
		d.g.p("m.%s = %s &^ %#x", fn.goName, fn.local, f.DerivedBits)
	}
	if fn.no != "" {
		d.g.p("m.%s = %s == %s", fn.no, convert(fn.local, fieldGoType(d.g, f), asUint), d.x.num(f.Absent, asUint))
	}
}

func flagsOf(t spec.Type) *spec.Flags {
	if n, ok := t.(*spec.NamedType); ok {
		f, _ := n.Ref.(*spec.Flags)
		return f
	}
	return nil
}

func (d *decoder) storeGroup(it item, buf string, off pos) {
	w := it.group.Word
	word := d.groupWord(it.group)
	d.local(word, d.g.load(buf, off, w.Bytes(), w.Order))
	for _, f := range it.group.Fields {
		if f.Name == "_" || f.Role == spec.RoleConst {
			continue
		}
		d.storeValue(f, d.g.groupValue(f, word, w.Bits))
	}
}

// groupValue writes the value of a member of a bit group.
func (g *generator) groupValue(f *spec.Field, word string, bits int) string {
	v := word
	if f.Shift > 0 {
		v = fmt.Sprintf("%s>>%d", word, f.Shift)
	}
	if f.Shift+f.Width < bits || goBits(bits) != bits {
		v = fmt.Sprintf("%s&%#x", v, groupMask(f))
	}
	s := scalarOf(f.Type)
	goT := g.goType(f.Type, nil, nil)
	switch s.Kind {
	case spec.ScalarBool:
		return v + " != 0"
	case spec.ScalarInt:
		gap := 64 - f.Width
		return fmt.Sprintf("%s(int64(uint64(%s)<<%d) >> %d)", goT, v, gap, gap)
	}
	return fmt.Sprintf("%s(%s)", goT, v)
}

// optional writes a field that may be absent.
func (d *decoder) optional(o *optional, at pos, rest int) pos {
	g, f := d.g, o.field
	fn := d.m.fields[f]
	cond := d.presence(f)
	if fn.has != "" {
		g.p("m.%s = %s", fn.has, cond)
		cond = "m." + fn.has
	}
	past := fn.local + "Past"
	g.p("%s := %s", past, at)
	hoisted := fn.goName == "" && f.Name != "_" && scalarOf(f.Type) != nil
	if hoisted {
		d.keyed(fn.local, "var "+fn.local+" "+fieldGoType(g, f))
	}
	g.p("if %s {", cond)
	if n := minOf(o.steps); n > 0 {
		d.want(at, n+rest)
	}
	d.hoisted = hoisted
	inner := d.walkOne(o.steps, at, rest)
	d.hoisted = false
	g.p("%s = %s", past, inner)
	if zero := d.zero(f); zero != "" {
		g.p("} else {\n%s", zero)
	}
	g.p("}")
	d.starts[f], d.ends[f] = at, pos{base: past}
	return pos{base: past}
}

// walkOne writes the steps of one field. Its checksum waits until the field is complete.
func (d *decoder) walkOne(steps []step, at pos, rest int) pos {
	for i, s := range steps {
		switch s := s.(type) {
		case *block:
			d.blockBody(s, at)
			at = at.add(s.size)
		case *content:
			at = d.content(s.field, at, minOf(steps[i+1:])+rest)
		}
	}
	return at
}

// zero writes what an absent optional field becomes.
func (d *decoder) zero(f *spec.Field) string {
	fn := d.m.fields[f]
	if fn.goName == "" {
		return ""
	}
	to := "m." + fn.goName
	if f.Default != nil {
		v := ""
		if b, ok := unparen(f.Default).(*spec.StringLit); ok {
			v = fmt.Sprintf("[]byte(%q)", b.Value)
		} else if fieldGoType(d.g, f) == "bool" {
			v = d.x.cond(f.Default)
		} else {
			v = fieldGoType(d.g, f) + "(" + d.x.num(f.Default, kindOf(f.Default)) + ")"
		}
		return to + " = " + v
	}
	switch t := f.Type.(type) {
	case *spec.ArrayType:
		return to + " = " + to + "[:0]"
	case *spec.BytesType:
		if _, ok := fixedArray(t); !ok {
			if f.Own == spec.OwnCopy {
				return to + " = " + to + "[:0]"
			}
			return to + " = nil"
		}
	}
	goT := d.g.goType(f.Type, d.m, f)
	switch {
	case goT == "bool":
		return to + " = false"
	case scalarOf(f.Type) != nil:
		return to + " = 0"
	}
	return to + " = " + goT + "{}"
}

// finishChecks writes the comparisons of derived fields that the layout does not
// make right by itself.
func (d *decoder) finishChecks() {
	for _, f := range d.m.s.Fields {
		if f.Role != spec.RoleLength && f.Role != spec.RoleDerived || f.Implied {
			continue
		}
		cond := convert(d.x.field(f), fieldGoType(d.g, f), asUint) + " != " + d.x.num(f.Derived, asUint)
		if f.If != nil {
			cond = d.presence(f) + " && " + cond
		}
		d.refuseIf(cond, "Length", d.starts[f], f.Name)
	}
}
