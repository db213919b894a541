package spec

import "math/big"

// evaluator computes conditions of a vector from what the vector gives.
type evaluator struct {
	params map[*Param]*big.Int
	given  map[*Field]*FieldValue
}

// eval returns the value of e, or nil if it cannot be known here.
func (v *evaluator) eval(e Expr) *big.Int {
	if k := e.Info().Const; k != nil {
		return k
	}
	switch e := e.(type) {
	case *Paren:
		return v.eval(e.X)
	case *Ident:
		switch r := e.Ref.(type) {
		case *Param:
			return v.params[r]
		case *Field:
			if g := v.given[r]; g != nil {
				return g.Value.Int
			}
		}
	case *Selector:
		if x := v.eval(e.X); x != nil && e.Flag != nil {
			return new(big.Int).SetUint64(uint64(x.Bit(e.Flag.Bit)))
		}
	case *Unary:
		if x := v.eval(e.X); x != nil && e.Op == "!" {
			return boolInt(x.Sign() == 0)
		}
	case *Binary:
		return v.binary(e)
	case *InExpr:
		return v.in(e)
	}
	return nil
}

func (v *evaluator) binary(e *Binary) *big.Int {
	x, y := v.eval(e.X), v.eval(e.Y)
	if x == nil || y == nil {
		return nil
	}
	switch e.Op {
	case "&&":
		return boolInt(x.Sign() != 0 && y.Sign() != 0)
	case "||":
		return boolInt(x.Sign() != 0 || y.Sign() != 0)
	case "==", "!=", "<", "<=", ">", ">=":
		return boolInt(compare(e.Op, x.Cmp(y)))
	}
	return nil
}

func (v *evaluator) in(e *InExpr) *big.Int {
	x := v.eval(e.X)
	if x == nil {
		return nil
	}
	for _, it := range e.Set {
		if it.LoVal == nil || it.HiVal == nil {
			return nil
		}
		if point(x).within(interval{it.LoVal, it.HiVal}) {
			return bigOne
		}
	}
	return new(big.Int)
}
