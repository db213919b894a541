package spec

// checkChecksums orders the checksums of a struct so that each comes after
// those that it covers, and refuses circles.
func (c *checker) checkChecksums(s *Struct) {
	covers := make(map[*Field][]*Field)
	for _, f := range s.Fields {
		if f.Role != RoleChecksum {
			continue
		}
		self := false
		walk(f.Derived, func(x Expr) {
			call, ok := x.(*Call)
			if !ok || !call.Func.IsChecksum() {
				return
			}
			call.covered(s, func(g *Field) {
				if g == f || f.Group != nil && g.Group == f.Group {
					self = true
				} else if g.Role == RoleChecksum {
					covers[f] = append(covers[f], g)
				}
			})
		})
		if self {
			c.rep.errorf(f.Derived.Pos(), "the checksum %s covers itself", quote(f.Name)).fix("cover the stretches before and behind it: `crc32c(a..b, c..d)`")
			return
		}
	}
	const (
		busy = 1
		done = 2
	)
	state := make(map[*Field]int)
	var visit func(f *Field) bool
	visit = func(f *Field) bool {
		if state[f] == busy {
			c.rep.errorf(f.Derived.Pos(), "the checksums cover each other in a circle: %s is part of it", quote(f.Name))
			return false
		}
		if state[f] == done {
			return true
		}
		state[f] = busy
		for _, g := range covers[f] {
			if !visit(g) {
				return false
			}
		}
		state[f] = done
		s.Checksums = append(s.Checksums, f)
		return true
	}
	s.Checksums = nil
	for _, f := range s.Fields {
		if f.Role == RoleChecksum && !visit(f) {
			return
		}
	}
}

// checkFrame finds out what FrameLen needs: how many bytes must be there before
// the length of the frame is known, and what it can verify by then.
func (c *checker) checkFrame(s *Struct) {
	for _, a := range s.asserts() {
		a.Early = a.inHead()
	}
	if s.Size.Fixed() {
		return
	}
	var need, at Size
	for _, m := range s.Members {
		switch m := m.(type) {
		case *Field:
			n := c.prefixOf(m, at)
			need = Size{Min: max(need.Min, n.Min), Max: max(need.Max, n.Max)}
			at = c.addSize(at, m.Size, m.Span)
		case *BitGroup:
			at = c.addSize(at, m.Size, m.Span)
		}
	}
	for _, f := range s.Checksums {
		f.Early = f.coversHead()
		if f.Early {
			end := f.headEnd()
			need = Size{Min: max(need.Min, end), Max: max(need.Max, end)}
		}
	}
	s.Prefix = need
}

func (s *Struct) asserts() []*Assert {
	var out []*Assert
	for _, m := range s.Members {
		if a, ok := m.(*Assert); ok {
			out = append(out, a)
		}
	}
	return out
}

// inHead reports whether the assertion names only fields of the fixed head.
func (a *Assert) inHead() bool {
	for _, f := range a.Fields {
		if !f.inHead() {
			return false
		}
	}
	return true
}

// inHead reports whether a field is always there, at a fixed place.
func (f *Field) inHead() bool {
	return f.Offset >= 0 && f.Size.Fixed() && f.If == nil
}

// coversHead reports whether a checksum covers bytes of the fixed head only.
func (f *Field) coversHead() bool {
	if !f.inHead() {
		return false
	}
	ok := true
	f.eachCovered(func(g *Field) { ok = ok && g.inHead() })
	return ok
}

// headEnd is the end of what an early checksum needs.
func (f *Field) headEnd() uint64 {
	end := f.end()
	f.eachCovered(func(g *Field) { end = max(end, g.end()) })
	return end
}

func (f *Field) end() uint64 {
	if f.Group != nil {
		return uint64(f.Offset) + f.Group.Size.Max
	}
	return uint64(f.Offset) + f.Size.Max
}

