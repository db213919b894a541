package gen

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

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
