package spec

import "math/big"

// typeSize checks a type and returns its size. f is the field that it belongs
// to; last says that nothing stands behind that field.
func (c *checker) typeSize(t Type, f *Field, env *env, last bool) Size {
	switch t := t.(type) {
	case *ScalarType:
		return c.scalarSize(t)
	case *NamedType:
		return c.namedSize(t, f, env, last)
	case *BytesType:
		size := c.extentSize(t.Extent, f, env, last, 1, measureSize)
		return size
	case *ArrayType:
		return c.arraySize(t, f, env, last)
	case *RegionType:
		return c.regionSize(t, f, env, last)
	case *MatchType:
		return c.matchSize(t, f, env, last)
	}
	return Size{}
}

func fixed(n int) Size { return Size{Min: uint64(n), Max: uint64(n)} }

func (c *checker) scalarSize(t *ScalarType) Size {
	if t.Bytes() == 0 {
		c.rep.errorf(t.Span, "a field of %d bits stands in a bit group", t.Bits).fix("put it into `bits u8 { ... }`")
	}
	return fixed(t.Bytes())
}

func (c *checker) namedSize(t *NamedType, f *Field, env *env, last bool) Size {
	switch d := t.Ref.(type) {
	case *Enum:
		return c.scalarWord(t, d.Type)
	case *Flags:
		return c.scalarWord(t, d.Type)
	case *Struct:
		c.checkArgs(t, d, env)
		c.checkStruct(d)
		if st := c.state[d]; st != nil && st.open && !last {
			c.openInside(t, d)
		} else if st != nil && st.open && f != nil {
			c.setOpen(f, t.Span)
		}
		return d.Size
	}
	return Size{}
}

func (c *checker) scalarWord(t *NamedType, word *ScalarType) Size {
	if word.Bytes() == 0 {
		c.rep.errorf(t.Span, "%s has %d bits: it stands in a bit group", quote(t.Name), word.Bits).note(word.Span, "its width is declared here")
	}
	return fixed(word.Bytes())
}

// openInside reports a struct that takes all that is left where more follows.
func (c *checker) openInside(t *NamedType, d *Struct) {
	c.rep.errorf(t.Span, "%s takes all bytes that are left, so nothing can follow it here", quote(t.Name)).
		note(d.NameSpan, "it ends with [..]").
		fix("put it into a region: `region[length] of %s`", t.Name)
}

// setOpen notes that the struct of f takes all bytes that are left.
func (c *checker) setOpen(f *Field, at Span) {
	s := f.Parent
	if s.Frame {
		c.rep.errorf(at, "the frame %s cannot find its own end: this takes all bytes that are left", quote(s.Name)).
			fix("send a length before it: `length: u32 = size(%s)`, and `[length]` or `region[length] of ...` here", f.Name)
		return
	}
	c.state[s].open = true
}

// checkArgs checks the arguments of a struct against its parameters.
func (c *checker) checkArgs(t *NamedType, d *Struct, env *env) {
	for i, a := range t.Args {
		if i < len(d.Params) {
			c.assignable(a, d.Params[i].Type, env, "parameter "+quote(d.Params[i].Name))
		}
	}
}

// elemSize is the size of one element; its type has been checked.
func elemSize(a *ArrayType) Size {
	switch t := a.Elem.(type) {
	case *ScalarType:
		return fixed(t.Bytes())
	case *NamedType:
		switch d := t.Ref.(type) {
		case *Enum:
			return fixed(d.Type.Bytes())
		case *Flags:
			return fixed(d.Type.Bytes())
		case *Struct:
			return d.Size
		}
	}
	return Size{}
}

func (c *checker) arraySize(t *ArrayType, f *Field, env *env, last bool) Size {
	c.typeSize(t.Elem, nil, env, false)
	elem := elemSize(t)
	if n, ok := t.Elem.(*NamedType); ok && n.Ref == nil {
		return Size{}
	}
	x := t.Extent
	if x.InBytes {
		size := c.extentSize(x, f, env, last, 1, measureSize)
		c.needElem(t, elem)
		return size
	}
	if x.Kind == ExtentRest {
		c.needElem(t, elem)
	}
	size := c.extentSize(x, f, env, last, elem.Max, measureCount)
	prefix := uint64(0)
	if x.Kind == ExtentPrefixed {
		prefix = uint64(x.Prefix.Bytes())
	}
	size.Min = satAdd(prefix, satMul(x.MinLen, elem.Min))
	return size
}

