package gen

import (
	"go/token"
	"strings"
	"unicode"

	"github.com/wireplane/wireplane/spec"
)

// message is a frame or struct with everything the walkers need.
type message struct {
	s      *spec.Struct
	goName string
	steps  []step
	fields map[*spec.Field]*fieldNames
	params map[*spec.Param]string
	errs   *errTable
	taken  map[string]bool // names of locals in use in this message's functions
}

// fieldNames are the Go names for one field of the spec.
type fieldNames struct {
	goName string // name in the struct; empty when it vanishes
	has    string // HasX, when presence is derived from it
	no     string // NoX, when an `or` value stands for absent
	local  string // name for a local variable
}

// camel turns a name of the spec into an exported Go name: max_body gives
// MaxBody, MAX_STREAMS gives MaxStreams, TwoPart stays.
func camel(name string) string {
	var b strings.Builder
	for _, part := range strings.Split(name, "_") {
		switch {
		case part == "":
			continue
		case strings.EqualFold(part, "id"):
			b.WriteString("ID")
		case strings.EqualFold(part, "url"):
			b.WriteString("URL")
		case part == strings.ToUpper(part):
			b.WriteString(part[:1] + strings.ToLower(part[1:]))
		default:
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	s := b.String()
	if s == "" || !unicode.IsLetter(rune(s[0])) {
		s = "X" + s
	}
	return s
}

// lowerCamel is camel with a small first word, for locals.
func lowerCamel(name string) string {
	c := camel(name)
	if c == "ID" || c == "URL" {
		return strings.ToLower(c)
	}
	if strings.HasPrefix(c, "ID") || strings.HasPrefix(c, "URL") {
		i := strings.IndexFunc(c[1:], unicode.IsLower)
		if i > 0 {
			return strings.ToLower(c[:i]) + c[i:]
		}
	}
	return strings.ToLower(c[:1]) + c[1:]
}

func packageName(protocol string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(protocol) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' && b.Len() > 0 {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 || token.IsKeyword(b.String()) {
		b.WriteString("wire")
	}
	return b.String()
}

// locals that generated functions use for themselves, and what they call.
var reservedLocals = []string{
	"m", "b", "p", "h", "n", "at", "dst", "err", "lim", "start", "tail", "head", "need", "i", "c", "d", "w", "k", "v", "r", "e",
	"codec", "binary", "math", "xxh3", "strconv",
	"stop", "from", "len", "cap", "append", "make", "min", "max", "copy", "nil", "true", "false", "byte", "error", "string", "bool", "iota", "clear", "any", "new",
	"uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "int", "uint", "float32", "float64",
	"defaultLimits", "init", "main", "print", "println", "panic", "recover", "close", "delete", "real", "imag", "complex", "rune", "uintptr",
	"comparable", "complex64", "complex128",
}

func (m *message) free(name string) string {
	for m.taken[name] || token.IsKeyword(name) {
		name += "Val"
	}
	m.taken[name] = true
	return name
}

// methods that a generated type has: a field may not take their names.
var methodNames = []string{"Append", "AppendHead", "Size", "Decode", "Clone", "String"}

// nameAll gives out all Go names and reports collisions.
func (g *generator) nameAll() {
	g.msgs = map[*spec.Struct]*message{}
	g.goNames = map[spec.Ref]string{}
	g.flagGo = map[*spec.FlagBit]string{}
	g.declGo = map[spec.Decl]string{}
	top := map[string]spec.Span{"Limits": {}, "DefaultLimits": {}, "Messages": {}}
	claim := func(name string, at spec.Span) {
		if other, dup := top[name]; dup {
			e := &spec.Error{File: g.f.Name, Span: at, Msg: "the Go name " + name + " is taken: choose another name"}
			if !other.IsZero() {
				e.Notes = []spec.Note{{Span: other, Msg: "taken here"}}
			}
			g.errs = append(g.errs, e)
			return
		}
		top[name] = at
	}
	for _, d := range g.f.Decls {
		switch d := d.(type) {
		case *spec.Const:
			g.goNames[d] = camel(d.Name)
			claim(camel(d.Name), d.NameSpan)
		case *spec.Enum:
			t := camel(d.Name)
			g.declGo[d] = t
			claim(t, d.NameSpan)
			for _, m := range d.Members {
				g.goNames[m] = t + camel(m.Name)
				claim(t+camel(m.Name), m.NameSpan)
			}
		case *spec.Flags:
			t := camel(d.Name)
			g.declGo[d] = t
			claim(t, d.NameSpan)
			for _, bit := range d.Bits {
				g.flagGo[bit] = t + camel(bit.Name)
				claim(t+camel(bit.Name), bit.NameSpan)
			}
		case *spec.Struct:
			t := camel(d.Name)
			g.declGo[d] = t
			claim(t, d.NameSpan)
			for _, suffix := range []string{"MinSize", "MaxSize"} {
				claim(t+suffix, d.NameSpan)
			}
			if d.Frame {
				claim(lenName(t), d.NameSpan)
				claim(t+"HeadSize", d.NameSpan)
			}
			for _, f := range d.Fields {
				if _, ok := f.Type.(*spec.MatchType); ok {
					claim(t+camel(f.Name), f.NameSpan)
				}
			}
			g.msgs[d] = newMessage(d, t)
		}
	}
	if len(g.errs) > 0 {
		return
	}
	for _, s := range g.f.Structs {
		g.plan(g.msgs[s])
	}
}

// lenName is the name of the function that finds the end of frame t: FrameLen for
// Frame, RequestLen for Request.
func lenName(t string) string { return t + "Len" }

func newMessage(s *spec.Struct, goName string) *message {
	m := &message{
		s: s, goName: goName,
		fields: map[*spec.Field]*fieldNames{}, params: map[*spec.Param]string{},
		taken: map[string]bool{}, errs: &errTable{typ: s.Name, goName: goName, names: map[string]bool{}},
	}
	for _, w := range reservedLocals {
		m.taken[w] = true
	}
	inStruct := map[string]bool{}
	for _, name := range methodNames {
		inStruct[name] = true
	}
	member := func(name string) string {
		for inStruct[name] {
			name += "Field"
		}
		inStruct[name] = true
		return name
	}
	for _, p := range s.Params {
		m.params[p] = m.free(lowerCamel(p.Name))
	}
	for _, f := range s.Fields {
		fn := &fieldNames{}
		m.fields[f] = fn
		if f.Name == "_" {
			fn.local = m.free("reserved")
			continue
		}
		fn.local = m.free(lowerCamel(f.Name))
		for _, suffix := range []string{"Len", "End", "Past", "Want", "Bits", "At", "In", "Stop", "Raw", "Used"} {
			m.taken[fn.local+suffix] = true
		}
		if !f.Vanishes {
			fn.goName = member(camel(f.Name))
		}
		if f.Presence == spec.PresentFlag {
			fn.has = member("Has" + camel(f.Name))
		}
		if f.HasAbsent() {
			fn.no = member("No" + camel(f.Name))
		}
	}
	return m
}
