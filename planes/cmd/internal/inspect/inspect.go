package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/wireplane/wireplane/codec"
)

// UsageError is a mistake in Options.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *UsageError) Unwrap() error { return e.Err }

// Summary is what a capture held as a whole.
type Summary struct {
	OK      bool   `json:"ok"` // all of it was decoded
	Spec    string `json:"spec"`
	Frame   string `json:"frame"`
	Guessed bool   `json:"guessed"` // spec or frame were
	Frames  int    `json:"frames"`  // that were decoded
	Bytes   int    `json:"bytes"`   // of the capture
	Decoded int    `json:"decoded"` // bytes
	// Offset is the byte that decoding stopped at: the field that was refused, or
	// where the capture ends. It is Bytes if OK.
	Offset int    `json:"offset"`
	Need   int    `json:"need,omitempty"`  // so many more bytes at least
	Kind   string `json:"kind,omitempty"`  // of the refusal, as in reject vectors
	Field  string `json:"field,omitempty"` // that was refused
	Why    string `json:"why,omitempty"`
}

// writer writes the messages of a capture.
type writer interface {
	begin(p plan, guessed bool) error
	unit(u unit, b []byte) error
	end(s Summary) error
}

// Text writes a capture for people: every message as an annotated dump, whose
// offsets count from the start of the capture. Errors are those of w and a
// *UsageError; that bytes are bad is none.
func Text(w io.Writer, b []byte, o Options) (Summary, error) {
	return run(&textWriter{w: w}, b, o)
}

// JSON writes a capture as one JSON object a line: one for each message, and the
// Summary in the end.
func JSON(w io.Writer, b []byte, o Options) (Summary, error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // "<" is no danger here, and common in names
	return run(&jsonWriter{enc: enc}, b, o)
}

func run(w writer, b []byte, o Options) (Summary, error) {
	plans, err := o.plans()
	if err != nil {
		return Summary{}, &UsageError{err}
	}
	p := guess(plans, b)
	s := Summary{Spec: p.spec.Name, Frame: p.frame.Name, Guessed: len(plans) > 1, Bytes: len(b)}
	if len(b) > 0 {
		if err := w.begin(p, s.Guessed); err != nil {
			return s, err
		}
	}
	var failed error
	s.Decoded, err = p.walk(b, func(u unit) error {
		if u.err == nil {
			s.Frames++
		}
		failed = w.unit(u, b[u.offset:])
		return failed
	})
	if failed != nil {
		return s, failed
	}
	s.stop(err, b)
	return s, w.end(s)
}

// stop says where and why decoding stopped.
func (s *Summary) stop(err error, b []byte) {
	s.Offset = s.Decoded
	if s.Bytes == 0 {
		err = errors.New("there are no bytes to decode")
	}
	if err == nil {
		s.OK = true
		return
	}
	s.Why = err.Error()
	defer func() {
		if s.Decoded == 0 {
			s.Why += foreign(b)
		}
	}()
	var need codec.Need
	var refused *codec.Error
	switch {
	case errors.As(err, &need):
		s.Offset, s.Need = s.Bytes, int(need)
		s.Why = fmt.Sprintf("cut short: the message that starts at byte %d needs at least %d more", s.Decoded, s.Need)
	case errors.As(err, &refused):
		s.Offset, s.Kind, s.Field = s.Decoded+max(refused.Offset, 0), refused.Kind.String(), refused.Type
		if refused.Field != "" {
			s.Field += "." + refused.Field
		}
		moved := *refused // the message shall count from the start of the capture
		moved.Offset = s.Offset
		s.Why = strings.TrimPrefix(moved.Error(), "codec: ")
	}
}

// foreign says what else bytes look like that no spec could decode.
func foreign(b []byte) string {
	for _, known := range []struct{ start, what string }{
		{"GET ", "HTTP"}, {"POST ", "HTTP"}, {"HEAD ", "HTTP"}, {"PUT ", "HTTP"}, {"HTTP/", "HTTP"}, {"PRI * HTTP/2", "HTTP/2"},
		{"\x16\x03", "TLS"}, {"SSH-", "SSH"}, {"INFO {", "NATS"}, {"CONNECT {", "NATS"},
		{"\xd4\xc3\xb2\xa1", "a pcap file: extract the stream first"}, {"\x0a\x0d\x0d\x0a", "a pcapng file: extract the stream first"},
	} {
		if strings.HasPrefix(string(b[:min(len(b), 16)]), known.start) {
			return "; this looks like " + known.what
		}
	}
	return ""
}

// params writes the arguments of a message as k=v.
func (u unit) params() string {
	var all []string
	for i, p := range u.msg.Params {
		v := strconv.FormatUint(u.args[i], 10)
		if p.Type == "bool" {
			v = strconv.FormatBool(u.args[i] != 0)
		}
		all = append(all, p.Name+"="+v)
	}
	return strings.Join(all, " ")
}

// line is one line of a dump: the bytes of a field, or some of them.
type line struct {
	offset    int // in the capture
	hex, text string
}

