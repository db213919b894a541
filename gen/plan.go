package gen

import (
	"fmt"
	"math/big"

	"github.com/wireplane/wireplane/spec"
)

// step is one stretch of a message: *block, *content or *optional.
type step interface{ minSize() int }

// block is a run of members whose sizes the spec fixes: one bounds test, then
// constant offsets.
type block struct {
	items []item
	size  int
}

// item is a field, a bit group or the length prefix of a field inside a block.
type item struct {
	field  *spec.Field
	group  *spec.BitGroup
	prefix bool // the prefix of field's extent, its content is a step of its own
	off    int  // in the block
	size   int
}

// content is what is left of a field behind its prefix, when its size is not fixed.
type content struct{ field *spec.Field }

// optional is a field that may be absent.
type optional struct {
	field *spec.Field
	steps []step
}

func (b *block) minSize() int  { return b.size }
func (*optional) minSize() int { return 0 }
func (c *content) minSize() int {
	n := typeMin(c.field.Type)
	if e := extentOf(c.field.Type); e != nil && e.Kind == spec.ExtentPrefixed {
		n -= e.Prefix.Bytes()
	}
	return n
}

func minOf(steps []step) int {
	n := 0
	for _, s := range steps {
		n += s.minSize()
	}
	return n
}

// extentOf returns the extent of t, or nil.
func extentOf(t spec.Type) *spec.Extent {
	switch t := t.(type) {
	case *spec.BytesType:
		return t.Extent
	case *spec.ArrayType:
		return t.Extent
	case *spec.RegionType:
		return t.Extent
	}
	return nil
}

// typeMin is the least number of bytes that a present t takes.
func typeMin(t spec.Type) int {
	n := uint64(0)
	switch t := t.(type) {
	case *spec.ScalarType:
		return t.Bytes()
	case *spec.NamedType:
		if s := scalarOf(t); s != nil {
			return s.Bytes()
		}
		s, _ := structOf(t)
		n = s.Size.Min
	case *spec.BytesType:
		n = t.Extent.MinLen + prefixBytes(t.Extent)
	case *spec.RegionType:
		n = t.Extent.MinLen + prefixBytes(t.Extent)
	case *spec.ArrayType:
		n = t.Extent.MinLen
		if !t.Extent.InBytes {
			n *= uint64(typeMin(t.Elem))
		}
		n += prefixBytes(t.Extent)
	case *spec.MatchType:
		n = ^uint64(0)
		for _, a := range t.Arms {
			switch a.Kind {
			case spec.ArmNone:
				n = 0
			case spec.ArmType:
				n = min(n, a.Size.Min)
			}
		}
		if n == ^uint64(0) {
			n = 0
		}
	}
	return int(min(n, 1<<28))
}

func prefixBytes(e *spec.Extent) uint64 {
	if e.Kind == spec.ExtentPrefixed {
		return uint64(e.Prefix.Bytes())
	}
	return 0
}

// plan cuts the message into steps.
func (g *generator) plan(m *message) {
	m.steps = g.cut(m.s.Members)
}

func (g *generator) cut(members []spec.Member) []step {
	var steps []step
	var cur *block
	add := func(it item) {
		if cur == nil {
			cur = &block{}
			steps = append(steps, cur)
		}
		it.off = cur.size
		cur.size += it.size
		cur.items = append(cur.items, it)
	}
	for _, member := range members {
		switch f := member.(type) {
		case *spec.BitGroup:
			add(item{group: f, size: f.Word.Bytes()})
		case *spec.Field:
			if f.If != nil {
				cur = nil
				steps = append(steps, &optional{field: f, steps: g.cutField(f)})
				continue
			}
			for _, s := range g.cutField(f) {
				if b, ok := s.(*block); ok {
					add(b.items[0])
					continue
				}
				cur = nil
				steps = append(steps, s)
			}
		}
	}
	return steps
}

// cutField returns the steps of one field, as if it were always present.
func (g *generator) cutField(f *spec.Field) []step {
	one := func(it item) step { return &block{items: []item{it}, size: it.size} }
	if s := scalarOf(f.Type); s != nil {
		return []step{one(item{field: f, size: s.Bytes()})}
	}
	if n, ok := fixedArray(f.Type); ok {
		return []step{one(item{field: f, size: n})}
	}
	if f.Name == "_" {
		if n, ok := extentOf(f.Type).FixedLen(); ok && n <= 1<<16 {
			return []step{one(item{field: f, size: int(n)})}
		}
		g.refuse(f.Pos(), "a reserved field must have a fixed size of at most 64 KiB in the Go back end")
		return nil
	}
	g.supported(f)
	if e := extentOf(f.Type); e != nil && e.Kind == spec.ExtentPrefixed {
		return []step{one(item{field: f, prefix: true, size: e.Prefix.Bytes()}), &content{field: f}}
	}
	return []step{&content{field: f}}
}

