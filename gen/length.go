package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// measurer writes the function that finds the end of a message without decoding
// it. Places behind contents are uint64, since they may lie beyond the input.
type measurer struct{ *reader }

// frameLen writes the exported function of a frame.
func (g *generator) frameLen(m *message) {
	name := lenName(m.goName)
	g.p("// %s finds the end of the %s at the front of b. Either n > 0: it is n bytes", name, m.goName)
	g.p("// long, which may be more than len(b); or need > 0: at least that many more bytes")
	g.p("// are wanted before the size is known; or err says why the bytes are refused. A")
	g.p("// header whose own check fails is refused before its length is believed.")
	g.length(m, name)
}

// structLen writes the function of a struct that finds its own end inside a frame.
func (g *generator) structLen(m *message) {
	g.p("// len%s is as a frame's length function for the struct %s.", m.goName, m.goName)
	g.length(m, "len"+m.goName)
}

func (g *generator) length(m *message, name string) {
	l := &measurer{g.newReader(m)}
	l.fail = func(e string) string { return "return 0, 0, " + e }
	l.cast = func(s string) string { return "int(" + s + ")" }
	g.p("func %s(b []byte, lim *Limits%s) (n, need int, err error) {", name, g.paramList(m))
	body := g.w.Len()
	end := l.walk(m.steps, pos{}, 0)
	if end.static() {
		g.p("return %d, 0, nil\n}\n", end.off)
	} else {
		g.p("return codec.Whole(%s)\n}\n", end)
	}
	l.settle(body)
	g.needLimits(body)
}

func (l *measurer) walk(steps []step, at pos, rest int) pos {
	for i, s := range steps {
		after := minOf(steps[i+1:]) + rest
		switch s := s.(type) {
		case *block:
			if i == 0 || l.needed(steps[i+1:]) {
				l.block(s, at, after)
			} else {
				l.place(s, at)
			}
			at = at.add(s.size)
		case *content:
			at = l.content(s.field, at, after)
			l.ends[s.field] = at
		case *optional:
			at = l.optional(s, at, after)
		}
		l.assertsReady()
	}
	return at
}

// needed reports whether the size of a later step may depend on what has not been
// read yet.
func (l *measurer) needed(later []step) bool {
	for _, s := range later {
		switch s := s.(type) {
		case *optional:
			return true
		case *content:
			e := windowExpr(s.field)
			if e == nil {
				if st, _ := structOf(s.field.Type); st == nil || !st.Size.Fixed() {
					return true
				}
				continue
			}
			for _, f := range covered(e) {
				if _, read := l.value[f]; !read {
					return true
				}
			}
		}
	}
	return false
}

// lack writes the test that the input reaches a place, and the answer if not.
func (l *measurer) lack(to pos, rest int, partial func()) {
	g := l.g
	if to.static() {
		g.p("if len(b) < %d {", to.off)
		partial()
		g.p("return 0, %d - len(b), nil\n}", to.off+rest)
		return
	}
	g.p("if uint64(len(b)) < %s {", to)
	partial()
	g.p("return 0, codec.Missing(%s, len(b)), nil\n}", to.add(rest))
}

// guarded reports whether a checksum protects the head of the message.
func (l *measurer) guarded() bool {
	for _, f := range l.m.s.Fields {
		if f.Early {
			return true
		}
	}
	return false
}

// trim leaves out the checksums at the end of a block that only a decoder needs.
func (l *measurer) trim(b *block) *block {
	if l.guarded() {
		return b
	}
	t := *b
	for n := len(t.items); n > 1; n-- {
		it := t.items[n-1]
		if it.field == nil || it.prefix || it.field.Role != spec.RoleChecksum {
			break
		}
		t.items = t.items[:n-1]
		t.size -= it.size
	}
	return &t
}

func (l *measurer) block(b *block, at pos, rest int) {
	l.place(b, at)
	whole := b.size
	b = l.trim(b)
	rest += whole - b.size
	l.lack(at.add(b.size), rest, func() { l.partial(b, at) })
	buf, off := l.window(b, at)
	for _, it := range b.items {
		if cond, ok := l.constantCheck(it, buf, off.add(it.off)); ok {
			l.refuseIf(cond, "Constant", at.add(it.off), it.field.Name)
		}
	}
	for _, it := range b.items {
		l.load(it, buf, off.add(it.off))
	}
	l.sumsReady(func(f *spec.Field) bool { return f.Early && f.If == nil && !f.HasAbsent() })
	for _, it := range b.items {
		l.checkItem(it, buf, off.add(it.off), at.add(it.off))
	}
	l.assertsReady()
}

