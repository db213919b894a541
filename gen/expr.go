package gen

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/wireplane/wireplane/spec"
)

// numKind is the Go type in which a number of the spec is computed.
type numKind uint8

const (
	asUint  numKind = iota // uint64
	asInt                  // int64
	asFloat                // float64
)

func (k numKind) String() string {
	return [...]string{"uint64", "int64", "float64"}[k]
}

// scope tells the expression writer where values are while one function is written.
type scope struct {
	g    *generator
	m    *message
	this *spec.Field
	// field returns a Go expression for the value of a scalar field, of the Go
	// type that the field has.
	field func(*spec.Field) string
	// size and hash write size(...), count(...) and checksum calls; nil where the
	// spec does not allow them.
	size func(*spec.Call) string
	hash func(*spec.Call) string
}

var (
	maxU64 = new(big.Int).SetUint64(math.MaxUint64)
	maxI64 = big.NewInt(math.MaxInt64)
	minI64 = big.NewInt(math.MinInt64)
)

// goConst writes a constant.
func goConst(v *big.Int) string {
	if v.Sign() > 0 && v.IsUint64() && v.Uint64() >= 1<<31 {
		return "0x" + v.Text(16)
	}
	return v.String()
}

// kindOf chooses the type in which e is computed.
func kindOf(e spec.Expr) numKind {
	in := e.Info()
	if in.Kind == spec.ValueFloat {
		return asFloat
	}
	if in.Const != nil {
		if in.Const.Sign() < 0 {
			return asInt
		}
		return asUint
	}
	if in.Min != nil && in.Min.Sign() < 0 {
		return asInt
	}
	return asUint
}

// mayWrap reports whether e computed in uint64 could pass 2^64-1.
func mayWrap(e spec.Expr) bool {
	in := e.Info()
	return in.Limit || in.Max == nil || in.Max.Cmp(maxU64) > 0
}

// num writes e as a number of kind k.
func (x *scope) num(e spec.Expr, k numKind) string {
	if c := e.Info().Const; c != nil && k != asFloat && e.Info().Kind != spec.ValueFloat {
		if k == asUint && (c.Sign() < 0 || c.Cmp(maxU64) > 0) || k == asInt && (c.Cmp(minI64) < 0 || c.Cmp(maxI64) > 0) {
			x.g.refuse(e.Pos(), "the number does not fit into 64 bits")
			return "0"
		}
		return goConst(c)
	}
	switch e := e.(type) {
	case *spec.Paren:
		return x.num(e.X, k)
	case *spec.Number:
		if e.IsFloat {
			return strconv.FormatFloat(e.Float, 'g', -1, 64)
		}
		return goConst(e.Value)
	case *spec.Ident:
		return x.ident(e, k)
	case *spec.This:
		return convert(x.field(x.this), fieldGoType(x.g, x.this), k)
	case *spec.Unary:
		return x.unary(e, k)
	case *spec.Binary:
		return x.arith(e, k)
	case *spec.Cond:
		return fmt.Sprintf("func() %s { if %s { return %s }; return %s }()", k, x.cond(e.If), x.num(e.Then, k), x.num(e.Else, k))
	case *spec.Call:
		return x.call(e, k)
	}
	x.g.refuse(e.Pos(), "the Go back end cannot compute this as a number")
	return "0"
}

func (x *scope) call(e *spec.Call, k numKind) string {
	s := ""
	switch {
	case e.Func.IsChecksum() && x.hash != nil:
		s = x.hash(e)
	case !e.Func.IsChecksum() && x.size != nil:
		s = x.size(e)
	default:
		x.g.refuse(e.Pos(), "the Go back end cannot compute %s here", e.Name)
		return "0"
	}
	if k == asUint {
		return s
	}
	return k.String() + "(" + s + ")"
}

func (x *scope) ident(e *spec.Ident, k numKind) string {
	switch ref := e.Ref.(type) {
	case *spec.Field:
		return convert(x.field(ref), fieldGoType(x.g, ref), k)
	case *spec.Param:
		return convert(x.m.params[ref], paramGoType(x.g, ref), k)
	case *spec.Limit:
		return convert("lim."+camel(ref.Name), "uint64", k)
	case *spec.Const:
		return convert(x.g.goNames[ref], "", k)
	case *spec.EnumMember:
		return convert(x.g.goNames[ref], "", k)
	}
	x.g.refuse(e.Pos(), "the Go back end does not know %q here", e.Name)
	return "0"
}

// convert writes the conversion of s, which has the Go type from, to kind k.
func convert(s, from string, k numKind) string {
	if from == k.String() {
		return s
	}
	if from == "bool" {
		return k.String() + "(codec.Bit(" + s + "))"
	}
	return k.String() + "(" + s + ")"
}

func (x *scope) unary(e *spec.Unary, k numKind) string {
	switch e.Op {
	case "-":
		return "-" + x.num(e.X, k)
	case "~":
		return "^" + x.num(e.X, k)
	}
	x.g.refuse(e.Pos(), "the Go back end cannot compute %s as a number", e.Op)
	return "0"
}

func (x *scope) arith(e *spec.Binary, k numKind) string {
	own := kindOf(e)
	if kindOf(e.X) == asInt || kindOf(e.Y) == asInt {
		own = asInt
	}
	if kindOf(e.X) == asFloat || kindOf(e.Y) == asFloat {
		own = asFloat
	}
	a, b := x.num(e.X, own), x.num(e.Y, own)
	s := ""
	switch {
	case own == asInt && (mayWrapInt(e) || mayWrapInt(e.X) || mayWrapInt(e.Y)):
		x.g.refuse(e.Pos(), "the result may not fit into 64 bits with a sign: bound its operands with `in` or `where`")
		return "0"
	case own == asUint && e.Op == "+" && mayWrap(e):
		s = "codec.Add(" + a + ", " + b + ")"
	case own == asUint && e.Op == "*" && mayWrap(e):
		s = "codec.Mul(" + a + ", " + b + ")"
	case own == asUint && e.Op == "-" && (e.Info().Limit || mayWrap(e.X) || mayWrap(e.Y)):
		s = "codec.Sub(" + a + ", " + b + ")"
	case e.Op == "/" || e.Op == "%":
		if c := e.Y.Info().Const; c == nil && own == asUint {
			s = map[string]string{"/": "codec.Div(", "%": "codec.Mod("}[e.Op] + a + ", " + b + ")"
		} else {
			s = "(" + a + " " + e.Op + " " + b + ")"
		}
	case e.Op == "<<" || e.Op == ">>":
		s = "(" + a + " " + e.Op + " " + x.num(e.Y, asUint) + ")"
	default:
		s = "(" + a + " " + e.Op + " " + b + ")"
	}
	if own != k {
		s = k.String() + "(" + s + ")"
	}
	return s
}

func mayWrapInt(e spec.Expr) bool {
	in := e.Info()
	if in.Kind == spec.ValueFloat {
		return false
	}
	return in.Limit || in.Max != nil && in.Max.Cmp(maxI64) > 0 || in.Min != nil && in.Min.Cmp(minI64) < 0
}

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
