package spec

import "math/big"

// interval is the range of values that something can have, ends included.
type interval struct{ lo, hi *big.Int }

func point(v *big.Int) interval { return interval{v, v} }

// bigUint is v as a big integer.
func bigUint(v uint64) *big.Int { return new(big.Int).SetUint64(v) }

func uintRange(lo, hi uint64) interval {
	return interval{new(big.Int).SetUint64(lo), new(big.Int).SetUint64(hi)}
}

// String returns "lo..hi", or the value if there is only one.
func (a interval) String() string {
	if a.lo.Cmp(a.hi) == 0 {
		return a.lo.String()
	}
	return a.lo.String() + ".." + a.hi.String()
}

// bitsRange is what an integer of some width can hold.
func bitsRange(bits int, signed bool) interval {
	one := big.NewInt(1)
	if signed {
		half := new(big.Int).Lsh(one, uint(bits-1))
		return interval{new(big.Int).Neg(half), new(big.Int).Sub(half, one)}
	}
	return interval{new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)}
}

// typeRange is the range of a type whose values are numbers.
func typeRange(t Type) (interval, bool) {
	switch t := t.(type) {
	case *ScalarType:
		if t.Kind == ScalarUint || t.Kind == ScalarInt {
			return bitsRange(t.Bits, t.Kind == ScalarInt), true
		}
	case *NamedType:
		switch d := t.Ref.(type) {
		case *Enum:
			return bitsRange(d.Type.Bits, false), true
		case *Flags:
			return bitsRange(d.Type.Bits, false), true
		}
	}
	return interval{}, false
}

func minBig(a, b *big.Int) *big.Int {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}

func maxBig(a, b *big.Int) *big.Int {
	if a.Cmp(b) >= 0 {
		return a
	}
	return b
}

// hull is the smallest interval that holds both.
func (a interval) hull(b interval) interval {
	return interval{minBig(a.lo, b.lo), maxBig(a.hi, b.hi)}
}

// within reports whether every value of a lies in b.
func (a interval) within(b interval) bool {
	return a.lo.Cmp(b.lo) >= 0 && a.hi.Cmp(b.hi) <= 0
}

func (a interval) scale(k *big.Int) interval {
	lo, hi := new(big.Int).Mul(a.lo, k), new(big.Int).Mul(a.hi, k)
	return interval{minBig(lo, hi), maxBig(lo, hi)}
}

func (a interval) plus(b interval) interval {
	return interval{new(big.Int).Add(a.lo, b.lo), new(big.Int).Add(a.hi, b.hi)}
}

// arith applies an arithmetic operator to two intervals. Operands of / % & | ^
// and shifts are known not to be negative, and divisors not to be zero.
func arith(op string, a, b interval) interval {
	switch op {
	case "+":
		return a.plus(b)
	case "-":
		return a.plus(b.scale(big.NewInt(-1)))
	case "*":
		return a.scale(b.lo).hull(a.scale(b.hi))
	case "/":
		return interval{new(big.Int).Quo(a.lo, b.hi), new(big.Int).Quo(a.hi, b.lo)}
	case "%":
		most := new(big.Int).Sub(b.hi, big.NewInt(1))
		return interval{new(big.Int), minBig(a.hi, most)}
	case "&":
		return interval{new(big.Int), minBig(a.hi, b.hi)}
	case "|", "^":
		bits := max(a.hi.BitLen(), b.hi.BitLen())
		if bits == 0 {
			return point(new(big.Int))
		}
		return bitsRange(bits, false)
	case "<<":
		return interval{new(big.Int).Lsh(a.lo, shift(b.lo)), new(big.Int).Lsh(a.hi, shift(b.hi))}
	default: // ">>"
		return interval{new(big.Int).Rsh(a.lo, shift(b.hi)), new(big.Int).Rsh(a.hi, shift(b.lo))}
	}
}

func shift(v *big.Int) uint {
	const most = 127
	if !v.IsUint64() || v.Uint64() > most {
		return most
	}
	return uint(v.Uint64())
}
