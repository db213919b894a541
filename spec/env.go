package spec

import "math/big"

// constraint says form <= 0 once all fields below upto have been read.
type constraint struct {
	form *linForm
	upto int
	from Expr // the condition that it was taken from
}

// env holds the known ranges of variables at one place of a message.
type env struct {
	vals map[linVar]interval
}

func newEnv() *env { return &env{vals: make(map[linVar]interval)} }

// get returns the range of v, by its type if nothing better is known.
func (e *env) get(v linVar) interval {
	if r, ok := e.vals[v]; ok {
		return r
	}
	return baseRange(v)
}

// baseRange is the range of a variable by its type alone.
func baseRange(v linVar) interval {
	switch {
	case v.p != nil:
		if r, ok := typeRange(v.p.Type); ok {
			return r
		}
	case v.m == measureSize && v.f.Group == nil:
		return uintRange(v.f.Size.Min, v.f.Size.Max)
	case v.m == measureCount:
		if a, ok := v.f.Type.(*ArrayType); ok && a.Extent != nil {
			lo, hi := countBounds(a)
			if v.f.If != nil {
				lo = 0
			}
			return uintRange(lo, hi)
		}
	case v.f.Derived != nil && v.f.Derived.Info().Const != nil && v.f.Absent == nil:
		return point(v.f.Derived.Info().Const)
	default:
		if r, ok := typeRange(v.f.Type); ok {
			return r
		}
	}
	return uintRange(0, ^uint64(0))
}

// countBounds is how many elements a repetition can have.
func countBounds(a *ArrayType) (lo, hi uint64) {
	if !a.Extent.InBytes {
		return a.Extent.MinLen, a.Extent.MaxLen
	}
	elem := elemSize(a)
	return 0, a.Extent.MaxLen / max(elem.Min, 1)
}

// clone returns a copy that can be refined without changing e.
func (e *env) clone() *env {
	out := newEnv()
	for v, r := range e.vals {
		out.vals[v] = r
	}
	return out
}

// rounds is how often constraints are applied: enough for chains of a few.
const rounds = 3

// apply narrows the ranges by the constraints that hold below index upto.
func (e *env) apply(cons []constraint, upto int) {
	for range rounds {
		for _, con := range cons {
			if con.upto <= upto {
				e.narrow(con.form)
			}
		}
	}
}

// narrow applies form <= 0 to every variable of it.
func (e *env) narrow(form *linForm) {
	for v, c := range form.terms {
		rest := form.addScaled(varForm(v), new(big.Int).Neg(c))
		bound := new(big.Int).Neg(rest.rangeIn(e).lo) // c*v <= bound
		r := e.get(v)
		if c.Sign() > 0 {
			r.hi = minBig(r.hi, floorDiv(bound, c))
		} else {
			r.lo = maxBig(r.lo, new(big.Int).Neg(floorDiv(bound, new(big.Int).Neg(c))))
		}
		if r.lo.Cmp(r.hi) > 0 {
			continue // contradicts what is known: not a fact to build on
		}
		e.vals[v] = r
	}
}

// floorDiv rounds down; b is positive.
func floorDiv(a, b *big.Int) *big.Int {
	return new(big.Int).Div(a, b)
}

// constraints splits a condition into constraints; parts that are no linear
// inequalities are left out.
func (c *checker) constraints(e Expr, upto int) []constraint {
	switch e := e.(type) {
	case *Paren:
		return c.constraints(e.X, upto)
	case *InExpr:
		return c.inConstraints(e, upto)
	case *Binary:
		if e.Op == "&&" {
			return append(c.constraints(e.X, upto), c.constraints(e.Y, upto)...)
		}
		return c.compareConstraints(e, upto)
	}
	return nil
}

func (c *checker) compareConstraints(e *Binary, upto int) []constraint {
	if e.X.Info().Kind != ValueInt || e.Y.Info().Kind != ValueInt {
		return nil
	}
	x, y := c.linear(e.X), c.linear(e.Y)
	if x == nil || y == nil {
		return nil
	}
	one := constForm(bigOne)
	switch e.Op {
	case "<=":
		return []constraint{{x.minus(y), upto, e}}
	case "<":
		return []constraint{{x.minus(y).plus(one), upto, e}}
	case ">=":
		return []constraint{{y.minus(x), upto, e}}
	case ">":
		return []constraint{{y.minus(x).plus(one), upto, e}}
	case "==":
		return []constraint{{x.minus(y), upto, e}, {y.minus(x), upto, e}}
	}
	return nil
}

func (c *checker) inConstraints(e *InExpr, upto int) []constraint {
	x := c.linear(e.X)
	if x == nil || e.X.Info().Kind != ValueInt {
		return nil
	}
	var all interval
	for _, it := range e.Set {
		lo, hi := c.setEnd(it.Lo, it.LoVal), c.setEnd(it.Lo, it.HiVal)
		if it.Hi != nil {
			hi = c.setEnd(it.Hi, it.HiVal)
		}
		if lo == nil || hi == nil {
			return nil
		}
		if all.lo == nil {
			all = interval{lo, hi}
		}
		all = all.hull(interval{lo, hi})
	}
	return []constraint{{constForm(all.lo).minus(x), upto, e}, {x.minus(constForm(all.hi)), upto, e}}
}

// setEnd is the value of an end of a range, a limit's default included.
func (c *checker) setEnd(e Expr, v *big.Int) *big.Int {
	if v != nil {
		return v
	}
	if l := c.linear(e); l != nil && len(l.terms) == 0 {
		return l.k
	}
	return nil
}
