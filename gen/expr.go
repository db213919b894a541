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
