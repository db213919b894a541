package spec

// cost returns the memory that decoding t may allocate, and how deep it nests.
func (c *checker) cost(t Type, own Ownership) (alloc uint64, depth int) {
	switch t := t.(type) {
	case *NamedType:
		if d, ok := t.Ref.(*Struct); ok {
			return d.Alloc, d.Depth + 1
		}
	case *RegionType:
		return c.cost(t.Of, own)
	case *BytesType:
		if _, isFixed := t.Extent.FixedLen(); own == OwnCopy && !isFixed {
			return t.Extent.MaxLen, 0
		}
	case *ArrayType:
		inner, depth := c.cost(t.Elem, own)
		_, most := countBounds(t)
		return satMul(most, satAdd(c.goSize(t.Elem), inner)), depth
	case *MatchType:
		for _, a := range t.Arms {
			if a.Type == nil {
				continue
			}
			n, d := c.cost(a.Type, a.Own)
			alloc, depth = max(alloc, n), max(depth, d)
		}
	}
	return alloc, depth
}

const (
	goWord  = 8
	goSlice = 24
)

// goSize is an upper bound of the memory that a value of t takes in Go.
func (c *checker) goSize(t Type) uint64 {
	switch t := t.(type) {
	case *NamedType:
		d, ok := t.Ref.(*Struct)
		if !ok {
			return goWord
		}
		return c.goStruct(d)
	case *BytesType:
		if n, ok := t.Extent.FixedLen(); ok {
			return satAdd(n, goWord)
		}
		return goSlice
	case *ArrayType:
		return goSlice
	case *RegionType:
		return c.goSize(t.Of)
	case *MatchType:
		sum := uint64(goSlice)
		for _, a := range t.Arms {
			if a.Type != nil {
				sum = satAdd(sum, c.goSize(a.Type))
			}
		}
		return sum
	}
	return goWord
}

// goStruct is goSize for a struct; it is computed once, as messages that hold
// others twice would else take time exponential in their depth.
func (c *checker) goStruct(d *Struct) uint64 {
	st := c.state[d]
	if st == nil {
		return goWord
	}
	if st.goSize == 0 {
		st.goSize = goWord
		for _, f := range d.Fields {
			st.goSize = satAdd(st.goSize, satAdd(c.goSize(f.Type), goWord)) // the word is for HasX or NoX
		}
	}
	return st.goSize
}
