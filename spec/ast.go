package spec

// ByteOrder is the order of the bytes of a number.
type ByteOrder uint8

// The byte orders.
const (
	BigEndian ByteOrder = iota
	LittleEndian
)

// String returns "big" or "little".
func (o ByteOrder) String() string {
	if o == LittleEndian {
		return "little"
	}
	return "big"
}

// Size is the range of sizes, in bytes, that something has on the wire.
type Size struct {
	Min, Max uint64
}

// Fixed reports whether the size is always the same.
func (s Size) Fixed() bool { return s.Min == s.Max }

// File is one parsed .wire file.
type File struct {
	Name     string // as given to Parse; used in diagnostics
	Source   []byte // borrowed from the caller of Parse
	Doc      string // the comment above `protocol`, without the slashes
	Protocol string // name after `protocol`
	NameSpan Span   // where that name stands
	Version  Expr   // after `version`, nil if not given; set by Check: a constant
	Order    ByteOrder

	// The declarations by kind, each in the order of the text. Decls holds all
	// of them in the order of the text.
	Decls   []Decl
	Limits  []*Limit
	Consts  []*Const
	Enums   []*Enum
	Flags   []*Flags
	Structs []*Struct // frames and structs
	Streams []*Stream
	Vectors []*Vector

	scope    map[string]Decl // set by Check
	checked  bool
	broken   error     // what Parse returned
	mistakes ErrorList // of form, which do not keep Check from going on
}

// Decl is a declaration at the top level of a file: *Limit, *Const, *Enum,
// *Flags, *Struct, *Stream or *Vector.
type Decl interface {
	Pos() Span
	// DeclName is the declared name, or the type's name for a vector.
	DeclName() string
	declNode()
}

// Limit is `limit name = expr`: a bound with a default that the user of the
// generated code can lower or raise at run time.
type Limit struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	Expr     Expr
	Value    uint64 // set by Check: the default
}

// Const is `const name = expr`.
type Const struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	Expr     Expr // set by Check: Expr.Info().Const is the value

	state uint8
}

// Enum is a named set of numbers.
type Enum struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	Open     bool // an unknown value is kept, not refused
	Type     *ScalarType
	Members  []*EnumMember
}

// EnumMember is one name of an enum: a single number, or a range Lo..Hi of them.
type EnumMember struct {
	Span
	Name     string
	NameSpan Span
	Doc      string // comment above it, or else behind it
	LoExpr   Expr
	HiExpr   Expr // nil for a single number
	Lo, Hi   uint64
	Enum     *Enum // the owner; set by Parse
}

// RestPolicy says what becomes of the undeclared bits of a flags type.
type RestPolicy uint8

// The policies for undeclared bits.
const (
	RestError  RestPolicy = iota // a set bit is refused (Reserved); the default
	RestIgnore                   // read as 0, written as 0
	RestKeep                     // kept in the value
)

// Flags is a named set of bits in one unsigned word.
type Flags struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	Type     *ScalarType
	Bits     []*FlagBit
	Rest     RestPolicy
	Mask     uint64 // set by Check: all declared bits
}

// FlagBit is one named bit; Bit counts from the least significant, 0.
type FlagBit struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	BitExpr  Expr
	Bit      int
	Flags    *Flags // the owner; set by Parse
}

// Param is one context parameter of a struct or frame: something that the bytes
// do not say.
type Param struct {
	Span
	Name     string
	NameSpan Span
	Type     Type // a scalar, or a NamedType of an enum or flags
	Default  Expr // nil if none; set by Check: a constant
}

// Struct is a struct or a frame. A frame finds its own end.
type Struct struct {
	Span
	Frame    bool
	Name     string
	NameSpan Span
	Doc      string
	Params   []*Param
	Attrs    []*Attr
	Members  []Member // in wire order: *Field, *BitGroup, *Assert

	// Set by Check.

	// Fields are all fields in wire order, those inside bit groups included,
	// reserved ones too.
	Fields []*Field
	// Checksums are the checksum fields in an order in which they can be
	// computed: one that another covers comes first.
	Checksums []*Field
	// Size is the size of the message with the default limits.
	Size Size
	// Prefix (frames only) is how many bytes must be there before the length of
	// the frame is known and its early checksums can be verified.
	Prefix Size
	// Alloc is the most memory, in bytes, that decoding one message into a zero
	// struct may ask for, with the default limits: the backing arrays of
	// repetitions, and the copies of `copy` fields. 0 for most messages.
	Alloc uint64
	// Depth is how deeply messages nest below this one; 0 when it holds none.
	Depth int
}

// Stream names the phases of one direction of a connection.
type Stream struct {
	Span
	Name     string
	NameSpan Span
	Doc      string
	Phases   []*Phase
}

// Phase is one element of a stream: a frame, once, `*` any number of times or
// `?` at most once.
type Phase struct {
	Span
	Type   *NamedType
	Repeat byte // 0, '*' or '?'
}

// DeclName returns the name of the limit.
func (d *Limit) DeclName() string { return d.Name }

// DeclName returns the name of the constant.
func (d *Const) DeclName() string { return d.Name }

// DeclName returns the name of the enum.
func (d *Enum) DeclName() string { return d.Name }

// DeclName returns the name of the flags type.
func (d *Flags) DeclName() string { return d.Name }

// DeclName returns the name of the struct or frame.
func (d *Struct) DeclName() string { return d.Name }

// DeclName returns the name of the stream.
func (d *Stream) DeclName() string { return d.Name }

// DeclName returns the name of the type that the vector is a value of.
func (d *Vector) DeclName() string { return d.TypeName }

func (*Limit) declNode()  {}
func (*Const) declNode()  {}
func (*Enum) declNode()   {}
func (*Flags) declNode()  {}
func (*Struct) declNode() {}
func (*Stream) declNode() {}
func (*Vector) declNode() {}
