package gen

import (
	"fmt"
	"math/big"
	"strconv"

	"github.com/wireplane/wireplane/spec"
)

// cond writes e as a Go bool.
func (x *scope) cond(e spec.Expr) string {
	if c := e.Info().Const; c != nil && e.Info().Kind == spec.ValueBool {
		return strconv.FormatBool(c.Sign() != 0)
	}
	switch e := e.(type) {
	case *spec.Paren:
		return "(" + x.cond(e.X) + ")"
	case *spec.BoolLit:
		return strconv.FormatBool(e.Value)
	case *spec.This:
		return x.field(x.this)
	case *spec.Ident:
		switch ref := e.Ref.(type) {
		case *spec.Field:
			return x.field(ref)
		case *spec.Param:
			return x.m.params[ref]
		}
	case *spec.Selector:
		if e.Flag != nil {
			return "(" + x.operand(e.X) + "&" + x.g.flagGo[e.Flag] + " != 0)"
		}
	case *spec.Unary:
		if e.Op == "!" {
			return x.not(e.X)
		}
	case *spec.Binary:
		return x.compare(e, e.Op)
	case *spec.InExpr:
		return x.in(e, false)
	case *spec.Cond:
		return fmt.Sprintf("func() bool { if %s { return %s }; return %s }()", x.cond(e.If), x.cond(e.Then), x.cond(e.Else))
	}
	x.g.refuse(e.Pos(), "the Go back end cannot compute this as a condition")
	return "false"
}

