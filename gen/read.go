package gen

import (
	"fmt"
	"math/big"
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

// local writes `name := expr` in such a way that the line vanishes when nothing
// refers to name.
func (r *reader) local(name, expr string) {
	r.keyed(name, name+" := "+expr)
}

// keyed writes a line that vanishes when no line of another key refers to name.
func (r *reader) keyed(name, line string) { r.g.p("\x00%s\x01%s", name, line) }

// settle removes the unused locals from what was written since mark.
func (r *reader) settle(mark int) {
	text := string(r.g.w.Bytes()[mark:])
	r.g.w.Truncate(mark)
	for {
		lines := strings.Split(text, "\n")
		var keep []string
		dropped := false
		for _, line := range lines {
			if !strings.HasPrefix(line, "\x00") {
				keep = append(keep, line)
				continue
			}
			name := line[1:strings.IndexByte(line, '\x01')]
			if mentions(lines, name) {
				keep = append(keep, line)
			} else {
				dropped = true
			}
		}
		text = strings.Join(keep, "\n")
		if !dropped {
			break
		}
	}
	for _, line := range strings.SplitAfter(text, "\n") {
		if strings.HasPrefix(line, "\x00") {
			line = line[strings.IndexByte(line, '\x01')+1:]
		}
		r.g.w.WriteString(line)
	}
}

// mentions reports whether a line that is not keyed by name has it as a whole word.
func mentions(lines []string, name string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, "\x00"+name+"\x01") {
			continue
		}
		if at := strings.IndexByte(line, '\x01'); at >= 0 {
			line = line[at+1:]
		}
		line = bare(line)
		for from := 0; ; {
			at := strings.Index(line[from:], name)
			if at < 0 {
				break
			}
			at += from
			end := at + len(name)
			if (at == 0 || !wordByte(line[at-1]) && line[at-1] != '.') && (end == len(line) || !wordByte(line[end])) {
				return true
			}
			from = end
		}
	}
	return false
}

// bare is a line of source without its string literals and comment.
func bare(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' {
					i++
				}
			}
		case strings.HasPrefix(line[i:], "//"):
			return out.String()
		default:
			out.WriteByte(line[i])
		}
	}
	return out.String()
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
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

// constantCheck writes the comparison of a constant item; ok is false for other items.
func (r *reader) constantCheck(it item, buf string, off pos) (cond string, ok bool) {
	f := it.field
	if f == nil || f.Role != spec.RoleConst {
		return "", false
	}
	if b, isBytes := f.Type.(*spec.BytesType); isBytes {
		lit, isLit := unparen(f.Derived).(*spec.StringLit)
		if !isLit || b == nil {
			r.g.refuse(f.Pos(), "the Go back end needs a string here")
			return "false", true
		}
		return fmt.Sprintf("string(%s[%s:%s]) != %q", buf, off, off.add(it.size), lit.Value), true
	}
	s := scalarOf(f.Type)
	word := r.g.load(buf, off, s.Bytes(), s.Order)
	return fmt.Sprintf("%s != %s", parens(word), goConst(r.constWord(f))), true
}

func parens(s string) string {
	if strings.Contains(s, " ") {
		return "(" + s + ")"
	}
	return s
}

// constWord is the constant of f as an unsigned word of its width.
func (r *reader) constWord(f *spec.Field) *big.Int { return constWord(r.g, f) }

func constWord(g *generator, f *spec.Field) *big.Int {
	v := f.Derived.Info().Const
	s := scalarOf(f.Type)
	if v == nil || s == nil || s.Kind == spec.ScalarFloat {
		g.refuse(f.Pos(), "the Go back end needs an integer constant here")
		return new(big.Int)
	}
	if v.Sign() < 0 {
		return new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(s.Bits)))
	}
	return v
}

// rawChecks writes the checks of one item that need nothing but its own bytes:
// reserved, closed enums, flags, bools.
func (r *reader) rawChecks(it item, buf string, off, at pos) {
	f := it.field
	switch {
	case it.group != nil || it.prefix || f.Role == spec.RoleConst:
		return
	case f.Name == "_":
		if !f.Ignore {
			r.refuseIf(r.reservedCond(it, buf, off), "Reserved", at, "_")
		}
		return
	}
	r.typeChecks(f, at)
	if s := scalarOf(f.Type); s != nil && s.Kind == spec.ScalarBool {
		r.refuseIf(fmt.Sprintf("%s[%s] > 1", buf, off), "Range", at, f.Name)
	}
}

func (r *reader) reservedCond(it item, buf string, off pos) string {
	if s := scalarOf(it.field.Type); s != nil {
		return parens(r.g.load(buf, off, it.size, s.Order)) + " != 0"
	}
	return fmt.Sprintf("!codec.Zero(%s[%s:%s])", buf, off, off.add(it.size))
}

