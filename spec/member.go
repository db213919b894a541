package spec

// Member is one line of a struct: *Field, *BitGroup or *Assert.
type Member interface {
	Pos() Span
	memberNode()
}

// Role says where the value of a field comes from.
type Role uint8

// The roles of a field.
const (
	RoleData     Role = iota // the user's: a field of the Go struct
	RoleReserved             // `_`: zero on the wire, not in the Go struct
	RoleConst                // `= constant`
	RoleLength               // derived from sizes and counts of other fields
	RoleChecksum             // derived; the expression calls a checksum function
	RoleDerived              // derived from other fields and parameters otherwise
)

// Presence says when a field is on the wire.
type Presence uint8

// The kinds of presence.
const (
	// PresentAlways: the field has no `if`.
	PresentAlways Presence = iota
	// PresentFlag: `if f.BIT` where f is an earlier flags field of the same
	// struct and no other field tests BIT. The Go struct has HasX, and the bit
	// is derived from it.
	PresentFlag
	// PresentExpr: any other condition, over parameters and earlier fields. The
	// condition decides; the Go struct has no HasX.
	PresentExpr
)

// Ownership says whether a decoded bytes or text field aliases the input.
type Ownership uint8

// The ownerships.
const (
	OwnDefault Ownership = iota // borrowed, unless the generator is told to copy everything
	OwnBorrow                   // `borrow`: aliases the input
	OwnCopy                     // `copy`
)

// Field is `name: type clauses`.
type Field struct {
	Span
	Name     string // "_" for a reserved field
	NameSpan Span
	Doc      string // comment above it, or else behind it
	Type     Type
	Derived  Expr      // `= expr`, nil if none
	Absent   Expr      // `or expr`: the value that stands for "not computed"; nil if none
	If       Expr      // nil if none
	Where    []Expr    // conditions that must hold; `this` is the field
	In       []*InExpr // `in` clauses, each with This as its X
	Default  Expr      // value that Decode stores when an optional field is absent; nil if none
	Own      Ownership
	Ignore   bool // reserved field: any value is accepted, zero is written
	Keep     bool // parsed, refused by Check in this version
	Attrs    []*Attr

	// Set by Check.

	Parent   *Struct
	Index    int       // position in Parent.Fields
	Group    *BitGroup // the bit group that it stands in, or nil
	Shift    int       // in a group: position of its lowest bit in the word
	Width    int       // in a group: bits
	Role     Role
	Presence Presence
	FlagIn   *Field   // PresentFlag: the flags field
	Flag     *FlagBit // PresentFlag: the bit
	// Offset is the distance in bytes from the start of the struct, or -1 when
	// it depends on what is read. For a field in a bit group it is the word's.
	Offset int
	// Size is the size on the wire, Min 0 when the field may be absent. Fields
	// in a bit group have size 0: the group has the bytes.
	Size Size
	// Vanishes: the field is not in the Go struct, because it is derived or
	// reserved, or because it is a flags field with nothing left but derived
	// bits. A field with Absent vanishes too, but leaves a bool NoX behind.
	Vanishes bool
	// DerivedBits (flags fields) are the bits that optional fields derive. They
	// are not the user's to set.
	DerivedBits uint64
	// Implied (RoleLength): the layout alone makes the value right on decode,
	// because the extent that it measures is read with it. When it is not
	// implied, Decode must compare (kind Length).
	Implied bool
	// Early (RoleChecksum in a frame): all it covers lies in the fixed head, so
	// that FrameLen verifies it before it believes a length.
	Early bool
	// LengthOf (extents): the length fields and parameters that the extent of
	// this field is computed from.
	LengthOf []*Field
}

// BitGroup is `bits word { … }`. The first member takes the most significant
// bits, or the least significant ones with `lsb`.
type BitGroup struct {
	Span
	Word   *ScalarType
	LSB    bool
	Fields []*Field

	// Set by Check.

	Offset int // as Field.Offset
	Size   Size
}

// Assert is `assert expr`. Decode checks it as soon as every field it names has
// been read, and before any extent that is computed from one of them is
// believed; Append checks it too.
type Assert struct {
	Span
	Expr Expr

	// Set by Check.

	Fields []*Field // the fields that it names, in wire order, each once
	Limit  bool     // it names a limit: the error kind is Limit, else Assert
	// Early (frames): it names only fields of the fixed head and is therefore
	// checked by FrameLen.
	Early bool
}

// Attr is `@name(args)`. Attributes are kept for documentation and printers;
// they never change the layout.
type Attr struct {
	Span
	Name string
	Args []Expr
}

func (*Field) memberNode()    {}
func (*BitGroup) memberNode() {}
func (*Assert) memberNode()   {}

// Optional reports whether the field may be absent from the wire.
func (f *Field) Optional() bool { return f.If != nil }

// HasAbsent reports whether the field has an `or` value; the Go struct then has
// a bool NoX in its place.
func (f *Field) HasAbsent() bool { return f.Absent != nil }
