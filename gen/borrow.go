package gen

import "github.com/wireplane/wireplane/spec"

// borrows reports whether a decoded s has slices that alias the input.
func borrows(s *spec.Struct) bool { return make(visited).borrows(s) }

// visited are the structs that a walk has met: what they hold has been looked at,
// or is being. Without it a chain of messages that each hold the one before twice
// would take a walk for each of the exponentially many ways down.
type visited map[*spec.Struct]bool

// first reports whether the walk meets s for the first time; s may be nil.
func (v visited) first(s *spec.Struct) bool {
	if s == nil || v[s] {
		return false
	}
	v[s] = true
	return true
}

func (v visited) borrows(s *spec.Struct) bool {
	for _, f := range s.Fields {
		if v.typeBorrows(f.Type, f.Own) {
			return true
		}
	}
	return false
}

func (v visited) typeBorrows(t spec.Type, own spec.Ownership) bool {
	switch t := t.(type) {
	case *spec.BytesType:
		_, fixed := fixedArray(t)
		return !fixed && own != spec.OwnCopy
	case *spec.NamedType:
		s, _ := structOf(t)
		return v.first(s) && v.borrows(s)
	case *spec.ArrayType:
		return v.typeBorrows(t.Elem, own)
	case *spec.RegionType:
		return v.typeBorrows(t.Of, own)
	case *spec.MatchType:
		for _, a := range t.Arms {
			if a.Kind == spec.ArmType && v.typeBorrows(a.Type, own) {
				return true
			}
		}
	}
	return false
}