var inverse = map[string]string{"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

// not writes the negation of e without double negatives where it can. It does not
// turn comparisons of floats around: !(x < 1) holds for a NaN.
func (x *scope) not(e spec.Expr) string {
	if e.Info().Const == nil {
		switch e := e.(type) {
		case *spec.Paren:
			return x.not(e.X)
		case *spec.Unary:
			if e.Op == "!" {
				return x.cond(e.X)
			}
		case *spec.Binary:
			if op, ok := inverse[e.Op]; ok && kindOf(e.X) != asFloat && kindOf(e.Y) != asFloat {
				return x.compare(e, op)
			}
			if e.Op == "||" {
				return "(" + x.not(e.X) + " && " + x.not(e.Y) + ")"
			}
			if e.Op == "&&" {
				return "(" + x.not(e.X) + " || " + x.not(e.Y) + ")"
			}
		case *spec.InExpr:
			return x.in(e, true)
		}
	}
	return "!(" + x.cond(e) + ")"
}

// operand writes a plain value in its own Go type.
func (x *scope) operand(e spec.Expr) string {
	switch e := e.(type) {
	case *spec.Paren:
		return x.operand(e.X)
	case *spec.This:
		return x.field(x.this)
	case *spec.Ident:
		switch ref := e.Ref.(type) {
		case *spec.Field:
			return x.field(ref)
		case *spec.Param:
			return x.m.params[ref]
		case *spec.EnumMember:
			return x.g.goNames[ref]
		case *spec.Const:
			return x.g.goNames[ref]
		}
	case *spec.Selector:
		if e.Member != nil {
			return x.g.goNames[e.Member]
		}
	}
	x.g.refuse(e.Pos(), "the Go back end cannot use this value here")
	return "0"
}

// plain returns the Go type of e when e is a field, parameter or `this`.
func (x *scope) plain(e spec.Expr) (goType string, bits int, ok bool) {
	switch e := e.(type) {
	case *spec.Paren:
		return x.plain(e.X)
	case *spec.This:
		return fieldGoType(x.g, x.this), typeBits(x.this.Type), true
	case *spec.Ident:
		switch ref := e.Ref.(type) {
		case *spec.Field:
			return fieldGoType(x.g, ref), typeBits(ref.Type), true
		case *spec.Param:
			return paramGoType(x.g, ref), typeBits(ref.Type), true
		}
	}
	return "", 0, false
}

func (x *scope) compare(e *spec.Binary, op string) string {
	switch op {
	case "&&", "||":
		return "(" + x.cond(e.X) + " " + op + " " + x.cond(e.Y) + ")"
	}
	if e.X.Info().Kind == spec.ValueBool {
		return "(" + x.cond(e.X) + ") " + op + " (" + x.cond(e.Y) + ")"
	}
	xt, _, xok := x.plain(e.X)
	yt, _, yok := x.plain(e.Y)
	if xok && yok && xt == yt {
		return x.operand(e.X) + " " + op + " " + x.operand(e.Y)
	}
	if xok && x.fits(e.X, e.Y) {
		return x.operand(e.X) + " " + op + " " + x.constant(e.Y)
	}
	if yok && x.fits(e.Y, e.X) {
		return x.constant(e.X) + " " + op + " " + x.operand(e.Y)
	}
	k := asUint
	switch {
	case kindOf(e.X) == asFloat || kindOf(e.Y) == asFloat:
		k = asFloat
	case kindOf(e.X) == asInt || kindOf(e.Y) == asInt:
		k = asInt
		if mayWrapInt(e.X) || mayWrapInt(e.Y) {
			x.g.refuse(e.Pos(), "one side may be negative and the other beyond 63 bits: bound them with `in` or `where`")
		}
	}
	return x.num(e.X, k) + " " + op + " " + x.num(e.Y, k)
}

// fits reports whether c is a constant that the Go type of the plain value v can hold.
func (x *scope) fits(v, c spec.Expr) bool {
	val := c.Info().Const
	goType, bits, ok := x.plain(v)
	if val == nil || !ok || goType == "bool" || c.Info().Kind == spec.ValueFloat || c.Info().Kind == spec.ValueBool {
		return false
	}
	return fitsType(goType, bits, val)
}

func fitsType(goType string, bits int, val *big.Int) bool {
	if len(goType) > 3 && goType[:3] == "int" {
		b := goBits(bits) - 1
		hi := new(big.Int).Lsh(big.NewInt(1), uint(b))
		return val.Cmp(hi) < 0 && val.Cmp(new(big.Int).Neg(hi)) >= 0
	}
	if goType == "float32" || goType == "float64" {
		return false
	}
	return val.Sign() >= 0 && val.BitLen() <= goBits(bits)
}

// constant writes a constant by its name when it has one.
func (x *scope) constant(e spec.Expr) string {
	switch n := e.(type) {
	case *spec.Ident:
		if name := x.g.goNames[n.Ref]; name != "" {
			return name
		}
	case *spec.Selector:
		if n.Member != nil {
			return x.g.goNames[n.Member]
		}
	}
	return goConst(e.Info().Const)
}

// in writes X in Set, or its negation.
func (x *scope) in(e *spec.InExpr, negate bool) string {
	eq, lt, gt, or, and := "==", ">=", "<=", " || ", " && "
	if negate {
		eq, lt, gt, or, and = "!=", "<", ">", " && ", " || "
	}
	if kindOf(e.X) == asFloat && negate {
		return "!(" + x.in(e, false) + ")"
	}
	s := ""
	for i, item := range e.Set {
		if i > 0 {
			s += or
		}
		if item.Hi == nil {
			s += x.compare(pair(e.X, item.Lo), eq)
			continue
		}
		one := ""
		if !x.trivialLow(e.X, item) {
			one = x.compare(pair(e.X, item.Lo), lt)
		}
		if !x.trivialHigh(e.X, item) {
			if one != "" {
				one += and
			}
			one += x.compare(pair(e.X, item.Hi), gt)
		}
		if one == "" {
			one = strconv.FormatBool(!negate)
		}
		if len(e.Set) > 1 {
			one = "(" + one + ")"
		}
		s += one
	}
	if s == "" {
		return strconv.FormatBool(negate)
	}
	return "(" + s + ")"
}

func pair(a, b spec.Expr) *spec.Binary { return &spec.Binary{X: a, Y: b} }

// trivialLow reports whether X >= Lo holds for every value of X's type.
func (x *scope) trivialLow(v spec.Expr, item *spec.SetItem) bool {
	t, _, ok := x.plain(v)
	return ok && item.LoVal != nil && item.LoVal.Sign() == 0 && len(t) > 3 && t[:3] != "int" && t[:3] != "flo"
}

// trivialHigh reports whether X <= Hi holds for every value of X's Go type.
func (x *scope) trivialHigh(v spec.Expr, item *spec.SetItem) bool {
	t, bits, ok := x.plain(v)
	if !ok || item.HiVal == nil || len(t) < 3 || t[:3] == "flo" || t == "bool" {
		return false
	}
	n := goBits(bits)
	if t[:3] == "int" {
		n--
	}
	return item.HiVal.BitLen() >= n && item.HiVal.Cmp(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(n)), big.NewInt(1))) >= 0
}
