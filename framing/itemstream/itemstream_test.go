package itemstream_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/framing/itemstream"
)

var samples = [][]byte{
	nil, []byte("Hello"), []byte(" lead"), []byte("a\nb\n"), []byte("\n"), []byte("\r"), []byte("a\r\nb"), {0, 1, 255}, []byte("\xc3("),
	[]byte(`{"a":[1,2]}`), []byte(`{"a":"\n"}`), []byte("{\n}"), []byte("[broken"), []byte("data: x"), []byte("ünïcödé 🙂"), []byte("\ufeffbom"),
	[]byte(strings.Repeat("\x01", 100)), []byte(strings.Repeat("long ", 5000)),
}

// encode writes items with heartbeats between them, and the terminal.
func encode(f itemstream.Format, items [][]byte, why *itemstream.Failure) []byte {
	var t itemstream.Totals
	out := itemstream.AppendAlive(nil, f)
	for i, item := range items {
		out = itemstream.AppendItem(out, f, uint64(i), item)
		out = itemstream.AppendAlive(out, f)
		t.Items++
		t.Bytes += uint64(len(item))
	}
	if why != nil {
		return itemstream.AppendFailure(out, f, why, t)
	}
	return itemstream.AppendEnd(out, f, t)
}

type result struct {
	items [][]byte
	last  itemstream.Event // the terminal, if there was one
	err   error
}

