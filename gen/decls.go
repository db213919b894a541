package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// limits writes the Limits struct.
func (g *generator) limits() {
	g.p("// Limits are the bounds of the spec that may be changed at run time. Its zero")
	g.p("// value allows nothing: start from [DefaultLimits]. A Limits may be shared by")
	g.p("// many decoders as long as nobody writes to it.")
	g.p("type Limits struct {")
	for _, l := range g.f.Limits {
		if l.Doc != "" {
			g.p("%s", comment(l.Doc))
		}
		g.p("%s uint64", camel(l.Name))
	}
	g.p("}\n")
	g.p("// DefaultLimits returns the limits that the spec gives.")
	g.p("func DefaultLimits() Limits { return defaultLimits }\n")
	g.p("var defaultLimits = Limits{")
	for _, l := range g.f.Limits {
		g.p("%s: %d,", camel(l.Name), l.Value)
	}
	g.p("}\n")
}

func (g *generator) consts() {
	for _, c := range g.f.Consts {
		v := c.Expr.Info().Const
		if v == nil {
			continue
		}
		doc := c.Doc
		if doc == "" {
			doc = camel(c.Name) + " is the constant " + c.Name + " of the spec."
		}
		g.p("%sconst %s = %s\n", comment(doc), camel(c.Name), goConst(v))
	}
}

func (g *generator) enum(d *spec.Enum) {
	t := camel(d.Name)
	kind := "a closed enum: any other value is refused."
	if d.Open {
		kind = "an open enum: values that are not listed are kept."
	}
	doc := d.Doc
	if doc != "" {
		doc += "\n\n"
	}
	g.p("%stype %s %s\n", comment(doc+t+" is "+kind), t, scalarGo(d.Type))
	g.p("// The values of %s.\nconst (", t)
	for _, m := range d.Members {
		if m.Doc != "" && len(m.Doc) > 60 {
			g.p("%s", comment(m.Doc))
			g.p("%s %s = %s", g.goNames[m], t, enumValue(d, m.Lo))
		} else if m.Doc != "" {
			g.p("%s %s = %s // %s", g.goNames[m], t, enumValue(d, m.Lo), oneLine(m.Doc))
		} else {
			g.p("%s %s = %s", g.goNames[m], t, enumValue(d, m.Lo))
		}
	}
	g.p(")\n")
	g.p("// String returns the name in the spec, or the type and the number.")
	g.p("func (v %s) String() string {\nswitch {", t)
	for _, m := range d.Members {
		if m.HiExpr == nil {
			g.p("case v == %s:\nreturn %q", g.goNames[m], m.Name)
		} else {
			g.p("case v >= %s && v <= %s:\nreturn %q", g.goNames[m], enumValue(d, m.Hi), m.Name)
		}
	}
	g.use("strconv")
	if d.Type.Kind == spec.ScalarInt {
		g.p("}\nreturn \"%s(\" + strconv.FormatInt(int64(v), 10) + \")\"\n}\n", t)
	} else {
		g.p("}\nreturn \"%s(\" + strconv.FormatUint(uint64(v), 10) + \")\"\n}\n", t)
	}
	if d.Open {
		return
	}
	g.p("// known reports whether the spec lists v.")
	g.p("func (v %s) known() bool {\nswitch {", t)
	for _, m := range d.Members {
		if m.HiExpr == nil {
			g.p("case v == %s:\nreturn true", g.goNames[m])
		} else {
			g.p("case v >= %s && v <= %s:\nreturn true", g.goNames[m], enumValue(d, m.Hi))
		}
	}
	g.p("}\nreturn false\n}\n")
}

func enumValue(d *spec.Enum, v uint64) string {
	if d.Type.Kind == spec.ScalarInt {
		return fmt.Sprint(int64(v))
	}
	return fmt.Sprint(v)
}

func oneLine(s string) string {
	out := ""
	for _, r := range s {
		if r == '\n' {
			r = ' '
		}
		out += string(r)
	}
	return out
}

func (g *generator) flags(d *spec.Flags) {
	t := camel(d.Name)
	rest := map[spec.RestPolicy]string{
		spec.RestError: "Other bits are refused.", spec.RestIgnore: "Other bits are read and written as 0.", spec.RestKeep: "Other bits are kept.",
	}[d.Rest]
	doc := d.Doc
	if doc != "" {
		doc += "\n\n"
	}
	g.p("%stype %s %s\n", comment(doc+t+" is a set of flags. "+rest), t, scalarGo(d.Type))
	if len(d.Bits) > 0 {
		g.p("// The flags of %s.\nconst (", t)
		for _, b := range d.Bits {
			end := ""
			if b.Doc != "" {
				end = " // " + oneLine(b.Doc)
			}
			g.p("%s %s = 1 << %d%s", g.flagGo[b], t, b.Bit, end)
		}
		g.p(")\n")
	}
	g.p("// String returns the names of the set flags joined by |, unknown bits as a number.")
	g.p("func (v %s) String() string {", t)
	g.p("return codec.FlagsString(uint64(v), []string{")
	names := map[int]string{}
	top := -1
	for _, b := range d.Bits {
		names[b.Bit] = b.Name
		top = max(top, b.Bit)
	}
	for i := 0; i <= top; i++ {
		g.p("%q,", names[i])
	}
	g.p("})\n}\n")
}
