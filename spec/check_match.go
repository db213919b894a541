package spec

import (
	"math/big"
	"sort"
)

// matchSize checks a match and returns the sizes that its arms can have.
func (c *checker) matchSize(t *MatchType, f *Field, env *env, last bool) Size {
	c.ranges(t.Subject, env)
	ok := c.checkSubject(t)
	size := Size{Min: ^uint64(0)}
	for _, a := range t.Arms {
		if ok {
			c.armValues(t, a)
		}
		c.armSize(a, f, env, last)
		size.Min = min(size.Min, a.Size.Min)
		size.Max = max(size.Max, a.Size.Max)
	}
	if len(t.Arms) == 0 {
		c.rep.errorf(t.Span, "a match needs arms")
		return Size{}
	}
	if ok {
		c.armOverlap(t)
	}
	return size
}

// checkSubject checks what is matched on.
func (c *checker) checkSubject(t *MatchType) bool {
	in := t.Subject.Info()
	switch in.Kind {
	case ValueInvalid:
		return false
	case ValueInt, ValueEnum:
	default:
		c.rep.errorf(t.Subject.Pos(), "match needs an integer or an enum, this is %s", kindName(in))
		return false
	}
	if id, ok := t.Subject.(*Ident); ok {
		switch r := id.Ref.(type) {
		case *Param:
			return true
		case *Field:
			if r.Derived == nil {
				return true
			}
		}
	}
	c.rep.errorf(t.Subject.Pos(), "match needs an earlier field or a parameter that is not derived")
	return false
}

func (c *checker) armValues(t *MatchType, a *Arm) {
	sc := &scope{s: &Struct{}}
	in := t.Subject.Info()
	en, _ := in.Named.(*Enum)
	for _, it := range a.Values {
		if !c.resolveSetItem(it, sc, en, in) {
			continue
		}
		if it.LoVal == nil || it.HiVal == nil {
			c.rep.errorf(it.Span, "the value of an arm must be constant")
		}
		c.ranges(it.Lo, newEnv())
		if it.Hi != nil {
			c.ranges(it.Hi, newEnv())
		}
	}
}

func (c *checker) armSize(a *Arm, f *Field, env *env, last bool) {
	if a.Kind != ArmType {
		return
	}
	switch t := a.Type.(type) {
	case *BytesType, *RegionType:
	case *NamedType:
		if _, ok := t.Ref.(*Struct); !ok && t.Ref != nil {
			c.rep.errorf(t.Span, "an arm is a struct, a region, bytes or text").fix("declare a struct with this as its only member")
			return
		}
	default:
		c.rep.errorf(t.Pos(), "an arm is a struct, a region, bytes or text").fix("declare a struct with this as its only member")
		return
	}
	if a.Own != OwnDefault && !hasBytes(a.Type) {
		c.rep.errorf(a.Type.Pos(), "only bytes and text are borrowed or copied")
	}
	a.Size = c.typeSize(a.Type, f, env, last)
}

// armOverlap refuses values that two arms claim, and a match that leaves values
// without an arm.
func (c *checker) armOverlap(t *MatchType) {
	var items []*SetItem
	for i, a := range t.Arms {
		for _, it := range a.Values {
			if it.LoVal == nil || it.HiVal == nil {
				return // reported
			}
			items = append(items, it)
		}
		if a.Else && i != len(t.Arms)-1 {
			c.rep.errorf(a.Span, "`else` must be the last arm")
			return
		}
	}
	sort.SliceStable(items, func(i, j int) bool { return items[i].LoVal.Cmp(items[j].LoVal) < 0 })
	var top *SetItem
	for _, it := range items {
		if top != nil && it.LoVal.Cmp(top.HiVal) <= 0 {
			first, second := top, it
			if it.Start.Offset < top.Start.Offset {
				first, second = it, top
			}
			c.rep.errorf(second.Span, "the value %s has an arm already", it.LoVal).note(first.Span, "it is matched here")
		}
		if top == nil || it.HiVal.Cmp(top.HiVal) > 0 {
			top = it
		}
	}
	if t.Else == nil {
		c.needElse(t, items)
	}
}

// needElse reports a match without else that does not cover all values.
func (c *checker) needElse(t *MatchType, items []*SetItem) {
	in := t.Subject.Info()
	en, isEnum := in.Named.(*Enum)
	if !isEnum {
		all := interval{in.Min, in.Max}
		if in.Min == nil || covers(items, all) {
			return
		}
		c.rep.errorf(t.Span, "not every value of %s has an arm", quote(ExprString(t.Subject))).fix("add `else => error`, or an arm for the rest")
		return
	}
	if en.Open {
		c.rep.errorf(t.Span, "%s is open, so this match needs an `else`", quote(en.Name)).
			note(en.NameSpan, "an unknown value is kept").fix("add `else => bytes[length]`, or `else => error`")
		return
	}
	for _, m := range en.Members {
		if !covers(items, uintRange(m.Lo, m.Hi)) {
			c.rep.errorf(t.Span, "%s has no arm", quote(m.Name)).note(m.Span, "it is declared here").fix("add an arm, or `else => error`")
			return
		}
	}
}

// covers reports whether sorted items cover an interval without a gap.
func covers(items []*SetItem, all interval) bool {
	next := all.lo
	for _, it := range items {
		if it.LoVal.Cmp(next) > 0 {
			break
		}
		next = maxBig(next, new(big.Int).Add(it.HiVal, bigOne))
	}
	return next.Cmp(all.hi) > 0
}