// supported refuses the few types that have no Go form yet.
func (g *generator) supported(f *spec.Field) {
	switch t := f.Type.(type) {
	case *spec.RegionType:
		if s, _ := structOf(t.Of); s == nil {
			g.refuse(t.Pos(), "the Go back end needs a struct in a region: declare one for its content")
		}
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind != spec.ArmType {
				continue
			}
			inner := a.Type
			if r, ok := inner.(*spec.RegionType); ok {
				inner = r.Of
				if s, _ := structOf(inner); s == nil {
					g.refuse(a.Pos(), "the Go back end needs a struct in a region: declare one for its content")
				}
				continue
			}
			if _, ok := inner.(*spec.BytesType); ok {
				continue
			}
			if s, _ := structOf(inner); s == nil {
				g.refuse(a.Pos(), "the Go back end needs a struct, a region of one, bytes or text here: declare a struct with one field")
			}
		}
	}
}

// widest bounds e by the widths of what it reads alone, so that the bound holds
// whatever the run-time limits are. nil means no bound below 2^64.
func widest(e spec.Expr) *big.Int {
	if c := e.Info().Const; c != nil {
		return c
	}
	switch e := e.(type) {
	case *spec.Paren:
		return widest(e.X)
	case *spec.Ident:
		var t spec.Type
		switch ref := e.Ref.(type) {
		case *spec.Field:
			t = ref.Type
		case *spec.Param:
			t = ref.Type
		}
		if s := scalarOf(t); s != nil && s.Kind == spec.ScalarUint {
			return new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(s.Bits)), big.NewInt(1))
		}
	case *spec.Binary:
		x, y := widest(e.X), widest(e.Y)
		if x == nil || y == nil {
			return nil
		}
		switch e.Op {
		case "+":
			return new(big.Int).Add(x, y)
		case "*":
			return new(big.Int).Mul(x, y)
		case "-", "/", ">>":
			return x
		}
	}
	return nil
}

// narrow reports whether a size given by e always fits an int of 32 bits with
// room for the sums that generated code makes.
func narrow(e spec.Expr) bool {
	w := widest(e)
	return w != nil && w.Cmp(big.NewInt(1<<26)) <= 0
}

func narrowPrefix(e *spec.Extent) bool { return e.Prefix.Bits <= 24 }

// windowExpr returns the expression that gives the size of f's content before
// the content is looked at, or nil: a sized extent, or a match whose arms with
// bytes all have the same one.
func windowExpr(f *spec.Field) spec.Expr {
	sized := func(t spec.Type) spec.Expr {
		switch t.(type) {
		case *spec.BytesType, *spec.RegionType:
			if e := extentOf(t); e.Kind == spec.ExtentSized {
				return e.Size
			}
		}
		return nil
	}
	m, ok := f.Type.(*spec.MatchType)
	if !ok {
		return sized(f.Type)
	}
	var same *spec.Ident
	for _, a := range m.Arms {
		if a.Kind != spec.ArmType {
			continue
		}
		id, ok := unparen(sized(a.Type)).(*spec.Ident)
		if !ok || same != nil && same.Ref != id.Ref {
			return nil
		}
		if _, isField := id.Ref.(*spec.Field); !isField {
			return nil
		}
		same = id
	}
	if same == nil {
		return nil
	}
	return same
}

func unparen(e spec.Expr) spec.Expr {
	for {
		p, ok := e.(*spec.Paren)
		if !ok {
			return e
		}
		e = p.X
	}
}

// walkExpr calls visit for e and everything below it.
func walkExpr(e spec.Expr, visit func(spec.Expr)) {
	if e == nil {
		return
	}
	visit(e)
	switch e := e.(type) {
	case *spec.Paren:
		walkExpr(e.X, visit)
	case *spec.Unary:
		walkExpr(e.X, visit)
	case *spec.Binary:
		walkExpr(e.X, visit)
		walkExpr(e.Y, visit)
	case *spec.Cond:
		walkExpr(e.If, visit)
		walkExpr(e.Then, visit)
		walkExpr(e.Else, visit)
	case *spec.Call:
		for _, a := range e.Args {
			walkExpr(a, visit)
		}
	case *spec.Selector:
		walkExpr(e.X, visit)
	case *spec.InExpr:
		walkExpr(e.X, visit)
		for _, s := range e.Set {
			walkExpr(s.Lo, visit)
			if s.Hi != nil {
				walkExpr(s.Hi, visit)
			}
		}
	}
}

// usesLimit reports whether e names a run-time limit.
func usesLimit(e spec.Expr) bool {
	found := false
	walkExpr(e, func(x spec.Expr) {
		if id, ok := x.(*spec.Ident); ok {
			if _, ok := id.Ref.(*spec.Limit); ok {
				found = true
			}
		}
	})
	return found
}

// pos is a place in the input or output: a local variable plus a constant.
type pos struct {
	base string // "" is the front
	off  int
}

func (p pos) String() string {
	switch {
	case p.base == "":
		return fmt.Sprint(p.off)
	case p.off == 0:
		return p.base
	}
	return fmt.Sprintf("%s+%d", p.base, p.off)
}

func (p pos) add(n int) pos { return pos{p.base, p.off + n} }

func (p pos) static() bool { return p.base == "" }
