package gen

import "github.com/wireplane/wireplane/spec"

// borrows reports whether a decoded s has slices that alias the input.
func borrows(s *spec.Struct) bool {
	for _, f := range s.Fields {
		if typeBorrows(f.Type, f.Own) {
			return true
		}
	}
	return false
}

func typeBorrows(t spec.Type, own spec.Ownership) bool {
	switch t := t.(type) {
	case *spec.BytesType:
		_, fixed := fixedArray(t)
		return !fixed && own != spec.OwnCopy
	case *spec.NamedType:
		s, _ := structOf(t)
		return s != nil && borrows(s)
	case *spec.ArrayType:
		return typeBorrows(t.Elem, own)
	case *spec.RegionType:
		return typeBorrows(t.Of, own)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind == spec.ArmType && typeBorrows(a.Type, own) {
				return true
			}
		}
	}
	return false
}