// typeChecks writes what the type of f demands of its value.
func (r *reader) typeChecks(f *spec.Field, at pos) {
	n, ok := f.Type.(*spec.NamedType)
	if !ok {
		return
	}
	switch d := n.Ref.(type) {
	case *spec.Enum:
		if !d.Open {
			r.refuseIf("!"+r.x.field(f)+".known()", "Enum", at, f.Name)
		}
	case *spec.Flags:
		if d.Rest == spec.RestError && unknownBits(d) != 0 {
			r.refuseIf(fmt.Sprintf("%s&^%#x != 0", r.x.field(f), d.Mask), "Reserved", at, f.Name)
		}
	}
}

// unknownBits are the bits of the word that the spec does not declare.
func unknownBits(d *spec.Flags) uint64 {
	all := ^uint64(0) >> (64 - uint(d.Type.Bits))
	return all &^ d.Mask
}

// valueChecks writes the `in` and `where` clauses of f.
func (r *reader) valueChecks(f *spec.Field, at pos) {
	r.x.this = f
	for _, e := range f.In {
		r.refuseIf(r.x.not(e), rangeKind(e), at, f.Name)
	}
	for _, e := range f.Where {
		r.refuseIf(r.x.not(e), rangeKind(e), at, f.Name)
	}
	r.x.this = nil
}

func rangeKind(e spec.Expr) string {
	if usesLimit(e) {
		return "Limit"
	}
	return "Range"
}

// extentChecks writes the bounds of an extent whose length is in the variable n.
func (r *reader) extentChecks(e *spec.Extent, n string, wide bool, at pos, field string) {
	num := func(x spec.Expr) string {
		if c := x.Info().Const; c != nil {
			return goConst(c)
		}
		return r.x.num(x, asUint)
	}
	cast := func(x spec.Expr) string {
		if wide || x.Info().Const != nil {
			return n
		}
		return "uint64(" + n + ")"
	}
	if e.Min != nil && (e.Min.Info().Const == nil || e.Min.Info().Const.Sign() > 0) {
		r.refuseIf(cast(e.Min)+" < "+num(e.Min), rangeKind(e.Min), at, field)
	}
	if e.Max != nil && (e.CheckMax || e.Max.Info().Const == nil) {
		r.refuseIf(cast(e.Max)+" > "+num(e.Max), "Limit", at, field)
	}
}

// ready reports whether all that e names has been read: values, and for size() the
// places of the field.
func (r *reader) ready(e spec.Expr) bool {
	ok := true
	walkExpr(e, func(x spec.Expr) {
		switch x := x.(type) {
		case *spec.Ident:
			if f, isField := x.Ref.(*spec.Field); isField {
				_, have := r.value[f]
				_, end := r.ends[f]
				ok = ok && (have || end && scalarOf(f.Type) == nil)
			}
		case *spec.FieldRange:
			for _, id := range []*spec.Ident{x.From, x.To} {
				if f, isField := id.Ref.(*spec.Field); isField {
					_, end := r.ends[f]
					ok = ok && end
				}
			}
		}
	})
	return ok
}

// assertsReady writes the asserts all of whose fields have been read.
func (r *reader) assertsReady() {
	for _, member := range r.m.s.Members {
		a, ok := member.(*spec.Assert)
		if !ok || r.asserts[a] {
			continue
		}
		if !r.ready(a.Expr) {
			continue
		}
		r.asserts[a] = true
		kind, at := "Assert", pos{}
		if a.Limit || usesLimit(a.Expr) {
			kind = "Limit"
		}
		if len(a.Fields) > 0 {
			at = r.starts[a.Fields[0]]
		}
		r.refuseIf(r.x.not(a.Expr), kind, at, "")
	}
}

// sizeCall writes size(...) and count(...) of fields that have been read.
func (r *reader) sizeCall(c *spec.Call) string {
	if len(c.Args) == 1 {
		switch a := unparen(c.Args[0]).(type) {
		case *spec.Ident:
			if f, ok := a.Ref.(*spec.Field); ok {
				if c.Func == spec.FuncCount {
					return "uint64(len(m." + r.m.fields[f].goName + "))"
				}
				return distance(r.starts[f], r.ends[f])
			}
		case *spec.This:
			return distance(r.starts[r.x.this], r.ends[r.x.this])
		case *spec.FieldRange:
			from, _ := a.From.Ref.(*spec.Field)
			to, _ := a.To.Ref.(*spec.Field)
			if from != nil && to != nil {
				return distance(r.starts[from], r.ends[to])
			}
		}
	}
	r.g.refuse(c.Pos(), "the Go back end cannot compute this %s", c.Name)
	return "0"
}

func distance(from, to pos) string {
	if from.base == to.base {
		return fmt.Sprint(to.off - from.off)
	}
	if from.base == "" && from.off == 0 {
		return "uint64(" + to.String() + ")"
	}
	if from.base == "" {
		return "uint64(" + to.add(-from.off).String2() + ")"
	}
	return "uint64(" + to.String() + " - (" + from.String() + "))"
}

// String2 is String for offsets that may be negative.
func (p pos) String2() string {
	if p.off < 0 && p.base != "" {
		return fmt.Sprintf("%s - %d", p.base, -p.off)
	}
	return p.String()
}

