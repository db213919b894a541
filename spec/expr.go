package spec

import "math/big"

// Expr is an expression: *Ident, *This, *Number, *StringLit, *BoolLit, *Unary,
// *Binary, *Cond, *Call, *Selector, *FieldRange, *InExpr or *Paren.
//
// Arithmetic is over the integers: it never wraps. Info().Min and Max say how
// wide a back end has to compute.
type Expr interface {
	Pos() Span
	// Info is what Check found out; its Kind is ValueInvalid before Check.
	Info() *Info
	exprNode()
}

// ValueKind is the kind of value that an expression has.
type ValueKind uint8

// The kinds of value.
const (
	ValueInvalid ValueKind = iota
	ValueInt
	ValueBool
	ValueFloat
	ValueEnum  // Info.Named is the *Enum
	ValueFlags // Info.Named is the *Flags
	ValueData  // bytes, text, repetition, struct or match: only for size, count and checksums
)

// Info is what Check knows of an expression.
type Info struct {
	Kind  ValueKind
	Named Decl     // ValueEnum, ValueFlags
	Const *big.Int // the value when constant (bool: 0 or 1), else nil
	// Min and Max bound an integer, enum or flags value, given the conditions
	// checked before it. They are nil for other kinds.
	Min, Max *big.Int
	// Limit says that the expression contains a run-time limit: then Min and
	// Max hold for its default only.
	Limit bool
}

// Ref is what a name stands for: *Field, *Param, *Const, *Limit or *EnumMember.
type Ref interface{ refNode() }

// node is the part that all expressions share.
type node struct {
	Span
	info Info
}

// Info returns what Check found out about the expression.
func (n *node) Info() *Info { return &n.info }

func (n *node) exprNode() {}

// Ident is a name.
type Ident struct {
	node
	Name string
	Ref  Ref // set by Check
}

// This is the value of the field whose clause it stands in.
type This struct {
	node
	Field *Field // set by Check
}

// Number is an integer or a float; a unit (KiB, MiB, GiB) is already applied.
type Number struct {
	node
	Text    string   // as written, unit included
	Value   *big.Int // nil for a float
	Float   float64
	IsFloat bool
}

// StringLit is a string; Value has the escapes resolved.
type StringLit struct {
	node
	Value string
}

// BoolLit is true or false.
type BoolLit struct {
	node
	Value bool
}

// Unary is Op X with Op one of - ! ~.
type Unary struct {
	node
	Op string
	X  Expr
}

// Binary is X Op Y with Op one of || && == != < <= > >= | ^ & << >> + - * / %.
type Binary struct {
	node
	Op   string
	X, Y Expr
}

// Cond is If ? Then : Else.
type Cond struct {
	node
	If, Then, Else Expr
}

// Func is a built-in function.
type Func uint8

// The functions.
const (
	FuncInvalid Func = iota
	FuncSize         // size(x): bytes on the wire, a length prefix included; x is this, a field, or a..b
	FuncCount        // count(x): elements of a repetition
	FuncCRC32C       // CRC-32, Castagnoli
	FuncCRC32        // CRC-32, IEEE
	FuncXXH3         // XXH3-64, seed 0
)

// IsChecksum reports whether f hashes bytes.
func (f Func) IsChecksum() bool { return f >= FuncCRC32C }

// Call is Name(Args).
type Call struct {
	node
	Name     string
	NameSpan Span
	Args     []Expr
	Func     Func // set by Check
}

// Selector is X.Name: a bit of a flags value (true or false), or Enum.MEMBER.
type Selector struct {
	node
	X        Expr
	Name     string
	NameSpan Span

	// Set by Check: one of the two.
	Flag   *FlagBit
	Member *EnumMember
}

// FieldRange is From..To inside size or a checksum: all bytes from the first
// byte of From to the last byte of To.
type FieldRange struct {
	node
	From, To *Ident // set by Check: both resolve to a *Field, From not after To
}

// InExpr is X in Set. A range `a..b` is a set of one item.
type InExpr struct {
	node
	X   Expr
	Set []*SetItem
}

// Paren is (X).
type Paren struct {
	node
	X Expr
}

func (*Field) refNode()      {}
func (*Param) refNode()      {}
func (*Const) refNode()      {}
func (*Limit) refNode()      {}
func (*EnumMember) refNode() {}