// Columns of a line that codec.Dump writes.
const (
	offsetColumns = 8
	hexColumn     = offsetColumns + 2
	textColumn    = hexColumn + 3*8 - 1 + 2
)

// dump returns the lines of codec.Dump, with offsets in the capture.
func (u unit) dump(b []byte) ([]line, error) {
	if u.bytes > 0 {
		b = b[:u.bytes]
	}
	var out strings.Builder
	if _, err := codec.Dump(&out, u.msg, b, u.args); err != nil {
		return nil, err
	}
	var all []line
	for s := range strings.Lines(out.String()) {
		s = strings.TrimSuffix(s, "\n")
		at, err := strconv.ParseInt(s[:min(len(s), offsetColumns)], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("inspect: a dump holds the line %q", s)
		}
		l := line{offset: u.offset + int(at)}
		if len(s) > hexColumn {
			l.hex = strings.TrimSpace(s[hexColumn:min(len(s), textColumn)])
		}
		if len(s) > textColumn {
			l.text = s[textColumn:]
		}
		var refused *codec.Error
		if l.hex == "" && errors.As(u.err, &refused) {
			if l.text == refused.Error() {
				continue // its offset counts from the message; the summary says it all
			}
			l.text = strings.Replace(l.text, refused.Error(), "here", 1)
		}
		all = append(all, l)
	}
	return all, nil
}

type textWriter struct{ w io.Writer }

func (t *textWriter) begin(p plan, guessed bool) error {
	how := ""
	if guessed {
		how = ", guessed"
	}
	_, err := fmt.Fprintf(t.w, "spec %s%s: %s\n", p.spec.Name, how, p.spec.About)
	return err
}

func (t *textWriter) unit(u unit, b []byte) error {
	lines, err := u.dump(b)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s at byte %d", strings.TrimSpace(u.msg.Name+" "+u.title), u.offset)
	if u.bytes > 0 {
		fmt.Fprintf(&out, ", %d bytes", u.bytes)
	}
	if p := u.params(); p != "" {
		fmt.Fprintf(&out, ", %s", p)
	}
	out.WriteByte('\n')
	for _, l := range lines {
		row := fmt.Sprintf("%08x  %-*s%s", l.offset, textColumn-hexColumn, l.hex, l.text)
		out.WriteString(strings.TrimRight(row, " ") + "\n")
	}
	_, err = io.WriteString(t.w, out.String())
	return err
}

func (t *textWriter) end(s Summary) error {
	var err error
	switch {
	case s.Bytes == 0:
		_, err = fmt.Fprintln(t.w, s.Why)
	case s.OK:
		_, err = fmt.Fprintf(t.w, "\n%s, %s: all decoded\n", count(s.Frames, "message"), count(s.Bytes, "byte"))
	default:
		_, err = fmt.Fprintf(t.w, "\n%s, %d of %s decoded; stopped at byte %d (0x%x): %s\n",
			count(s.Frames, "message"), s.Decoded, count(s.Bytes, "byte"), s.Offset, s.Offset, s.Why)
	}
	return err
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

type jsonWriter struct{ enc *json.Encoder }

// jsonMessage is the line of a message.
type jsonMessage struct {
	Message string            `json:"message"`
	Type    string            `json:"type,omitempty"`
	Offset  int               `json:"offset"`
	Bytes   int               `json:"bytes"` // 0: not accepted
	Params  map[string]uint64 `json:"params,omitempty"`
	Text    string            `json:"text,omitempty"`
	Fields  []jsonField       `json:"fields"`
}

type jsonField struct {
	Offset  int    `json:"offset"`
	Hex     string `json:"hex,omitempty"` // the first 64 bytes
	Name    string `json:"name"`
	Value   string `json:"value,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

// faultMark is how a dump marks the field that was refused.
const faultMark = "   <-- here"

func (j *jsonWriter) begin(plan, bool) error { return nil }

func (j *jsonWriter) unit(u unit, b []byte) error {
	lines, err := u.dump(b)
	if err != nil {
		return err
	}
	m := jsonMessage{Message: u.msg.Name, Type: u.title, Offset: u.offset, Bytes: u.bytes, Text: u.text, Fields: []jsonField{}}
	for i, p := range u.msg.Params {
		if m.Params == nil {
			m.Params = map[string]uint64{}
		}
		m.Params[p.Name] = u.args[i]
	}
	for _, l := range lines {
		text, refused := strings.CutSuffix(l.text, faultMark)
		name, value, _ := strings.Cut(text, " = ")
		switch {
		case name == "" && l.hex != "" && len(m.Fields) > 0: // more bytes of the same field
			m.Fields[len(m.Fields)-1].Hex += " " + l.hex
		case name != "" && !strings.HasPrefix(name, "... ") && !strings.HasPrefix(name, "<--"):
			m.Fields = append(m.Fields, jsonField{Offset: l.offset, Hex: l.hex, Name: name, Value: value, Refused: refused})
		}
	}
	return j.enc.Encode(m)
}

func (j *jsonWriter) end(s Summary) error { return j.enc.Encode(s) }
