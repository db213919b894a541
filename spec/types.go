package spec

import "math/big"

// Type is the type of a field: *ScalarType, *NamedType, *BytesType, *ArrayType,
// *MatchType or *RegionType.
type Type interface {
	Pos() Span
	typeNode()
}

// ScalarKind tells numbers apart.
type ScalarKind uint8

// The scalar kinds.
const (
	ScalarUint  ScalarKind = iota
	ScalarInt              // two's complement
	ScalarFloat            // IEEE 754, 32 or 64 bits
	ScalarBool             // one byte, 0 or 1 and nothing else; one bit in a group
)

// ScalarType is a number of a fixed width.
type ScalarType struct {
	Span
	Kind  ScalarKind
	Bits  int       // 1..64; outside bit groups a multiple of 8
	Order ByteOrder // from the suffix, else from the file's `order`; set by Parse
}

// Bytes returns the size in bytes; 0 for a width that is not whole bytes.
func (t *ScalarType) Bytes() int {
	if t.Bits%8 != 0 {
		if t.Kind == ScalarBool {
			return 1
		}
		return 0
	}
	return t.Bits / 8
}

// NamedType is a reference to an enum, a flags type or a struct.
type NamedType struct {
	Span
	Name     string
	NameSpan Span
	Args     []Expr // one for each parameter of a struct; missing ones take their defaults

	Ref Decl // set by Check: *Enum, *Flags or *Struct
}

// BytesType is `bytes` or `text` (UTF-8) of some extent.
type BytesType struct {
	Span
	Text   bool
	Extent *Extent
}

// ArrayType is a repetition of Elem. An extent counts elements, except that
// `<uN bytes>` counts bytes.
type ArrayType struct {
	Span
	Elem   Type // *ScalarType or *NamedType
	Extent *Extent
}

// RegionType is `region[extent] of type`: the type must fill the extent exactly.
type RegionType struct {
	Span
	Extent *Extent
	Of     Type
}

// MatchType chooses a type by the value of an earlier field or a parameter.
type MatchType struct {
	Span
	Subject Expr // set by Check: resolves to a *Field or *Param of integer or enum type
	Arms    []*Arm
	Else    *Arm // the `else` arm, also the last of Arms; nil if none
}

// ArmKind says what stands behind the arrow of an arm.
type ArmKind uint8

// The kinds of arm.
const (
	ArmType  ArmKind = iota
	ArmNone          // no bytes
	ArmError         // the value is refused (kind Match)
)

// Arm is one arm of a match.
type Arm struct {
	Span
	Values []*SetItem // empty for else
	Else   bool
	Kind   ArmKind
	Type   Type // ArmType
	Own    Ownership

	Size Size // set by Check
}

// SetItem is one value or a range in a match arm or an `in` set.
type SetItem struct {
	Span
	Lo, Hi Expr // Hi is nil for a single value

	// Set by Check when constant (always, in a match arm).
	LoVal, HiVal *big.Int
}

// ExtentKind tells how the length of something is known.
type ExtentKind uint8

// The extent kinds.
const (
	ExtentSized    ExtentKind = iota // [expr]
	ExtentRest                       // [..]: up to the end of the region
	ExtentPrefixed                   // <uN>: its own length stands in front
)

// Extent says how long bytes, text, a repetition or a region is.
type Extent struct {
	Span
	Kind    ExtentKind
	Size    Expr        // ExtentSized
	Prefix  *ScalarType // ExtentPrefixed; unsigned, whole bytes
	Min     Expr        // nil if not given
	Max     Expr        // nil if not given
	InBytes bool        // a prefixed repetition whose prefix counts bytes

	// Set by Check. In bytes for bytes, text and regions; in elements for a
	// repetition, unless InBytes.

	MinLen, MaxLen uint64 // bounds with the default limits
	// MaxLimit is the limit that Max names, or nil: then MaxLen is a constant.
	MaxLimit *Limit
	// CheckMax says that the length read can exceed what MaxLen allows, so that
	// Decode has to compare. (An u8 prefix with max 255 cannot.)
	CheckMax bool
}

// FixedLen reports whether the extent is a constant, and its length.
func (e *Extent) FixedLen() (uint64, bool) {
	if e.Kind != ExtentSized || e.Size.Info().Const == nil {
		return 0, false
	}
	return e.MaxLen, true
}

func (*ScalarType) typeNode() {}
func (*NamedType) typeNode()  {}
func (*BytesType) typeNode()  {}
func (*ArrayType) typeNode()  {}
func (*RegionType) typeNode() {}
func (*MatchType) typeNode()  {}