// needElem refuses elements that may take no bytes where bytes are what ends
// the repetition.
func (c *checker) needElem(t *ArrayType, elem Size) {
	if elem.Min == 0 {
		c.rep.errorf(t.Elem.Pos(), "an element may take no bytes, so the number of elements is not bounded by the bytes").
			fix("count the elements: `<u8 max n>`")
	}
}

// extentSize checks an extent and returns the bytes that it takes, its prefix
// included; unit is the largest size of one element.
func (c *checker) extentSize(x *Extent, f *Field, env *env, last bool, unit uint64, m measure) Size {
	switch x.Kind {
	case ExtentRest:
		c.restExtent(x, f, last)
	case ExtentPrefixed:
		c.prefixedExtent(x)
	case ExtentSized:
		c.sizedExtent(x, f, env, m)
	}
	if unit != 0 && x.MaxLen > maxLimit/unit {
		c.rep.errorf(x.Span, "this may take more than %d bytes", uint64(maxLimit))
		return Size{}
	}
	size := Size{Min: x.MinLen, Max: x.MaxLen * unit}
	if x.Kind == ExtentPrefixed {
		n := uint64(x.Prefix.Bytes())
		size.Min += n
		size.Max = satAdd(size.Max, n)
	}
	return size
}

func (c *checker) restExtent(x *Extent, f *Field, last bool) {
	if x.Max == nil {
		c.rep.errorf(x.Span, "nothing bounds this").fix("write `[.. max 1024]`")
		return
	}
	x.MaxLen, x.CheckMax = c.maxOf(x, ^uint64(0)), true
	if !last {
		c.rep.errorf(x.Span, "[..] takes all bytes that are left, so it must be the last member")
		return
	}
	c.setOpen(f, x.Span)
}

// maxOf evaluates `max` and notes the limit that it names.
func (c *checker) maxOf(x *Extent, most uint64) uint64 {
	in := x.Max.Info()
	if in.Kind != ValueInt || in.Max == nil {
		return 0
	}
	if id, ok := x.Max.(*Ident); ok {
		x.MaxLimit, _ = id.Ref.(*Limit)
	}
	most = min(most, maxLimit)
	if in.Max.Cmp(bigUint(most)) > 0 || in.Min.Sign() < 0 {
		c.rep.errorf(x.Max.Pos(), "the maximum %s is out of range: it must be in 0..%d", in.Max, most)
		return 0
	}
	return in.Max.Uint64()
}

func (c *checker) prefixedExtent(x *Extent) {
	if x.Prefix.Bytes() == 0 {
		c.rep.errorf(x.Prefix.Span, "a length prefix is whole bytes, not %d bits", x.Prefix.Bits)
		return
	}
	most := wordMax(x.Prefix)
	if x.Min != nil && x.Min.Info().Kind == ValueInt {
		if v := c.wantConst(x.Min, "the minimum"); v != nil {
			x.MinLen = c.wantUint(x.Min, v, 0, most)
		}
	}
	if x.Max == nil {
		e := c.rep.errorf(x.Span, "nothing bounds this but the width of its prefix")
		if x.Prefix.Bits <= 16 {
			e.fix("write `<%s max %d>` or less", "u"+itoa(x.Prefix.Bits), most)
		} else {
			e.fix("write `<%s max n>`", "u"+itoa(x.Prefix.Bits))
		}
		return
	}
	x.MaxLen = c.maxOf(x, most)
	x.CheckMax = x.MaxLen < most || x.Max.Info().Limit
	if x.MinLen > x.MaxLen {
		c.rep.errorf(x.Min.Pos(), "the minimum %d is more than the maximum %d", x.MinLen, x.MaxLen)
	}
}