// decode feeds b in pieces of n bytes; 0 means all at once.
func decode(f itemstream.Format, b []byte, n, maxItem int) (r result) {
	d := itemstream.NewDecoder(f, maxItem)
	for len(b) > 0 {
		k := len(b)
		if n > 0 {
			k = min(n, k)
		}
		d.Feed(b[:k])
		b = b[k:]
		for {
			ev, ok, err := d.Next()
			if err != nil {
				r.err = err
				return r
			}
			if !ok {
				break
			}
			if ev.Kind == itemstream.Item {
				r.items = append(r.items, bytes.Clone(ev.Data))
			} else {
				r.last = ev
			}
		}
	}
	r.err = d.Close()
	return r
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestItemsComeOutAsTheyWentIn(t *testing.T) {
	why := &itemstream.Failure{Code: muxwire.CodeOverloaded, Origin: muxwire.OriginApp, Phase: muxwire.PhaseStarted, Reason: "a\n\"b\" ü", RetryAfterMs: 7}
	for _, f := range itemstream.Formats {
		for _, failure := range []*itemstream.Failure{nil, why} {
			b := encode(f, samples, failure)
			for _, n := range []int{0, 1, 2, 3, 7, 1000} {
				r := decode(f, b, n, 0)
				if r.err != nil || !same(r.items, samples) {
					t.Errorf("%v in pieces of %d: %v, %d items", f, n, r.err, len(r.items))
				}
				if r.last.Totals.Items != uint64(len(samples)) || (failure != nil) != (r.last.Kind == itemstream.Error) || failure != nil && r.last.Failure != *why {
					t.Errorf("%v: terminal %+v", f, r.last)
				}
			}
		}
	}
}

// A stream that is cut anywhere before its last byte is never a clean end.
func TestACutStreamIsAnError(t *testing.T) {
	for _, f := range itemstream.Formats {
		b := encode(f, samples[:15], nil)
		for n := range b { // the last byte, too, belongs to the terminal
			if r := decode(f, b[:n], 0, 0); !errors.Is(r.err, itemstream.ErrCut) || r.last.Kind != 0 {
				t.Fatalf("%v cut to %d of %d bytes: %v, %+v", f, n, len(b), r.err, r.last)
			}
		}
	}
}

func TestWhatIsMissingIsSeen(t *testing.T) {
	for _, f := range itemstream.Formats {
		one := itemstream.AppendItem(nil, f, 1, []byte("x"))
		if r := decode(f, one, 0, 0); !errors.Is(r.err, itemstream.ErrTotals) {
			t.Errorf("%v: first item with index 1: %v", f, r.err)
		}
		for _, totals := range []itemstream.Totals{{}, {Items: 1}, {Items: 1, Bytes: 2}, {Items: 2, Bytes: 1}} {
			b := itemstream.AppendEnd(itemstream.AppendItem(nil, f, 0, []byte("x")), f, totals)
			if r := decode(f, b, 0, 0); !errors.Is(r.err, itemstream.ErrTotals) || r.last.Kind != 0 {
				t.Errorf("%v: %+v: %v", f, totals, r.err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, f := range itemstream.Formats {
		for _, c := range []byte{'x', 0xff} {
			at := bytes.Repeat([]byte{c}, 10_000)
			if r := decode(f, encode(f, [][]byte{at}, nil), 100, len(at)); r.err != nil {
				t.Errorf("%v at the limit: %v", f, r.err)
			}
			if r := decode(f, encode(f, [][]byte{append(at, c)}, nil), 100, len(at)); !errors.Is(r.err, itemstream.ErrTooLarge) {
				t.Errorf("%v above the limit: %v", f, r.err)
			}
		}
	}
	for _, f := range []itemstream.Format{itemstream.SSE, itemstream.NDJSON} {
		if r := decode(f, bytes.Repeat([]byte{'x'}, 100_000), 1000, 1000); !errors.Is(r.err, itemstream.ErrTooLarge) {
			t.Errorf("%v: a line without end: %v", f, r.err)
		}
	}
	if r := decode(itemstream.SSE, bytes.Repeat([]byte("data:xxxx\n"), 10_000), 1000, 1000); !errors.Is(r.err, itemstream.ErrTooLarge) {
		t.Errorf("an event without end: %v", r.err)
	}
}

func TestEventStreamsOfOthers(t *testing.T) {
	const end = "event: end\ndata: {\"items\":1,\"bytes\":3}\n\n"
	for _, c := range []struct{ in, want string }{
		{"\ufeffdata: a\ndata: b\n\n" + end, "a\nb"},
		{"data:abc\r\n\r\n" + end, "abc"},
		{"data:abc\r\r" + end, "abc"},
		{": c\nretry: 7\nfoo: bar\nnocolon\nid: 0\nevent: message\ndata: abc\n\n" + end, "abc"},
		{"event: later\ndata: whatever\n\ndata: abc\n\nid: 9\n\n" + end, "abc"},
	} {
		for _, n := range []int{0, 1} {
			if r := decode(itemstream.SSE, []byte(c.in), n, 0); r.err != nil || len(r.items) != 1 || string(r.items[0]) != c.want {
				t.Errorf("%q: %v %q", c.in, r.err, r.items)
			}
		}
	}
	for f, list := range map[itemstream.Format][]string{
		itemstream.SSE:    {"id: x\ndata: a\n\n", "event: base64\ndata: !\n\n", "event: end\ndata: {}\n\n", "event: error\ndata: {}\n\n", "data: \xff\n\n"},
		itemstream.NDJSON: {"nonsense\n", "{\"index\":0,\"text\":\"\xff\"}\n", "{\"end\":{}}\n", "{\"error\":{}}\n", "{\"base64\":\"!\"}\n", "[]\n"},
		itemstream.Binary: {"\x01\x00\x00\x00\x01x", "\x02\x00\x00\x00\x00", "\x03\x00\x00\x00\x00"},
	} {
		for _, in := range list {
			if r := decode(f, []byte(in), 0, 0); !errors.Is(r.err, itemstream.ErrMalformed) {
				t.Errorf("%v %q: %v", f, in, r.err)
			}
		}
	}
}

func TestFormatsByName(t *testing.T) {
	for _, f := range itemstream.Formats {
		got, err := itemstream.ParseFormat(strings.ToUpper(f.String()))
		if err != nil || got != f {
			t.Errorf("%v: %v %v", f, got, err)
		}
		if got, ok := itemstream.ForMediaType(f.MediaType() + "; charset=utf-8"); !ok || got != f {
			t.Errorf("%v: %v %v", f, got, ok)
		}
	}
	if _, err := itemstream.ParseFormat("xml"); err == nil {
		t.Error("xml is a format")
	}
}

// However a stream is cut into pieces, the same comes out.
func FuzzDecode(f *testing.F) {
	for _, format := range itemstream.Formats {
		f.Add(uint8(format), uint8(1), encode(format, samples[:16], nil))
		f.Add(uint8(format), uint8(3), encode(format, samples[:2], &itemstream.Failure{Code: 9}))
	}
	f.Fuzz(func(t *testing.T, format, n uint8, b []byte) {
		form := itemstream.Format(format % 3)
		whole, cut := decode(form, b, 0, 1000), decode(form, b, 1+int(n), 1000)
		if !same(whole.items, cut.items) || whole.last.Kind != cut.last.Kind || whole.last.Totals != cut.last.Totals ||
			whole.last.Failure != cut.last.Failure || (whole.err == nil) != (cut.err == nil) {
			t.Fatalf("%v: %+v\nin pieces of %d: %+v", form, whole, 1+int(n), cut)
		}
		var bytes uint64
		for _, item := range whole.items {
			if bytes += uint64(len(item)); len(item) > 1000 {
				t.Fatalf("an item of %d bytes", len(item))
			}
		}
		if whole.err == nil && whole.last.Kind == itemstream.End && whole.last.Totals != (itemstream.Totals{Items: uint64(len(whole.items)), Bytes: bytes}) {
			t.Fatalf("a clean end with wrong totals: %+v", whole.last)
		}
	})
}

// What is written is read back, in any format.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("a\nb"), []byte{0, 1, 255}, "reason")
	f.Add([]byte(`{"a":1}`), []byte("\r\n"), "")
	f.Fuzz(func(t *testing.T, a, b []byte, reason string) {
		for _, form := range itemstream.Formats {
			for _, why := range []*itemstream.Failure{nil, {Code: 9, Reason: reason}} {
				r := decode(form, encode(form, [][]byte{a, b}, why), 5, len(a)+len(b)+1)
				if r.err != nil || !same(r.items, [][]byte{a, b}) || (why == nil) != (r.last.Kind == itemstream.End) {
					t.Fatalf("%v: %v %q", form, r.err, r.items)
				}
			}
		}
	})
}