// load declares locals for the values of one item; unused ones vanish.
func (l *measurer) load(it item, buf string, off pos) {
	g := l.g
	if it.group != nil {
		w := it.group.Word
		word := l.groupWord(it.group)
		l.local(word, g.load(buf, off, w.Bytes(), w.Order))
		for _, f := range it.group.Fields {
			if f.Name != "_" && f.Role != spec.RoleConst {
				l.local(l.m.fields[f].local, g.groupValue(f, word, w.Bits))
				l.value[f] = l.m.fields[f].local
			}
		}
		return
	}
	f := it.field
	fn := l.m.fields[f]
	if it.prefix {
		e := extentOf(f.Type)
		l.local(fn.local+"Len", "uint64("+g.load(buf, off, e.Prefix.Bytes(), e.Prefix.Order)+")")
		return
	}
	if scalarOf(f.Type) == nil || f.Name == "_" {
		return
	}
	value := g.loadScalar(f.Type, buf, off)
	if fl := flagsOf(f.Type); fl != nil && fl.Rest == spec.RestIgnore && unknownBits(fl) != 0 {
		value = fmt.Sprintf("%s & %#x", parens(value), fl.Mask)
	}
	l.local(fn.local, value)
	l.value[f] = fn.local
}

// partial writes the checks of those items of a block that have arrived in whole
// while the block has not; constants are compared byte by byte.
func (l *measurer) partial(b *block, at pos) {
	g := l.g
	values := map[*spec.Field]string{}
	for f, v := range l.value {
		values[f] = v
	}
	last := b.items[len(b.items)-1]
	guarded := l.guarded()
	for _, it := range b.items {
		f := it.field
		if f != nil && f.Role == spec.RoleConst && scalarOf(f.Type) != nil && it.size > 1 {
			g.p("if codec.Differs(b, %s, %q) {\n%s\n}", l.intPos(at.add(it.off)), g.constBytes(f), l.fail(l.failure("Constant", at.add(it.off), f.Name)))
			continue
		}
		if it.group != nil || it.off == last.off || guarded && (f.Role != spec.RoleConst) {
			// A group's checks, and the last item's, come with the whole block; so do
			// all but constants when a checksum must hold before they are believed.
			continue
		}
		mark := g.w.Len()
		g.p("if %s >= %s {", haveLen(at), at.add(it.off+it.size))
		if it.prefix {
			g.p("%sLen := uint64(%s)", l.m.fields[f].local, g.load("b", at.add(it.off), it.size, extentOf(f.Type).Prefix.Order))
		}
		before := g.w.Len()
		if cond, ok := l.constantCheck(it, "b", at.add(it.off)); ok {
			l.refuseIf(cond, "Constant", at.add(it.off), f.Name)
		}
		l.inline(it, at.add(it.off))
		l.checkItem(it, "b", at.add(it.off), at.add(it.off))
		if g.w.Len() == before {
			g.w.Truncate(mark)
			continue
		}
		g.p("}")
	}
	l.value = values
}

func haveLen(at pos) string {
	if at.static() {
		return "len(b)"
	}
	return "uint64(len(b))"
}

// inline makes later expressions read the value of the item in place: a local of
// one partial check is not in scope of the next.
func (l *measurer) inline(it item, at pos) {
	if it.group != nil || it.prefix || it.field.Name == "_" || scalarOf(it.field.Type) == nil {
		return
	}
	l.value[it.field] = parens(l.g.loadScalar(it.field.Type, "b", at))
}

// constBytes is the encoding of a constant.
func (g *generator) constBytes(f *spec.Field) string {
	s := scalarOf(f.Type)
	word := constWord(g, f)
	out := make([]byte, s.Bytes())
	word.FillBytes(out)
	if s.Order == spec.LittleEndian {
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return string(out)
}

func (l *measurer) optional(o *optional, at pos, rest int) pos {
	g, f := l.g, o.field
	fn := l.m.fields[f]
	past := pos{base: fn.local + "Past"}
	g.p("%s := uint64(%s)", past, at)
	g.p("if %s {", l.presence(f))
	to := at
	for i, s := range o.steps {
		switch s := s.(type) {
		case *block:
			if i+1 < len(o.steps) {
				l.block(s, to, minOf(o.steps[i+1:])+rest)
			}
			to = to.add(s.size)
		case *content:
			to = l.content(s.field, to, rest)
		}
	}
	g.p("%s = %s\n}", past, to)
	l.starts[f], l.ends[f] = at, past
	return past
}
