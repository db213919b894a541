package codec

import (
	"strconv"
)

// Kind says why bytes were refused, or why a value cannot be encoded. Its String
// is the word that a reject vector of a .wire file uses.
type Kind uint8

// The kinds of refusal. Values are stable.
const (
	// KindConstant is a field that must have one value and has another.
	KindConstant Kind = iota + 1
	// KindRange is a number outside its "in" or "where", a length outside the
	// minimum and maximum that the spec gives, or a bool that is neither 0 nor 1.
	KindRange
	// KindLimit is a length or sum above a limit that can be changed at run time.
	KindLimit
	// KindChecksum is a checksum that does not match the bytes it covers.
	KindChecksum
	// KindReserved is a reserved field that is not zero, or a flag that the spec
	// does not list.
	KindReserved
	// KindEnum is a value that a closed enum does not list.
	KindEnum
	// KindUTF8 is a text that is not UTF-8.
	KindUTF8
	// KindRegion is a region that ends before its content, or after it.
	KindRegion
	// KindLength is a length that contradicts what it measures. From an encoder:
	// a value too long for the field that carries its size.
	KindLength
	// KindAssert is an assert that does not hold.
	KindAssert
	// KindMatch is a value for which a match has no arm.
	KindMatch
	// KindMinimal is a number that is not in its shortest form.
	KindMinimal
)

var kindNames = [...]string{
	KindConstant: "Constant", KindRange: "Range", KindLimit: "Limit", KindChecksum: "Checksum",
	KindReserved: "Reserved", KindEnum: "Enum", KindUTF8: "UTF8", KindRegion: "Region",
	KindLength: "Length", KindAssert: "Assert", KindMatch: "Match", KindMinimal: "Minimal",
}

// String returns the word of the spec language for k.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Error is a refusal: of bytes by a decoder, or of a value by an encoder.
//
// Errors at an offset that the spec fixes come from a table of the generated
// package and cost no allocation; they are shared, so an Error must not be
// changed. Others, behind a field of variable size or inside a region, cost one
// allocation of this struct.
type Error struct {
	Kind   Kind
	Offset int    // first byte of the field in the input of Decode; -1 from an encoder
	Type   string // name of the frame or struct in the spec
	Field  string // name of the field in it; empty for an assert

	fresh bool // made for one refusal, not yet seen by the caller: may be moved
}

// Error returns a one-line message with everything the Error says.
func (e *Error) Error() string {
	s := "codec: " + e.Type
	if e.Field != "" {
		s += "." + e.Field
	}
	if e.Offset >= 0 {
		s += " at byte " + strconv.Itoa(e.Offset)
	}
	return s + ": " + e.Kind.text()
}

func (k Kind) text() string {
	switch k {
	case KindConstant:
		return "not the constant that the spec gives (Constant)"
	case KindRange:
		return "out of range (Range)"
	case KindLimit:
		return "above the limit (Limit)"
	case KindChecksum:
		return "checksum does not match (Checksum)"
	case KindReserved:
		return "reserved bits are set (Reserved)"
	case KindEnum:
		return "value is not in the enum (Enum)"
	case KindUTF8:
		return "text is not UTF-8 (UTF8)"
	case KindRegion:
		return "content does not fill its region exactly (Region)"
	case KindLength:
		return "length contradicts the content (Length)"
	case KindAssert:
		return "assertion does not hold (Assert)"
	case KindMatch:
		return "no case for this value (Match)"
	case KindMinimal:
		return "number is not in its shortest form (Minimal)"
	}
	return k.String()
}

// Is reports whether target is an *Error of the same kind that leaves the other
// fields zero, so that errors.Is(err, &codec.Error{Kind: codec.KindLimit}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Offset == 0 && t.Type == "" && t.Field == ""
}

// Fail returns a new Error. Generated code calls it where the offset is known
// only at run time; it is kept out of line so that the caller's hot path stays small.
//
//go:noinline
func Fail(k Kind, offset int, typ, field string) error {
	return &Error{Kind: k, Offset: offset, Type: typ, Field: field, fresh: true}
}

// Moved returns err with its offset raised by the given number of bytes: a decoder
// of a part counts from the first byte of the part, its caller from the first
// byte of the whole. [Need] passes through unchanged.
//
//go:noinline
func Moved(err error, by int) error {
	e, ok := err.(*Error) //nolint:errorlint // generated code returns the bare type
	if !ok {
		return err
	}
	if !e.fresh {
		c := *e
		c.fresh = true
		e = &c
	}
	if e.Offset >= 0 {
		e.Offset += by
	}
	return e
}

// Inside returns the error for a part that has a region of size bytes to itself:
// as [Moved] does for an Error, while wanting more bytes than the region has is a
// refusal (KindRegion) at the region's end.
//
//go:noinline
func Inside(err error, at, size int, typ, field string) error {
	if _, short := err.(Need); short { //nolint:errorlint // generated code returns the bare type
		return Fail(KindRegion, at+size, typ, field)
	}
	return Moved(err, at)
}

// Need is the answer of a decoder to an input that is correct as far as it goes:
// at least that many bytes more are wanted (always > 0), after which decoding
// starts again from the first byte. Values up to 255 cost no allocation as an
// error; the FrameLen functions give the same number as a plain int.
type Need int

// Error says how many bytes are missing.
func (n Need) Error() string {
	return "codec: " + strconv.Itoa(int(n)) + " more bytes needed"
}
