package spec

// structState is what the checker remembers of a struct while it is worked on.
type structState struct {
	done   bool
	cons   []constraint
	env    *env
	at     int    // fields below this index have been read
	self   Expr   // the condition being checked: it and later ones prove nothing yet
	open   bool   // ends with [..], so that it needs a region around it
	goSize uint64 // upper bound of the Go struct in bytes, 0 when not computed
	prefix bool   // Struct.Prefix has been computed
	// uses are the extents whose size is computed from fields.
	uses []extentUse
}

// extentUse is one sized extent: of a field, or of an arm of its match.
type extentUse struct {
	field *Field
	x     *Extent
	m     measure // what the extent counts
}

// checkStruct checks one struct, and the structs that it holds before it.
func (c *checker) checkStruct(s *Struct) {
	if st := c.state[s]; st != nil {
		if !st.done {
			c.recursion(s)
		}
		return
	}
	const deepest = 64
	if len(c.stack) >= deepest {
		c.rep.errorf(s.NameSpan, "messages nest more than %d deep here", deepest)
		return
	}
	st := &structState{env: newEnv()}
	c.state[s] = st
	c.stack = append(c.stack, s)
	errs := len(c.rep.errs)
	c.flatten(s)
	if !c.tooMany(s.NameSpan, len(s.Fields)) {
		c.checkParams(s)
		c.resolveTypes(s)
		c.resolveMembers(s)
		c.layout(s)
		// With an unsound layout the sizes mean nothing, but the rest is checked.
		c.checkDerived(s, len(c.rep.errs) == errs)
		if len(c.rep.errs) == errs {
			c.checkPresence(s)
		}
		if len(c.rep.errs) == errs {
			c.checkVanish(s)
			c.checkInverse(s)
			c.checkChecksums(s)
			c.bounds(s)
		}
		if s.Frame && len(c.rep.errs) == errs {
			c.checkFrame(s)
		}
	}
	c.stack = c.stack[:len(c.stack)-1]
	st.done = true
}

// recursion reports a struct that contains itself.
func (c *checker) recursion(s *Struct) {
	path := ""
	for i, t := range c.stack {
		if t == s {
			for _, u := range c.stack[i:] {
				path += u.Name + " -> "
			}
			break
		}
	}
	c.rep.errorf(s.NameSpan, "%s contains itself: %s%s", quote(s.Name), path, s.Name).
		note(Span{}, "a message of this language has a largest depth, so that decoding it is bounded").
		fix("carry the inner message as `bytes` and decode it on its own")
}

// flatten lists the fields of a struct and reports duplicate names.
func (c *checker) flatten(s *Struct) {
	seen := make(map[string]Span)
	for _, p := range s.Params {
		if old, ok := seen[goKey(p.Name)]; ok {
			c.rep.errorf(p.NameSpan, "there are two parameters %s", quote(p.Name)).note(old, "the first is here")
		}
		seen[goKey(p.Name)] = p.NameSpan
	}
	add := func(f *Field) {
		f.Parent, f.Index, f.Offset = s, len(s.Fields), -1
		s.Fields = append(s.Fields, f)
		if f.Name == "_" {
			return
		}
		if old, ok := seen[goKey(f.Name)]; ok {
			c.rep.errorf(f.NameSpan, "the name %s is taken", quote(f.Name)).note(old, "it is declared here")
			return
		}
		seen[goKey(f.Name)] = f.NameSpan
	}
	s.Fields = nil
	for _, m := range s.Members {
		switch m := m.(type) {
		case *Field:
			add(m)
		case *BitGroup:
			for _, f := range m.Fields {
				add(f)
			}
		}
	}
}

func (c *checker) checkParams(s *Struct) {
	for _, p := range s.Params {
		c.resolveType(p.Type)
		in := typeInfo(p.Type)
		switch in.Kind {
		case ValueInvalid:
			continue
		case ValueData, ValueFloat:
			c.rep.errorf(p.Type.Pos(), "a parameter is an integer, a bool, an enum or flags")
			continue
		}
		if p.Default == nil {
			continue
		}
		en, _ := in.Named.(*Enum)
		c.resolveAs(p.Default, &scope{}, en)
		c.assignable(p.Default, p.Type, newEnv(), "parameter "+quote(p.Name))
		if d := p.Default.Info(); d.Kind != ValueInvalid && d.Const == nil {
			c.rep.errorf(p.Default.Pos(), "the default of a parameter must be constant")
		}
	}
}

// assignable reports whether e is a value that t can hold.
func (c *checker) assignable(e Expr, t Type, env *env, what string) bool {
	in, want := e.Info(), typeInfo(t)
	if in.Kind == ValueInvalid || want.Kind == ValueInvalid {
		return false
	}
	if in.Kind == ValueInt && want.Kind == ValueFlags && in.Const != nil && in.Const.Sign() == 0 {
		return true
	}
	if in.Kind != want.Kind || in.Named != want.Named {
		c.rep.errorf(e.Pos(), "%s needs %s, this is %s", what, kindName(&want), kindName(in))
		return false
	}
	r := c.ranges(e, env)
	hold, ok := typeRange(t)
	if !ok || r.within(hold) {
		return true
	}
	err := c.rep.errorf(e.Pos(), "this is %s and does not fit %s, which holds %s", r, what, hold)
	if r.lo.Sign() >= 0 && calls(e, Func.IsChecksum) {
		err.fix("keep the low bits: `%s & 0x%x`", ExprString(e), hold.hi)
	}
	return false
}