func (f *Field) eachCovered(fn func(*Field)) {
	walk(f.Derived, func(x Expr) {
		if call, ok := x.(*Call); ok && call.Func.IsChecksum() {
			call.covered(f.Parent, fn)
		}
	})
}

// prefixOf returns how many bytes from the start of the frame must be there
// before the size of f is known, when f begins at distance at.
func (c *checker) prefixOf(f *Field, at Size) Size {
	if f.Size.Fixed() && f.If == nil {
		return Size{}
	}
	need := c.inputEnd(f.If, f.Parent)
	n := c.typePrefix(f, f.Type, at)
	return Size{Min: max(need.Min, n.Min), Max: max(need.Max, n.Max)}
}

// typePrefix is prefixOf for a type.
func (c *checker) typePrefix(f *Field, t Type, at Size) Size {
	switch t := t.(type) {
	case *BytesType:
		return c.extentPrefix(f, t.Extent, at)
	case *RegionType:
		return c.extentPrefix(f, t.Extent, at)
	case *ArrayType:
		n := c.extentPrefix(f, t.Extent, at)
		if !elemSize(t).Fixed() && !t.Extent.InBytes {
			n.Max = max(n.Max, satAdd(at.Max, f.Size.Max)) // the last element has to be reached
		}
		return n
	case *NamedType:
		d, ok := t.Ref.(*Struct)
		if !ok || d.Size.Fixed() {
			return Size{}
		}
		c.checkFrameOf(d)
		n := Size{Min: satAdd(at.Min, d.Prefix.Min), Max: satAdd(at.Max, d.Prefix.Max)}
		for _, a := range t.Args {
			n.Max = max(n.Max, c.inputEnd(a, f.Parent).Max)
		}
		return n
	case *MatchType:
		n := c.inputEnd(t.Subject, f.Parent)
		lo := n.Min
		for i, a := range t.Arms {
			var p Size
			if a.Type != nil {
				p = c.typePrefix(f, a.Type, at)
			}
			n.Max = max(n.Max, p.Max)
			if i == 0 || max(lo, p.Min) < n.Min {
				n.Min = max(lo, p.Min)
			}
		}
		return n
	}
	return Size{}
}

// checkFrameOf computes the prefix of a struct that stands inside a frame, once.
func (c *checker) checkFrameOf(d *Struct) {
	st := c.state[d]
	if d.Frame || st == nil || st.prefix {
		return
	}
	st.prefix = true
	var need, at Size
	for _, m := range d.Members {
		switch m := m.(type) {
		case *Field:
			n := c.prefixOf(m, at)
			need = Size{Min: max(need.Min, n.Min), Max: max(need.Max, n.Max)}
			at = c.addSize(at, m.Size, m.Span)
		case *BitGroup:
			at = c.addSize(at, m.Size, m.Span)
		}
	}
	d.Prefix = need
}

func (c *checker) extentPrefix(f *Field, x *Extent, at Size) Size {
	switch x.Kind {
	case ExtentPrefixed:
		n := uint64(x.Prefix.Bytes())
		return Size{Min: satAdd(at.Min, n), Max: satAdd(at.Max, n)}
	case ExtentSized:
		return c.inputEnd(x.Size, f.Parent)
	}
	return Size{}
}

// inputEnd returns where the last field that e names ends.
func (c *checker) inputEnd(e Expr, s *Struct) Size {
	if e == nil {
		return Size{}
	}
	named := make(map[*Field]bool)
	for _, f := range namedFields(e, s) {
		named[f] = true
	}
	var at, end Size
	for _, m := range s.Members {
		hit, size := false, Size{}
		switch m := m.(type) {
		case *Field:
			hit, size = named[m], m.Size
		case *BitGroup:
			size = m.Size
			for _, f := range m.Fields {
				hit = hit || named[f]
			}
		}
		at = Size{Min: satAdd(at.Min, size.Min), Max: satAdd(at.Max, size.Max)}
		if hit {
			end = at
		}
	}
	return end
}
