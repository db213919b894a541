package codec

import (
	"encoding/hex"
	"strconv"
)

// FlagsString returns the names of the bits set in v, joined by "|": names[i] is
// the name of bit i, or empty. Bits without a name are given as one hex number.
func FlagsString(v uint64, names []string) string {
	s := ""
	for i, name := range names {
		if name != "" && v&(1<<uint(i)) != 0 {
			s += "|" + name
			v &^= 1 << uint(i)
		}
	}
	if v != 0 {
		s += "|0x" + strconv.FormatUint(v, 16)
	}
	if s == "" {
		return "0"
	}
	return s[1:]
}

// maxShown is how many bytes of a bytes or text value a Printer shows.
const maxShown = 64

// Printer builds the text of a message for the String methods of generated
// types. The zero value is ready. It is for one goroutine.
type Printer struct {
	b     []byte
	fresh bool // nothing written yet in the open braces or brackets
}

// String returns what has been written.
func (p *Printer) String() string { return string(p.b) }

// Open begins a message.
func (p *Printer) Open(name string) {
	p.b = append(p.b, name...)
	p.b = append(p.b, " {"...)
	p.fresh = true
}

// Close ends a message.
func (p *Printer) Close() {
	if !p.fresh {
		p.b = append(p.b, ' ')
	}
	p.b = append(p.b, '}')
	p.fresh = false
}

// Name begins a field.
func (p *Printer) Name(name string) {
	if !p.fresh {
		p.b = append(p.b, ',')
	}
	p.fresh = false
	p.b = append(p.b, ' ')
	p.b = append(p.b, name...)
	p.b = append(p.b, ": "...)
}

// List begins a repetition.
func (p *Printer) List() {
	p.b = append(p.b, '[')
	p.fresh = true
}

// Item begins an element.
func (p *Printer) Item() {
	if !p.fresh {
		p.b = append(p.b, ", "...)
	}
	p.fresh = false
}

// EndList ends a repetition.
func (p *Printer) EndList() {
	p.b = append(p.b, ']')
	p.fresh = false
}

// Word writes a bare word.
func (p *Printer) Word(s string) { p.b = append(p.b, s...) }

// Uint writes a number.
func (p *Printer) Uint(v uint64) { p.b = strconv.AppendUint(p.b, v, 10) }

// Int writes a number.
func (p *Printer) Int(v int64) { p.b = strconv.AppendInt(p.b, v, 10) }

// Float writes a number.
func (p *Printer) Float(v float64) { p.b = strconv.AppendFloat(p.b, v, 'g', -1, 64) }

// Bool writes true or false.
func (p *Printer) Bool(v bool) { p.b = strconv.AppendBool(p.b, v) }

// Text writes a quoted text, shortened when it is long.
func (p *Printer) Text(v []byte) {
	p.b = strconv.AppendQuote(p.b, string(v[:min(len(v), maxShown)]))
	p.rest(len(v))
}

// Bytes writes bytes: quoted when they are printable ASCII, else as hex;
// shortened when there are many.
func (p *Printer) Bytes(v []byte) {
	head := v[:min(len(v), maxShown)]
	if printable(head) {
		p.b = strconv.AppendQuote(p.b, string(head))
	} else {
		p.b = append(p.b, "0x"...)
		p.b = hex.AppendEncode(p.b, head)
	}
	p.rest(len(v))
}

func (p *Printer) rest(n int) {
	if n > maxShown {
		p.b = append(p.b, " ... "...)
		p.b = strconv.AppendInt(p.b, int64(n), 10)
		p.b = append(p.b, " bytes"...)
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// TextOf returns the text of a scalar.
func TextOf[T bool | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64 | ~float32 | ~float64](v T) string {
	switch v := any(v).(type) {
	case bool:
		return strconv.FormatBool(v)
	case uint8:
		return strconv.FormatUint(uint64(v), 10)
	case uint16:
		return strconv.FormatUint(uint64(v), 10)
	case uint32:
		return strconv.FormatUint(uint64(v), 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case int8:
		return strconv.FormatInt(int64(v), 10)
	case int16:
		return strconv.FormatInt(int64(v), 10)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return "?"
}

// Index returns name[i], the path of an element.
func Index(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }
