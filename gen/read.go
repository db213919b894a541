package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// errTable collects the preallocated errors of one message.
type errTable struct {
	typ, goName string
	names       map[string]bool
	lines       []string
}

// static returns the name of the shared error of a kind at a fixed offset; -1 is
// the encoder's.
func (t *errTable) static(kind string, off int, field string) string {
	suffix := ""
	if field != "" && field != "_" {
		suffix = camel(field)
	}
	name := "err" + t.goName + suffix + kind
	if off < 0 {
		name = "bad" + t.goName + suffix + kind
	}
	if field == "_" || field == "" {
		name += fmt.Sprint(max(off, 0))
	}
	line := fmt.Sprintf("&codec.Error{Kind: codec.Kind%s, Offset: %d, Type: %q, Field: %q}", kind, off, t.typ, field)
	for i := 2; ; i++ {
		if !t.names[name] {
			t.names[name] = true
			t.lines = append(t.lines, name+" = "+line)
			return name
		}
		for _, l := range t.lines {
			if l == name+" = "+line {
				return name
			}
		}
		name = fmt.Sprintf("%s%d", strings.TrimRight(name, "0123456789"), i)
	}
}

// write emits the table.
func (g *generator) errTable(t *errTable) {
	if len(t.lines) == 0 {
		return
	}
	g.p("// The refusals of %s at fixed offsets, made once.\nvar (", t.goName)
	for _, l := range t.lines {
		g.p("%s", l)
	}
	g.p(")\n")
}

// reader is the part that the functions which read bytes have in common.
type reader struct {
	g       *generator
	m       *message
	x       *scope
	used    map[string]bool         // locals that something refers to
	value   map[*spec.Field]string  // Go expressions for the fields read so far
	starts  map[*spec.Field]pos     // first byte of the field, prefix included
	inner   map[*spec.Field]pos     // first byte behind the prefix
	ends    map[*spec.Field]pos     // behind its last byte
	fail    func(err string) string // the return statement for an error expression
	asserts map[*spec.Assert]bool   // done
	sums    map[*spec.Field]bool    // checksums done
	rawVal  map[*spec.Field]string  // value of vanished fields
	blocks  int
	cast    func(string) string // makes an int of a place; nil when places are ints
}

func (g *generator) newReader(m *message) *reader {
	r := &reader{
		g: g, m: m, used: map[string]bool{}, value: map[*spec.Field]string{},
		starts: map[*spec.Field]pos{}, inner: map[*spec.Field]pos{}, ends: map[*spec.Field]pos{},
		asserts: map[*spec.Assert]bool{}, sums: map[*spec.Field]bool{}, rawVal: map[*spec.Field]string{},
	}
	r.x = &scope{g: g, m: m}
	r.x.field = func(f *spec.Field) string {
		v, ok := r.value[f]
		if !ok {
			g.refuse(f.NameSpan, "%s is used before it is read", f.Name)
			return "0"
		}
		r.used[v] = true
		return v
	}
	r.x.size = r.sizeCall
	r.x.hash = r.hashCall
	return r
}

// load writes the unsigned number of n bytes at buf[off].
func (g *generator) load(buf string, off pos, n int, order spec.ByteOrder) string {
	if n == 1 {
		return fmt.Sprintf("%s[%s]", buf, off)
	}
	if n == 2 || n == 4 || n == 8 {
		g.use("encoding/binary")
		o := "BigEndian"
		if order == spec.LittleEndian {
			o = "LittleEndian"
		}
		at := off.String()
		if at == "0" {
			at = ""
		}
		return fmt.Sprintf("binary.%s.Uint%d(%s[%s:])", o, n*8, buf, at)
	}
	t := fmt.Sprintf("uint%d", goBits(n*8))
	var parts []string
	for i := 0; i < n; i++ {
		shift := 8 * (n - 1 - i)
		if order == spec.LittleEndian {
			shift = 8 * i
		}
		s := fmt.Sprintf("%s(%s[%s])", t, buf, off.add(i))
		if shift > 0 {
			s += fmt.Sprintf("<<%d", shift)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " | ")
}

// loadScalar writes the value of a scalar, enum or flags type in its Go type.
func (g *generator) loadScalar(t spec.Type, buf string, off pos) string {
	s := scalarOf(t)
	if s.Kind == spec.ScalarBool {
		return fmt.Sprintf("%s[%s] != 0", buf, off)
	}
	return g.fromWord(t, g.load(buf, off, s.Bytes(), s.Order), s.Bytes()*8)
}

// fromWord converts an unsigned word of Go width to the Go type of t.
func (g *generator) fromWord(t spec.Type, word string, bits int) string {
	s := scalarOf(t)
	goT := g.goType(t, nil, nil)
	switch s.Kind {
	case spec.ScalarFloat:
		g.use("math")
		return fmt.Sprintf("math.Float%dfrombits(%s)", s.Bits, word)
	case spec.ScalarInt:
		if gap := goBits(bits) - s.Bits; gap > 0 {
			return fmt.Sprintf("%s(int%d((%s)<<%d) >> %d)", goT, goBits(bits), word, gap, gap)
		}
		return fmt.Sprintf("%s(%s)", goT, word)
	}
	if goT == fmt.Sprintf("uint%d", goBits(bits)) {
		return word
	}
	return fmt.Sprintf("%s(%s)", goT, word)
}

// failure writes the error expression for a refusal of field f at its place.
func (r *reader) failure(kind string, at pos, field string) string {
	if at.static() {
		return r.m.errs.static(kind, at.off, field)
	}
	return fmt.Sprintf("codec.Fail(codec.Kind%s, %s, %q, %q)", kind, r.intPos(at), r.m.s.Name, field)
}

func (r *reader) intPos(at pos) string {
	if r.cast != nil {
		return r.cast(at.String())
	}
	return at.String()
}

// refuseIf writes `if cond { return error }`.
func (r *reader) refuseIf(cond, kind string, at pos, field string) {
	if cond == "false" {
		return
	}
	r.g.p("if %s {\n%s\n}", cond, r.fail(r.failure(kind, at, field)))
}

// place notes where the items of a block lie.
func (r *reader) place(b *block, at pos) {
	for _, it := range b.items {
		if it.group != nil {
			for _, f := range it.group.Fields {
				r.starts[f], r.inner[f], r.ends[f] = at.add(it.off), at.add(it.off), at.add(it.off+it.size)
			}
			continue
		}
		r.starts[it.field] = at.add(it.off)
		r.inner[it.field] = at.add(it.off)
		if it.prefix {
			r.inner[it.field] = at.add(it.off + it.size)
		} else {
			r.ends[it.field] = at.add(it.off + it.size)
		}
	}
}
