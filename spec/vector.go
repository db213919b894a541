package spec

import "math/big"

// Vector is an accept or reject example: a test of every back end.
type Vector struct {
	Span
	Accept   bool
	TypeName string
	TypeSpan Span
	Args     []Expr // parameters; set by Check: constants
	Bytes    []byte // the concatenated hex
	HexSpan  Span
	Doc      string

	Value *Value // accept; nil if not given

	Kind     string // reject: one of Kinds
	KindSpan Span
	At       Expr // reject: nil if not given
	Offset   int  // reject: set by Check; -1 if not given

	Type     *Struct    // set by Check
	ArgConst []*big.Int // set by Check: one for each parameter of Type, defaults filled in
}

// ValueForm is the form of a vector's value, after Check.
type ValueForm uint8

// The forms of a value.
const (
	FormInvalid ValueForm = iota
	FormInt               // Int
	FormBool              // Int is 0 or 1
	FormFloat             // Float
	FormBytes             // Str: bytes and text
	FormEnum              // Int; Member if it was named
	FormFlags             // Int is the word
	FormStruct            // Struct, Fields
	FormList              // Elems
)

// Value is a value in a vector. As written it is a number, a string, a bool, a
// name, names joined by |, a struct or a list; Check sets Form and the parts
// that belong to it.
type Value struct {
	Span
	Form ValueForm

	Int    *big.Int
	Float  float64
	Str    []byte
	Member *EnumMember
	Struct *Struct
	Fields []*FieldValue
	Elems  []*Value

	lit      Expr // number, string, bool, possibly negated
	names    []*Ident
	typeName string
	typeSpan Span
	list     bool
	braces   bool
}

// FieldValue is `name: value` in a struct value. A field with an `or` value may
// be given that value, which means "absent". An optional field is present when
// it is named.
type FieldValue struct {
	Span
	Name     string
	NameSpan Span
	Value    *Value
	Field    *Field // set by Check
}

// Kinds are the names of the error kinds that a reject vector may expect, in
// the order of LANGUAGE.md. "Need" means that the bytes are not complete.
var Kinds = []string{
	"Constant", "Range", "Limit", "Checksum", "Reserved", "Enum", "UTF8",
	"Region", "Length", "Assert", "Match", "Minimal", "Need",
}
