package spec

import (
	"math/big"
	"slices"
	"sort"
	"strings"
)

// maxMembers is the most members that one struct, enum or flags type may have.
const maxMembers = 1024

// checker resolves one file.
type checker struct {
	rep   *reporter
	file  *File
	state map[*Struct]*structState
	stack []*Struct // structs being checked, outermost first
}

// Check resolves the file and fills in everything that the model marks "set by
// Check". It returns nil or an ErrorList with every mistake found. Checking a
// file twice is allowed and does nothing the second time. The mistakes that Parse
// found are returned again, alone if they leave doubt about the rest. Check must not be called from two goroutines
// at once.
func (f *File) Check() error {
	if f.checked || f.broken != nil {
		return f.broken
	}
	c := &checker{rep: &reporter{file: f.Name, errs: slices.Clone(f.mistakes)}, file: f, state: make(map[*Struct]*structState)}
	c.collect()
	c.checkConsts()
	for _, e := range f.Enums {
		c.checkEnum(e)
	}
	for _, fl := range f.Flags {
		c.checkFlags(fl)
	}
	for _, s := range f.Structs {
		c.checkStruct(s)
	}
	for _, s := range f.Streams {
		c.checkStream(s)
	}
	if len(c.rep.errs) == 0 {
		for _, v := range f.Vectors {
			c.checkVector(v)
		}
	}
	err := c.rep.err()
	f.checked = err == nil
	return err
}

// Lookup returns the declaration with the given name, or nil. It works on a
// checked file.
func (f *File) Lookup(name string) Decl { return f.scope[name] }

// collect enters all names into the scope.
func (c *checker) collect() {
	c.file.scope = make(map[string]Decl)
	for _, d := range c.file.Decls {
		if _, ok := d.(*Vector); ok {
			continue
		}
		name := d.DeclName()
		at := nameSpan(d)
		if old, ok := c.file.scope[name]; ok {
			c.rep.errorf(at, "%s is declared twice", quote(name)).note(nameSpan(old), "it was declared here")
			continue
		}
		c.file.scope[name] = d
	}
	if v := c.file.Version; v != nil {
		c.resolve(v, &scope{})
		c.wantConst(v, "the version")
	}
}

func nameSpan(d Decl) Span {
	switch d := d.(type) {
	case *Limit:
		return d.NameSpan
	case *Const:
		return d.NameSpan
	case *Enum:
		return d.NameSpan
	case *Flags:
		return d.NameSpan
	case *Struct:
		return d.NameSpan
	case *Stream:
		return d.NameSpan
	}
	return d.Pos()
}

// unknown reports a name that is not declared.
func (c *checker) unknown(at Span, what, name string, candidates []string) {
	e := c.rep.errorf(at, "there is no %s %s", what, quote(name))
	sort.Strings(candidates)
	candidates = slices.Compact(candidates)
	if best := nearest(name, candidates); best != "" {
		e.fix("did you mean `%s`?", best)
		return
	}
	const most = 12
	if n := len(candidates); n > 0 && n <= most {
		e.note(Span{}, "there are: %s", strings.Join(candidates, ", "))
	}
}

// declNames returns the names of the declarations that keep accepts.
func (c *checker) declNames(keep func(Decl) bool) []string {
	var names []string
	for name, d := range c.file.scope {
		if keep(d) {
			names = append(names, name)
		}
	}
	return names
}

func (c *checker) checkConsts() {
	for _, d := range c.file.Consts {
		c.evalConst(d)
	}
	for _, d := range c.file.Limits {
		c.resolve(d.Expr, &scope{})
		if v := c.wantConst(d.Expr, "the default of a limit"); v != nil {
			d.Value = c.wantUint(d.Expr, v, 1, maxLimit)
		}
	}
}

// maxLimit is the largest length that anything may have: what a 64-bit int holds.
const maxLimit = 1<<63 - 1

// Evaluation states of a constant.
const (
	evalNew uint8 = iota
	evalBusy
	evalDone
)

// evalConst resolves a constant, and those that it names before it.
func (c *checker) evalConst(d *Const) {
	switch d.state {
	case evalDone:
		return
	case evalBusy:
		c.rep.errorf(d.NameSpan, "the constant %s is defined by itself", quote(d.Name))
		return
	}
	d.state = evalBusy
	c.resolve(d.Expr, &scope{})
	c.wantConst(d.Expr, "a constant")
	d.state = evalDone
}

// wantConst returns the value of a constant integer expression, or nil after an
// error.
func (c *checker) wantConst(e Expr, what string) *big.Int {
	in := e.Info()
	if in.Kind == ValueInvalid {
		return nil
	}
	if in.Kind != ValueInt && in.Kind != ValueBool || in.Const == nil {
		c.rep.errorf(e.Pos(), "%s must be a constant integer", what)
		return nil
	}
	return in.Const
}