// spans returns the stretches that a checksum call covers, neighbours joined.
func (r *reader) spans(c *spec.Call) [][2]pos {
	var out [][2]pos
	for _, a := range c.Args {
		var from, to *spec.Field
		switch a := unparen(a).(type) {
		case *spec.Ident:
			from, _ = a.Ref.(*spec.Field)
			to = from
			if from != nil {
				out = join(out, r.starts[from], r.ends[from])
			}
		case *spec.FieldRange:
			from, _ = a.From.Ref.(*spec.Field)
			to, _ = a.To.Ref.(*spec.Field)
			if from != nil && to != nil {
				out = join(out, r.starts[from], r.ends[to])
			}
		}
		if from == nil || to == nil {
			r.g.refuse(a.Pos(), "the Go back end covers fields and spans of fields only")
		}
	}
	return out
}

func join(out [][2]pos, from, to pos) [][2]pos {
	if n := len(out); n > 0 && out[n-1][1] == from {
		out[n-1][1] = to
		return out
	}
	return append(out, [2]pos{from, to})
}

func (r *reader) hashCall(c *spec.Call) string {
	var parts []string
	for _, s := range r.spans(c) {
		parts = append(parts, fmt.Sprintf("b[%s:%s]", s[0], s[1]))
	}
	return r.g.hash(c.Func, parts)
}

// hash writes the checksum over byte slices, as uint64.
func (g *generator) hash(f spec.Func, parts []string) string {
	if len(parts) == 0 {
		parts = []string{"nil"}
	}
	if f == spec.FuncXXH3 {
		g.use(g.o.Runtime + "/xxh3")
		switch len(parts) {
		case 1:
			return "xxh3.Sum64(" + parts[0] + ")"
		case 2:
			return "xxh3.Sum64Parts(" + parts[0] + ", " + parts[1] + ")"
		}
		return "xxh3.Sum64Spans(" + strings.Join(parts, ", ") + ")"
	}
	name := map[spec.Func]string{spec.FuncCRC32C: "CRC32C", spec.FuncCRC32: "CRC32"}[f]
	s := "codec." + name + "(" + parts[0] + ")"
	for _, p := range parts[1:] {
		s = "codec." + name + "More(" + s + ", " + p + ")"
	}
	return "uint64(" + s + ")"
}

// covered lists the fields that must be complete before e can be computed.
func covered(e spec.Expr) []*spec.Field {
	var out []*spec.Field
	walkExpr(e, func(x spec.Expr) {
		switch x := x.(type) {
		case *spec.Ident:
			if f, ok := x.Ref.(*spec.Field); ok {
				out = append(out, f)
			}
		case *spec.FieldRange:
			if f, ok := x.From.Ref.(*spec.Field); ok {
				out = append(out, f)
			}
			if f, ok := x.To.Ref.(*spec.Field); ok {
				out = append(out, f)
			}
		}
	})
	return out
}

// sumsReady writes the verification of every checksum whose bytes are all there.
func (r *reader) sumsReady(only func(*spec.Field) bool) {
	for _, f := range r.m.s.Fields {
		if f.Role != spec.RoleChecksum || r.sums[f] || only != nil && !only(f) {
			continue
		}
		if _, read := r.value[f]; !read {
			continue
		}
		ready := true
		for _, c := range covered(f.Derived) {
			_, have := r.ends[c]
			ready = ready && have
		}
		if !ready {
			continue
		}
		r.sums[f] = true
		r.verifySum(f)
	}
}

func (r *reader) verifySum(f *spec.Field) {
	guard := ""
	if f.If != nil {
		guard = r.presence(f)
	}
	if f.HasAbsent() {
		if guard != "" {
			guard += " && "
		}
		guard += "!m." + r.m.fields[f].no
	}
	if guard != "" {
		r.g.p("if %s {", guard)
	}
	got := convert(r.x.field(f), fieldGoType(r.g, f), asUint)
	if c, ok := unparen(f.Derived).(*spec.Cond); ok {
		want := r.m.fields[f].local + "Want"
		r.g.p("var %s uint64", want)
		r.g.p("if %s {\n%s = %s\n}%s", r.x.cond(c.If), want, r.x.num(c.Then, asUint), elseAssign(want, r.x.num(c.Else, asUint)))
		r.refuseIf(got+" != "+want, "Checksum", r.starts[f], f.Name)
	} else {
		r.refuseIf(got+" != "+r.x.num(f.Derived, asUint), "Checksum", r.starts[f], f.Name)
	}
	if guard != "" {
		r.g.p("}")
	}
}

func elseAssign(name, value string) string {
	if value == "0" {
		return ""
	}
	return " else {\n" + name + " = " + value + "\n}"
}

// presence writes the condition under which optional field f is there.
func (r *reader) presence(f *spec.Field) string {
	if f.Presence == spec.PresentFlag {
		if v, ok := r.value[f.FlagIn]; ok {
			r.used[v] = true
			return r.x.field(f.FlagIn) + "&" + r.g.flagGo[f.Flag] + " != 0"
		}
	}
	return r.x.cond(f.If)
}
