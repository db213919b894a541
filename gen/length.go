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
			if i == 0 || l.needed(s, steps[i+1:]) {
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

// needed reports whether the size of a later step may depend on the block.
func (l *measurer) needed(b *block, later []step) bool {
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
			g.p("if codec.Differs(b, %s, %q) {\n%s\n}", l.intPos(at.add(it.off)), l.constBytes(f), l.fail(l.failure("Constant", at.add(it.off), f.Name)))
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
func (l *measurer) constBytes(f *spec.Field) string {
	s := scalarOf(f.Type)
	word := constWord(l.g, f)
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

// content writes the computation of the end of a content.
func (l *measurer) content(f *spec.Field, at pos, rest int) pos {
	g := l.g
	fn := l.m.fields[f]
	end := pos{base: fn.local + "End"}
	if _, ok := l.starts[f]; !ok {
		l.starts[f] = at
	}
	switch t := f.Type.(type) {
	case *spec.BytesType, *spec.RegionType:
		return l.extent(extentOf(t), f, at, end)
	case *spec.NamedType:
		return l.structEnd(t, at, end, rest)
	case *spec.ArrayType:
		return l.array(t, f, at, end, rest)
	case *spec.MatchType:
		if e := windowExpr(f); e != nil {
			l.windowArms(t, f, e)
			g.p("%s := %s", end, plus(at, l.x.num(e, asUint), widest(e) != nil))
			return end
		}
		g.p("%s := uint64(%s)", end, at)
		g.armSwitch(l.x, t, func(a *spec.Arm) { l.arm(a, f, at, end, rest) })
		return end
	}
	return at
}

// plus writes a sum of uint64 that does not wrap.
func plus(at pos, n string, bounded bool) string {
	if at.String() == "0" {
		return "uint64(" + n + ")"
	}
	if bounded {
		return at.String() + " + " + n
	}
	return "codec.Add(" + at.String() + ", " + n + ")"
}

func (l *measurer) extent(e *spec.Extent, f *spec.Field, at, end pos) pos {
	g := l.g
	switch e.Kind {
	case spec.ExtentPrefixed:
		g.p("%s := %s", end, plus(at, l.m.fields[f].local+"Len", e.Prefix.Bits <= 32))
	case spec.ExtentSized:
		if c := e.Size.Info().Const; c != nil && c.IsInt64() && c.Int64() < 1<<28 {
			return at.add(int(c.Int64()))
		}
		n := l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+n+")", true, l.starts[f], f.Name)
		w := widest(e.Size)
		g.p("%s := %s", end, plus(at, n, w != nil && w.BitLen() <= 60))
	default:
		g.refuse(f.Pos(), "the Go back end cannot find the end of this frame: bound %s by a region", f.Name)
	}
	return end
}

func (l *measurer) structEnd(t *spec.NamedType, at, end pos, rest int) pos {
	s, _ := structOf(t)
	if s.Size.Fixed() && s.Size.Max < 1<<28 {
		return at.add(int(s.Size.Max))
	}
	l.g.p("%s := uint64(%s)", end, at)
	l.partEnd(t, end, rest)
	return end
}

// partEnd writes the step of the place `end` over one struct that finds its own end.
func (l *measurer) partEnd(t *spec.NamedType, end pos, rest int) {
	g := l.g
	s, _ := structOf(t)
	if s.Size.Fixed() && s.Size.Max < 1<<28 {
		g.p("%s += %d", end, s.Size.Max)
		return
	}
	g.lenOf[s] = true
	l.lack(end, int(min(s.Size.Min, 1<<28))+rest, func() {})
	g.p("n, need, err = len%s(b[%s:], lim%s)", g.declGo[s], end, l.x.args(t))
	g.p("if err != nil {\nreturn 0, 0, codec.Moved(err, int(%s))\n}", end)
	g.p("if need > 0 {\nreturn 0, need + %d, nil\n}", rest)
	g.p("%s += uint64(n)", end)
}

func (l *measurer) array(t *spec.ArrayType, f *spec.Field, at, end pos, rest int) pos {
	g := l.g
	e := t.Extent
	if e.InBytes {
		return l.extent(e, f, at, end)
	}
	count := l.m.fields[f].local + "Len"
	if e.Kind == spec.ExtentSized {
		count = l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+count+")", true, l.starts[f], f.Name)
	} else if e.Kind == spec.ExtentRest {
		g.refuse(f.Pos(), "the Go back end cannot find the end of this frame: bound %s by a region", f.Name)
		return end
	}
	_, named := structOf(t.Elem)
	s, _ := structOf(t.Elem)
	if s == nil || s.Size.Fixed() {
		g.p("%s := codec.Add(%s, codec.Mul(%s, %d))", end, at, count, typeMin(t.Elem))
		return end
	}
	g.p("%s := uint64(%s)", end, at)
	g.p("for range %s {", count)
	l.partEnd(named, end, rest)
	g.p("}")
	return end
}

// windowArms refuses, in a match whose arms share one size, the arms that have no
// bytes while the size says otherwise, and values without an arm.
func (l *measurer) windowArms(t *spec.MatchType, f *spec.Field, size spec.Expr) {
	acting := &spec.MatchType{Span: t.Span, Subject: t.Subject, Else: t.Else}
	others := t.Else == nil || t.Else.Kind != spec.ArmType
	for _, a := range t.Arms {
		if a.Kind != spec.ArmType || others {
			acting.Arms = append(acting.Arms, a)
		}
	}
	if len(acting.Arms) == 0 && !others {
		return
	}
	id, _ := size.(*spec.Ident)
	l.g.armSwitch(l.x, acting, func(a *spec.Arm) {
		switch {
		case a == nil || a.Kind == spec.ArmError:
			l.g.p("%s", l.fail(l.failure("Match", l.starts[f], f.Name)))
		case a.Kind == spec.ArmNone && id != nil:
			n := id.Ref.(*spec.Field)
			l.refuseIf(l.x.field(n)+" != 0", "Length", l.starts[n], n.Name)
		}
	})
}

func (l *measurer) arm(a *spec.Arm, f *spec.Field, at, end pos, rest int) {
	g := l.g
	if a == nil || a.Kind == spec.ArmError {
		g.p("%s", l.fail(l.failure("Match", l.starts[f], f.Name)))
		return
	}
	if a.Kind == spec.ArmNone {
		return
	}
	e := extentOf(a.Type)
	_, inner := g.armField(a)
	_, named := structOf(inner)
	switch {
	case e == nil:
		l.partEnd(named, end, rest)
	case e.Kind == spec.ExtentPrefixed:
		n := e.Prefix.Bytes()
		l.lack(at.add(n), rest, func() {})
		g.p("size := uint64(%s)", g.load("b", at, n, e.Prefix.Order))
		l.extentChecks(e, "size", true, at, f.Name)
		g.p("%s = %s", end, plus(at.add(n), "size", e.Prefix.Bits <= 32))
	case e.Kind == spec.ExtentSized:
		n := l.x.num(e.Size, asUint)
		l.extentChecks(e, "("+n+")", true, l.starts[f], f.Name)
		g.p("%s = codec.Add(%s, %s)", end, at, n)
	default:
		g.refuse(a.Pos(), "the Go back end cannot find the end of this frame: bound the arm by a region")
	}
}