// wantUint returns v if it lies in lo..hi; else it reports and returns lo.
func (c *checker) wantUint(e Expr, v *big.Int, lo, hi uint64) uint64 {
	l, h := new(big.Int).SetUint64(lo), new(big.Int).SetUint64(hi)
	if v.Cmp(l) < 0 || v.Cmp(h) > 0 {
		c.rep.errorf(e.Pos(), "%s is out of range: it must be in %d..%d", v, lo, hi)
		return lo
	}
	return v.Uint64()
}

// wordMax is the largest value of an unsigned word.
func wordMax(t *ScalarType) uint64 { return ^uint64(0) >> (64 - uint(t.Bits)) }

func (c *checker) checkEnum(d *Enum) {
	if c.tooMany(d.NameSpan, len(d.Members)) {
		return
	}
	if len(d.Members) == 0 {
		c.rep.errorf(d.NameSpan, "the enum %s has no members", quote(d.Name))
	}
	names := make(map[string]*EnumMember)
	for _, m := range d.Members {
		m.Lo = c.enumValue(d, m.LoExpr)
		m.Hi = m.Lo
		if m.HiExpr != nil {
			m.Hi = c.enumValue(d, m.HiExpr)
			if m.Hi < m.Lo {
				c.rep.errorf(m.Span, "the range %d..%d is empty", m.Lo, m.Hi)
			}
		}
		if old, ok := names[goKey(m.Name)]; ok {
			c.rep.errorf(m.NameSpan, "%s is declared twice", quote(m.Name)).note(old.NameSpan, "it was declared here")
			continue
		}
		names[goKey(m.Name)] = m
	}
	c.enumOverlap(d)
}

func (c *checker) enumValue(d *Enum, e Expr) uint64 {
	c.resolve(e, &scope{})
	if v := c.wantConst(e, "the value of an enum member"); v != nil {
		return c.wantUint(e, v, 0, wordMax(d.Type))
	}
	return 0
}

func (c *checker) enumOverlap(d *Enum) {
	sorted := append([]*EnumMember(nil), d.Members...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Lo < sorted[j].Lo })
	var top *EnumMember // the member that reaches highest so far
	for _, m := range sorted {
		if top != nil && m.Lo <= top.Hi {
			first, second := top, m
			if m.Start.Offset < top.Start.Offset {
				first, second = m, top
			}
			c.rep.errorf(second.LoExpr.Pos(), "%s and %s have the same value %d", quote(first.Name), quote(second.Name), m.Lo).
				note(first.Span, "%s is here", quote(first.Name))
		}
		if top == nil || m.Hi > top.Hi {
			top = m
		}
	}
}

func (c *checker) checkFlags(d *Flags) {
	if c.tooMany(d.NameSpan, len(d.Bits)) {
		return
	}
	names := make(map[string]*FlagBit)
	byBit := make(map[int]*FlagBit)
	for _, b := range d.Bits {
		c.resolve(b.BitExpr, &scope{})
		if v := c.wantConst(b.BitExpr, "a bit number"); v != nil {
			b.Bit = int(c.wantUint(b.BitExpr, v, 0, uint64(d.Type.Bits-1)))
			if old, ok := byBit[b.Bit]; ok {
				c.rep.errorf(b.BitExpr.Pos(), "bit %d is %s already", b.Bit, quote(old.Name)).note(old.Span, "it was declared here")
			}
			byBit[b.Bit] = b
			d.Mask |= 1 << b.Bit
		}
		if old, ok := names[goKey(b.Name)]; ok {
			c.rep.errorf(b.NameSpan, "%s is declared twice", quote(b.Name)).note(old.NameSpan, "it was declared here")
		}
		names[goKey(b.Name)] = b
	}
}

func (c *checker) tooMany(at Span, n int) bool {
	if n > maxMembers {
		c.rep.errorf(at, "this has %d members, more than the %d that are allowed", n, maxMembers)
		return true
	}
	return false
}

// goKey maps names that would collide in generated code to the same key.
func goKey(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

func (c *checker) checkStream(d *Stream) {
	for _, ph := range d.Phases {
		s := c.structNamed(ph.Type)
		if s != nil && !s.Frame {
			c.rep.errorf(ph.Type.Span, "%s is a struct: a stream consists of frames", quote(s.Name)).
				note(s.NameSpan, "declare it with `frame` if it can find its own end")
		}
	}
}

// structNamed resolves a name that must be a struct or frame.
func (c *checker) structNamed(n *NamedType) *Struct {
	d, ok := c.file.scope[n.Name]
	s, isStruct := d.(*Struct)
	if !ok || !isStruct {
		c.unknown(n.NameSpan, "struct or frame", n.Name, c.declNames(func(d Decl) bool { _, ok := d.(*Struct); return ok }))
		return nil
	}
	n.Ref = s
	return s
}
