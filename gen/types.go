package gen

import (
	"fmt"

	"github.com/wireplane/wireplane/spec"
)

// goBits is the width of the smallest Go integer that holds the given bits.
func goBits(bits int) int {
	switch {
	case bits <= 8:
		return 8
	case bits <= 16:
		return 16
	case bits <= 32:
		return 32
	}
	return 64
}

// scalarOf returns the scalar behind a scalar, enum or flags type, or nil.
func scalarOf(t spec.Type) *spec.ScalarType {
	switch t := t.(type) {
	case *spec.ScalarType:
		return t
	case *spec.NamedType:
		switch d := t.Ref.(type) {
		case *spec.Enum:
			return d.Type
		case *spec.Flags:
			return d.Type
		}
	}
	return nil
}

func structOf(t spec.Type) (*spec.Struct, *spec.NamedType) {
	if n, ok := t.(*spec.NamedType); ok {
		if s, ok := n.Ref.(*spec.Struct); ok {
			return s, n
		}
	}
	return nil, nil
}

func typeBits(t spec.Type) int {
	if s := scalarOf(t); s != nil {
		return s.Bits
	}
	return 0
}

// scalarGo is the Go type of a bare scalar.
func scalarGo(t *spec.ScalarType) string {
	switch t.Kind {
	case spec.ScalarBool:
		return "bool"
	case spec.ScalarFloat:
		return fmt.Sprintf("float%d", t.Bits)
	case spec.ScalarInt:
		return fmt.Sprintf("int%d", goBits(t.Bits))
	}
	return fmt.Sprintf("uint%d", goBits(t.Bits))
}

// maxArray is the longest bytes[N] that becomes an array by value.
const maxArray = 256

// fixedArray reports whether t becomes [N]byte.
func fixedArray(t spec.Type) (int, bool) {
	b, ok := t.(*spec.BytesType)
	if !ok || b.Text {
		return 0, false
	}
	n, ok := b.Extent.FixedLen()
	return int(min(n, maxArray)), ok && n > 0 && n <= maxArray
}

// goType returns the Go type for t; field names the match type.
func (g *generator) goType(t spec.Type, owner *message, f *spec.Field) string {
	switch t := t.(type) {
	case *spec.ScalarType:
		return scalarGo(t)
	case *spec.NamedType:
		return g.declGo[t.Ref]
	case *spec.BytesType:
		if n, ok := fixedArray(t); ok {
			return fmt.Sprintf("[%d]byte", n)
		}
		return "[]byte"
	case *spec.ArrayType:
		return "[]" + g.goType(t.Elem, owner, f)
	case *spec.RegionType:
		return g.goType(t.Of, owner, f)
	case *spec.MatchType:
		return owner.goName + camel(f.Name)
	}
	return "struct{}"
}

// fieldGoType is the Go type of the value of a scalar field.
func fieldGoType(g *generator, f *spec.Field) string { return g.goType(f.Type, nil, f) }

func paramGoType(g *generator, p *spec.Param) string { return g.goType(p.Type, nil, nil) }

// kindName is how the spec would write the type, for comments.
func kindName(t spec.Type) string {
	switch t := t.(type) {
	case *spec.ScalarType:
		s := map[spec.ScalarKind]string{spec.ScalarUint: "u", spec.ScalarInt: "i", spec.ScalarFloat: "f"}[t.Kind]
		if t.Kind == spec.ScalarBool {
			return "bool"
		}
		s += fmt.Sprint(t.Bits)
		if t.Order == spec.LittleEndian && t.Bits > 8 {
			s += "le"
		}
		return s
	case *spec.NamedType:
		return t.Name
	case *spec.BytesType:
		s := "bytes"
		if t.Text {
			s = "text"
		}
		return s + extentName(t.Extent)
	case *spec.ArrayType:
		return kindName(t.Elem) + extentName(t.Extent)
	case *spec.RegionType:
		return "region of " + kindName(t.Of)
	case *spec.MatchType:
		return "by case"
	}
	return "?"
}

func extentName(e *spec.Extent) string {
	switch e.Kind {
	case spec.ExtentPrefixed:
		unit := ""
		if e.InBytes {
			unit = " bytes"
		}
		return fmt.Sprintf("<%s%s>", kindName(e.Prefix), unit)
	case spec.ExtentRest:
		return "[..]"
	}
	if n, ok := e.FixedLen(); ok {
		return fmt.Sprintf("[%d]", n)
	}
	return "[n]"
}