func itoa(n int) string { return big.NewInt(int64(n)).String() }

func (c *checker) sizedExtent(x *Extent, f *Field, env *env, m measure) {
	if x.Size.Info().Kind != ValueInt {
		return
	}
	r := c.ranges(x.Size, env)
	if r.lo.Sign() < 0 {
		c.rep.errorf(x.Size.Pos(), "this length may be negative: it is %s", r)
		return
	}
	x.MinLen = clampUint(r.lo)
	hi := r.hi
	if x.Max != nil {
		limit := c.maxOf(x, ^uint64(0))
		x.CheckMax = r.hi.Cmp(bigUint(limit)) > 0 || x.Max.Info().Limit
		hi = minBig(hi, bigUint(limit))
	} else if x.Size.Info().Const == nil && !c.bounded(x.Size, r) {
		c.rep.errorf(x.Span, "nothing bounds this: it may be up to %s", r.hi).
			fix("write `[%s max %s]`, or bound the field with `where this <= %[2]s`", ExprString(x.Size), minBig(r.hi, big.NewInt(1024)))
		return
	}
	if !hi.IsUint64() || hi.Uint64() > maxLimit {
		c.rep.errorf(x.Span, "this may be as long as %s, more than fits into memory", hi)
		return
	}
	x.MaxLen = hi.Uint64()
	x.MinLen = min(x.MinLen, x.MaxLen)
	if x.Size.Info().Const == nil {
		st := c.state[f.Parent]
		st.uses = append(st.uses, extentUse{field: f, x: x, m: m})
	}
}

// clampUint returns v, or the largest uint64.
func clampUint(v *big.Int) uint64 {
	if v.IsUint64() {
		return v.Uint64()
	}
	return ^uint64(0)
}

// bounded reports whether a condition, and not only the width of the fields,
// bounds a length. Parameters are not read from the wire: their width is enough.
// Constants are known.
func (c *checker) bounded(e Expr, r interval) bool {
	onlyParams := true
	walk(e, func(x Expr) {
		id, ok := x.(*Ident)
		if !ok {
			return
		}
		if f, ok := id.Ref.(*Field); ok && (f.Derived == nil || f.Derived.Info().Const == nil) {
			onlyParams = false
		}
	})
	if onlyParams {
		return true
	}
	l := c.linear(e)
	if l == nil {
		return true // refused by checkUse
	}
	return r.hi.Cmp(l.rangeIn(newEnv()).hi) < 0
}

func (c *checker) regionSize(t *RegionType, f *Field, env *env, last bool) Size {
	n, ok := t.Of.(*NamedType)
	if ok && n.Ref == nil {
		return Size{}
	}
	d, isStruct := (*Struct)(nil), false
	if ok {
		d, isStruct = n.Ref.(*Struct)
	}
	if !isStruct {
		c.rep.errorf(t.Of.Pos(), "a region holds a struct").fix("declare a struct with this as its only member")
		return Size{}
	}
	if t.Extent.Kind == ExtentRest {
		c.rep.errorf(t.Extent.Span, "a region[..] adds nothing: what is left is a region already")
		return Size{}
	}
	outer := c.extentSize(t.Extent, f, env, last, 1, measureSize)
	prefix := uint64(0)
	if t.Extent.Kind == ExtentPrefixed {
		prefix = uint64(t.Extent.Prefix.Bytes())
	}
	c.checkArgs(n, d, env)
	c.checkStruct(d)
	inner := d.Size
	if t.Extent.MaxLen != 0 && inner.Min > t.Extent.MaxLen || t.Extent.MinLen > inner.Max && inner.Max > 0 {
		c.rep.errorf(t.Span, "%s takes %d..%d bytes and never fits this region of %d..%d", quote(d.Name), inner.Min, inner.Max, t.Extent.MinLen, t.Extent.MaxLen)
		return outer
	}
	return Size{
		Min: max(outer.Min, satAdd(inner.Min, prefix)),
		Max: min(outer.Max, satAdd(inner.Max, prefix)),
	}
}
