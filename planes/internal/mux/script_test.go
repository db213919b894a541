package mux_test

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// args are the words behind a command.
type args struct {
	t     *testing.T
	line  string
	words []string
}

// split cuts a line at spaces outside quotes.
func split(line string) ([]string, error) {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end, quoted := 0, false
		for end < len(line) && (quoted || line[end] != ' ') {
			switch line[end] {
			case '"':
				quoted = !quoted
			case '\\':
				end++
			}
			end++
		}
		if quoted || end > len(line) {
			return nil, fmt.Errorf("open quote")
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words, nil
}

// value is a word as it is, a quoted string, or a repetition: x*4096.
func (a *args) value(w string) string {
	if strings.HasPrefix(w, `"`) {
		s, err := strconv.Unquote(w)
		if err != nil {
			a.t.Fatalf("%s: %v", a.line, err)
		}
		return s
	}
	if s, n, ok := strings.Cut(w, "*"); ok {
		if times, err := strconv.Atoi(n); err == nil {
			return strings.Repeat(s, times)
		}
	}
	return w
}

func (a *args) word() string {
	if len(a.words) == 0 {
		return ""
	}
	w := a.words[0]
	a.words = a.words[1:]
	return w
}

func (a *args) text() string { return a.value(a.word()) }

func (a *args) rest() []string {
	w := a.words
	a.words = nil
	return w
}

func (a *args) number() uint64 {
	n, err := strconv.ParseUint(a.word(), 0, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return n
}

func (a *args) id() uint32 { return uint32(a.number()) }

func (a *args) duration() time.Duration {
	d, err := time.ParseDuration(a.word())
	if err != nil {
		a.t.Fatalf("%s: %v", a.line, err)
	}
	return d
}

func (a *args) code() muxwire.Code { return codeOf(a.t, a.word()) }

func codeOf(t *testing.T, name string) muxwire.Code {
	for c := muxwire.CodeOk; c <= muxwire.CodeUnsupported; c++ {
		if c.String() == name {
			return c
		}
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		t.Fatalf("no code %q", name)
	}
	return muxwire.Code(n)
}

// pairs are the words left as key=value; a word alone has the value "".
func (a *args) pairs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, w := range a.rest() {
			k, v, _ := strings.Cut(w, "=")
			if !yield(k, a.value(v)) {
				return
			}
		}
	}
}

// encode builds the frame that an "in" command describes: TYPE key=value...
func (sc *script) encode(a *args) []byte {
	name := a.word()
	f := muxwire.Frame{Type: typeOf(sc.t, name)}
	b := &f.Body
	b.Open.Route = []byte("r")
	for k, v := range a.pairs() {
		n, _ := strconv.ParseUint(v, 0, 64)
		switch k {
		case "stream":
			f.Stream = uint32(n)
		case "arg":
			f.Arg = uint32(n)
			if n == 0 && v != "0" {
				f.Arg = uint32(codeOf(sc.t, v))
			}
		case "MORE":
			f.Flags |= muxwire.FrameFlagsMore
		case "FIN":
			f.Flags |= muxwire.FrameFlagsFin
		case "ITEM":
			f.Flags |= muxwire.FrameFlagsItem
		case "TEXT":
			f.Flags |= muxwire.FrameFlagsText
		case "route":
			b.Open.Route = []byte(v)
		case "payload":
			b.Open.Payload = []byte(v)
		case "deadline":
			b.Open.HasDeadline, b.Open.Deadline = true, uint32(n)
		case "code":
			c := codeOf(sc.t, v)
			b.End.Code, b.Refuse.Code, b.Notice.Code = c, c, c
		case "phase":
			b.Reason.Phase = muxwire.Phase(n)
		case "origin":
			b.End.Origin, b.Refuse.Origin, b.Reason.Origin = muxwire.Origin(n), muxwire.Origin(n), muxwire.Origin(n)
		case "why":
			b.Refuse.Why, b.Reason.Why, b.Notice.Why = []byte(v), []byte(v), []byte(v)
		case "bytes":
			b.Credit.Bytes, b.Totals.Bytes, b.End.Bytes = n, n, n
		case "data":
			b.Bytes, b.End.Tail = []byte(v), []byte(v)
		case "retry":
			b.Refuse.RetryAfter = uint32(n)
		case "cookie":
			b.Ping.Cookie = n
		default:
			sc.t.Fatalf("%s: no field %q", a.line, k)
		}
	}
	if f.Type == muxwire.FrameTypeHello {
		b.Hello = muxwire.Hello{MaxBody: 65536, MaxMessage: 1 << 20, MaxStreams: 100, WindowBytes: 4096, WindowItems: 8}
	}
	out, err := f.Append(nil, sc.peer)
	if err != nil {
		sc.t.Fatalf("%s: %v", a.line, err)
	}
	return out
}

func typeOf(t *testing.T, name string) muxwire.FrameType {
	for ft := muxwire.FrameTypeHello; ft <= muxwire.FrameTypeResumed; ft++ {
		if ft.String() == name {
			return ft
		}
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		t.Fatalf("no frame type %q", name)
	}
	return muxwire.FrameType(n)
}

// frameText is a frame on one line, in the words of encode.
func frameText(f *muxwire.Frame) string {
	s := f.Type.String()
	if f.Stream != 0 {
		s += fmt.Sprintf(" stream=%d", f.Stream)
	}
	if f.Flags != 0 {
		s += " " + strings.ReplaceAll(f.Flags.String(), "|", " ")
	}
	b := &f.Body
	switch f.Type {
	case muxwire.FrameTypeHello:
		h := &b.Hello
		s += fmt.Sprintf(" features=%s streams=%d window=%d items=%d", h.Features, h.MaxStreams, h.WindowBytes, h.WindowItems)
	case muxwire.FrameTypeOpen:
		s += fmt.Sprintf(" arg=%d route=%s payload=%s", f.Arg, b.Open.Route, dataText(b.Open.Payload))
	case muxwire.FrameTypeRefuse:
		s += fmt.Sprintf(" code=%s retry=%d why=%q", b.Refuse.Code, b.Refuse.RetryAfter, b.Refuse.Why)
	case muxwire.FrameTypeCredit:
		s += fmt.Sprintf(" arg=%d bytes=%d", f.Arg, b.Credit.Bytes)
	case muxwire.FrameTypeEnd:
		s += fmt.Sprintf(" arg=%d code=%s bytes=%d", f.Arg, b.End.Code, b.End.Bytes)
		if len(b.End.Tail) > 0 {
			s += " data=" + dataText(b.End.Tail)
		}
	case muxwire.FrameTypeStop, muxwire.FrameTypeReset:
		s += fmt.Sprintf(" arg=%s phase=%s why=%q", muxwire.Code(f.Arg), b.Reason.Phase, b.Reason.Why)
	case muxwire.FrameTypePing, muxwire.FrameTypePong:
		s += fmt.Sprintf(" arg=%d cookie=%d", f.Arg, b.Ping.Cookie)
	case muxwire.FrameTypeDrain, muxwire.FrameTypeGoaway:
		s += fmt.Sprintf(" arg=%d code=%s why=%q", f.Arg, b.Notice.Code, b.Notice.Why)
	case muxwire.FrameTypeData:
		s += fmt.Sprintf(" arg=%d data=%s", f.Arg, dataText(b.Bytes))
	default:
		s += fmt.Sprintf(" arg=%d", f.Arg)
	}
	return s
}
