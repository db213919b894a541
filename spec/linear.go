package spec

import "math/big"

// measure says what a variable of a linear form measures.
type measure uint8

const (
	measureValue measure = iota // the value of a field or parameter
	measureSize                 // the bytes of a field
	measureCount                // the elements of a field
)

// linVar is a variable of a linear form.
type linVar struct {
	m measure
	f *Field
	p *Param
}

// linForm is k + the sum of coefficient * variable.
type linForm struct {
	k     *big.Int
	terms map[linVar]*big.Int
}

func constForm(k *big.Int) *linForm {
	return &linForm{k: k, terms: make(map[linVar]*big.Int)}
}

func varForm(v linVar) *linForm {
	l := constForm(new(big.Int))
	l.terms[v] = big.NewInt(1)
	return l
}

// addScaled returns l + s*m.
func (l *linForm) addScaled(m *linForm, s *big.Int) *linForm {
	out := constForm(new(big.Int).Add(l.k, new(big.Int).Mul(m.k, s)))
	for v, c := range l.terms {
		out.terms[v] = c
	}
	for v, c := range m.terms {
		sum := new(big.Int).Mul(c, s)
		if old, ok := out.terms[v]; ok {
			sum.Add(sum, old)
		}
		out.terms[v] = sum
		if sum.Sign() == 0 {
			delete(out.terms, v)
		}
	}
	return out
}

var (
	bigOne      = big.NewInt(1)
	bigMinusOne = big.NewInt(-1)
)

func (l *linForm) plus(m *linForm) *linForm  { return l.addScaled(m, bigOne) }
func (l *linForm) minus(m *linForm) *linForm { return l.addScaled(m, bigMinusOne) }

// isZero reports whether the form is 0 whatever its variables are.
func (l *linForm) isZero() bool { return l.k.Sign() == 0 && len(l.terms) == 0 }

// replace puts a form in the place of a variable.
func (l *linForm) replace(v linVar, by *linForm) *linForm {
	c, ok := l.terms[v]
	if !ok {
		return l
	}
	out := l.addScaled(varForm(v), new(big.Int).Neg(c))
	return out.addScaled(by, c)
}

// linear returns e as a linear form, or nil if it is none. Limits count with
// their defaults. Names must be resolved.
func (c *checker) linear(e Expr) *linForm {
	if v := e.Info().Const; v != nil && e.Info().Kind == ValueInt {
		return constForm(v)
	}
	switch e := e.(type) {
	case *Paren:
		return c.linear(e.X)
	case *This:
		return fieldForm(e.Field)
	case *Ident:
		switch r := e.Ref.(type) {
		case *Field:
			return fieldForm(r)
		case *Param:
			return varForm(linVar{p: r})
		case *Limit:
			return constForm(new(big.Int).SetUint64(r.Value))
		}
	case *Unary:
		if x := c.linear(e.X); x != nil && e.Op == "-" {
			return constForm(new(big.Int)).minus(x)
		}
	case *Binary:
		return c.linearBinary(e)
	case *Call:
		return c.linearCall(e)
	}
	return nil
}

// fieldForm is the value of a field.
func fieldForm(f *Field) *linForm {
	if f == nil {
		return nil
	}
	return varForm(linVar{f: f})
}

func (c *checker) linearBinary(e *Binary) *linForm {
	if e.Op != "+" && e.Op != "-" && e.Op != "*" {
		return nil
	}
	x, y := c.linear(e.X), c.linear(e.Y)
	switch {
	case x == nil || y == nil:
		return nil
	case e.Op == "+":
		return x.plus(y)
	case e.Op == "-":
		return x.minus(y)
	case len(y.terms) == 0:
		return constForm(new(big.Int)).addScaled(x, y.k)
	case len(x.terms) == 0:
		return constForm(new(big.Int)).addScaled(y, x.k)
	}
	return nil
}

func (c *checker) linearCall(e *Call) *linForm {
	if len(e.Args) != 1 {
		return nil
	}
	var one *Field
	switch a := e.Args[0].(type) {
	case *This:
		one = a.Field
	case *Ident:
		one, _ = a.Ref.(*Field)
	}
	switch {
	case e.Func == FuncCount && one != nil:
		return varForm(linVar{m: measureCount, f: one})
	case e.Func == FuncSize && one != nil:
		return sizeForm(one)
	case e.Func == FuncSize:
		sum := constForm(new(big.Int))
		var group *BitGroup
		e.covered(c.top(), func(f *Field) {
			if f.Group != nil && f.Group == group {
				return
			}
			group = f.Group
			sum = sum.plus(sizeForm(f))
		})
		return sum
	}
	return nil
}

// sizeForm is the size of a field: a constant if it is fixed.
func sizeForm(f *Field) *linForm {
	size := f.Size
	if f.Group != nil {
		size = f.Group.Size
	}
	if size.Fixed() {
		return constForm(new(big.Int).SetUint64(size.Min))
	}
	if a, ok := f.Type.(*ArrayType); ok && f.If == nil && a.Extent.Kind == ExtentSized {
		if elem := elemSize(a); elem.Fixed() {
			n := varForm(linVar{m: measureCount, f: f})
			return constForm(new(big.Int)).addScaled(n, new(big.Int).SetUint64(elem.Min))
		}
	}
	return varForm(linVar{m: measureSize, f: f})
}

// top is the struct being checked.
func (c *checker) top() *Struct { return c.stack[len(c.stack)-1] }

// rangeOfForm evaluates a form with the ranges of its variables.
func (l *linForm) rangeIn(env *env) interval {
	sum := point(l.k)
	for v, c := range l.terms {
		sum = sum.plus(env.get(v).scale(c))
	}
	return sum
}
