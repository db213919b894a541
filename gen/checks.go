package gen

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

// constantCheck writes the comparison of a constant item; ok is false for other items.
func (r *reader) constantCheck(it item, buf string, off pos) (cond string, ok bool) {
	f := it.field
	if f == nil || f.Role != spec.RoleConst {
		return "", false
	}
	s := scalarOf(f.Type)
	word := r.g.load(buf, off, s.Bytes(), s.Order)
	return fmt.Sprintf("%s != %s", parens(word), goConst(constWord(r.g, f))), true
}

func parens(s string) string {
	if strings.Contains(s, " ") {
		return "(" + s + ")"
	}
	return s
}

// constWord is the constant of f as an unsigned word of its width.
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
