package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"
)

// Add returns a+b, or the largest uint64 when the sum is larger: sums in a
// constraint never wrap.
func Add(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	return s | -carry
}

// Sub returns a-b, or 0 when b is larger.
func Sub(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// Mul returns a*b, or the largest uint64 when the product is larger.
func Mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// Div returns a/b, or the largest uint64 when b is 0.
func Div(a, b uint64) uint64 {
	if b == 0 {
		return math.MaxUint64
	}
	return a / b
}

// Mod returns a%b, or a when b is 0.
func Mod(a, b uint64) uint64 {
	if b == 0 {
		return a
	}
	return a % b
}

// Clamp returns n as an int from 1 up to the largest int, for use in a [Need].
func Clamp(n uint64) int {
	return int(min(max(n, 1), math.MaxInt))
}

// Missing returns how many bytes lie between have and total, at least 1.
func Missing(total uint64, have int) int {
	return Clamp(Sub(total, uint64(have)))
}

var errTooLong = &Error{Kind: KindLimit, Type: "frame", Field: "size"}

// Whole returns the results of a length function for a frame of total bytes.
func Whole(total uint64) (n, need int, err error) {
	if total > math.MaxInt {
		return 0, 0, errTooLong
	}
	return int(total), 0, nil
}

// Bit returns 1 for true and 0 for false.
func Bit(b bool) byte {
	var v byte
	if b {
		v = 1
	}
	return v
}

// Zero reports whether all of b is zero.
func Zero(b []byte) bool {
	var all byte
	for _, c := range b {
		all |= c
	}
	return all == 0
}

// Differs reports whether the bytes of b from at on, as far as there are any,
// differ from those of want.
func Differs(b []byte, at int, want string) bool {
	if at >= len(b) {
		return false
	}
	b = b[at:]
	n := min(len(b), len(want))
	return string(b[:n]) != want[:n]
}

// Extend returns s with length n. It keeps the elements that s has room for, so
// that slices inside them are reused, and allocates at most once.
func Extend[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	longer := make([]T, n) // and no more: append would round up beyond the printed bound
	copy(longer, s[:cap(s)])
	return longer
}

// Copy returns a copy of b; nil stays nil.
func Copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// PutBig stores the low bytes of v in b, most significant first.
func PutBig(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
}

// PutLittle stores the low bytes of v in b, least significant first.
func PutLittle(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v)
		v >>= 8
	}
}

const highBits = 0x8080808080808080

// ValidText reports whether b is UTF-8. Most text on a wire is short and ASCII,
// which it decides in a word or two where utf8.Valid costs a call and a loop.
func ValidText(b []byte) bool {
	n := len(b)
	if n < 8 {
		for _, c := range b {
			if c >= utf8.RuneSelf {
				return utf8.Valid(b)
			}
		}
		return true
	}
	acc := binary.LittleEndian.Uint64(b[n-8:])
	for i := 0; i+8 < n; i += 8 {
		acc |= binary.LittleEndian.Uint64(b[i:])
	}
	return acc&highBits == 0 || utf8.Valid(b)
}
