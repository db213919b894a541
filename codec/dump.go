package codec

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Message describes one frame or struct of a generated package: what is needed to
// decode and to dump it without knowing its Go type.
type Message struct {
	Name   string // in the spec
	Frame  bool   // it finds its own end
	Params []Param
	// Decode decodes one message with the default limits and returns its text
	// and its size in bytes. args are the parameters, in order; a bool is 0 or 1.
	Decode func(b []byte, args []uint64) (text string, n int, err error)
	// Trace walks the fields without checking them.
	Trace func(t *Tracer, args []uint64)
}

// Param is a context parameter of a message.
type Param struct {
	Name, Type string
	Default    uint64
	HasDefault bool
}

// Args returns the default arguments of m.
func (m Message) Args() []uint64 {
	args := make([]uint64, len(m.Params))
	for i, p := range m.Params {
		args[i] = p.Default
	}
	return args
}

// Dump writes b, one encoded m, to w with a line for each field: offset, bytes,
// field and value. When b is refused or incomplete the field at fault is marked and
// the reason follows; that is no error of Dump. args nil means the defaults.
//
// It returns how many bytes the message takes (0 when it is not accepted) and the
// first error of w.
func Dump(w io.Writer, m Message, b []byte, args []uint64) (n int, err error) {
	if args == nil {
		args = m.Args()
	}
	if len(args) != len(m.Params) {
		return 0, fmt.Errorf("codec: %s takes %d parameters, not %d", m.Name, len(m.Params), len(args))
	}
	_, n, derr := m.Decode(b, args)
	t := &Tracer{b: b, end: len(b), mark: -1}
	if n > 0 {
		t.end = n
	}
	var refused *Error
	if errors.As(derr, &refused) {
		t.mark = refused.Offset
	}
	m.Trace(t, args)
	var need Need
	switch {
	case errors.As(derr, &need):
		t.line(len(b), nil, "", fmt.Sprintf("<-- at least %d more bytes", int(need)))
	case derr != nil && !t.marked:
		t.line(max(t.mark, 0), nil, "", "<-- "+derr.Error())
	case derr != nil:
		t.line(t.at, nil, "", derr.Error())
	}
	t.flush()
	_, err = io.WriteString(w, t.out.String())
	return n, err
}

// perLine is how many bytes one line of a dump shows.
const perLine = 8

// dumpMax is how many bytes of one field a dump shows.
const dumpMax = 64

// Tracer walks encoded bytes for [Dump]. Generated code calls it field by field;
// when the bytes run out it reads zeros and writes nothing more.
type Tracer struct {
	b       []byte
	at, end int
	out     strings.Builder
	path    []string
	ends    []int
	done    bool
	mark    int // offset to mark, -1 for none
	marked  bool
	pending string // line of the last number, waiting for its Note
}

func (t *Tracer) name(field string) string {
	if len(t.path) == 0 {
		return field
	}
	return strings.Join(t.path, ".") + "." + field
}

func (t *Tracer) line(at int, b []byte, name, value string) {
	t.flush()
	s := fmt.Sprintf("%08x  %-*s  %s", at, perLine*3-1, spaced(b), name)
	if value != "" {
		if name != "" {
			s += " = "
		}
		s += value
	}
	t.pending = s
	if b != nil && t.mark >= at && t.mark < at+len(b) && !t.marked {
		t.marked = true
		t.pending += "   <-- here"
	}
}

func (t *Tracer) flush() {
	if t.pending != "" {
		t.out.WriteString(strings.TrimRight(t.pending, " "))
		t.out.WriteByte('\n')
		t.pending = ""
	}
}

func spaced(b []byte) string {
	s := hex.EncodeToString(b)
	var out strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(s[i : i+2])
	}
	return out.String()
}

// take returns the next n bytes, or what is left of them and false.
func (t *Tracer) take(n uint64) ([]byte, bool) {
	if left := uint64(t.end - t.at); n > left {
		b := t.b[t.at:t.end]
		t.at = t.end
		t.done = true
		return b, false
	}
	b := t.b[t.at : t.at+int(n)]
	t.at += int(n)
	return b, true
}

// Uint reads and shows a number of size bytes.
func (t *Tracer) Uint(field string, size int, little bool) uint64 {
	if t.done {
		return 0
	}
	at := t.at
	b, ok := t.take(uint64(size))
	var v uint64
	for i := range b {
		if little {
			v |= uint64(b[i]) << (8 * i)
		} else {
			v = v<<8 | uint64(b[i])
		}
	}
	switch {
	case !ok && len(b) == 0:
	case !ok:
		t.line(at, b, t.name(field), "(cut)")
	default:
		t.line(at, b, t.name(field), strconv.FormatUint(v, 10))
	}
	if !ok {
		return 0
	}
	return v
}

// Note replaces the value on the line of the last number.
func (t *Tracer) Note(text string) {
	if t.done || t.pending == "" {
		return
	}
	if i := strings.LastIndex(t.pending, " = "); i >= 0 {
		mark := ""
		if strings.HasSuffix(t.pending, "   <-- here") {
			mark = "   <-- here"
		}
		t.pending = t.pending[:i] + " = " + text + mark
	}
}

// Bits shows a member of a bit group.
func (t *Tracer) Bits(field, text string) {
	if !t.done {
		t.line(t.at, nil, t.name(field), text)
	}
}

// Prefix reads and shows the length in front of a field.
func (t *Tracer) Prefix(field string, size int, little bool) uint64 {
	return t.Uint("#"+field, size, little)
}

// Rest returns how many bytes the innermost region still has.
func (t *Tracer) Rest() uint64 { return uint64(t.end - t.at) }

// More reports whether there are bytes left in the innermost region.
func (t *Tracer) More() bool { return !t.done && t.at < t.end }

// Bytes shows n bytes.
func (t *Tracer) Bytes(field string, n uint64, text bool) {
	if t.done {
		return
	}
	at := t.at
	b, ok := t.take(n)
	var p Printer
	if text {
		p.Text(b)
	} else {
		p.Bytes(b)
	}
	value := p.String()
	if !ok {
		value += " (cut)"
	}
	name := t.name(field)
	if len(b) == 0 {
		if ok {
			t.line(at, nil, name, value)
		}
		return
	}
	for i := 0; i < len(b); i += perLine {
		if i >= dumpMax {
			t.line(at+i, nil, "", fmt.Sprintf("... %d more bytes", len(b)-i))
			return
		}
		t.line(at+i, b[i:min(len(b), i+perLine)], name, value)
		name, value = "", ""
	}
}

// In enters a nested message.
func (t *Tracer) In(field string) { t.path = append(t.path, field) }

// Out leaves it.
func (t *Tracer) Out() { t.path = t.path[:len(t.path)-1] }

// Region enters a region of n bytes.
func (t *Tracer) Region(field string, n uint64) {
	t.In(field)
	t.ends = append(t.ends, t.end)
	if left := uint64(t.end - t.at); n <= left {
		t.end = t.at + int(n)
	}
}

// EndRegion leaves it and shows what its content left over.
func (t *Tracer) EndRegion() {
	if !t.done && t.at < t.end {
		t.Bytes("(left over)", uint64(t.end-t.at), false)
	}
	t.end = t.ends[len(t.ends)-1]
	t.ends = t.ends[:len(t.ends)-1]
	t.done = t.done && t.at >= t.end
	t.Out()
}
