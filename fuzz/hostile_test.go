package fuzz_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/codec/twopart"
)

// target decodes one kind of frame from hostile bytes. bound is what wiregen check
// prints for it, plus one error.
type target struct {
	name   string
	bound  uint64
	decode func(b []byte) (int, error)
	length func(b []byte) (int, int, error)
}

const oneError = 256

func targets() []target {
	var preface muxwire.Preface
	var frame, summed muxwire.Frame
	var two twopart.TwoPart
	var req1, req2 dynwire.Request
	var ack dynwire.Ack
	return []target{
		{"preface", oneError, func(b []byte) (int, error) { return preface.Decode(b, nil) },
			func(b []byte) (int, int, error) { return muxwire.PrefaceLen(b, nil) }},
		{"frame", 4608 + oneError, func(b []byte) (int, error) { frame = muxwire.Frame{}; return frame.Decode(b, nil, false) },
			func(b []byte) (int, int, error) { return muxwire.FrameLen(b, nil, false) }},
		{"summed frame", 4608 + oneError, func(b []byte) (int, error) { summed = muxwire.Frame{}; return summed.Decode(b, nil, true) },
			func(b []byte) (int, int, error) { return muxwire.FrameLen(b, nil, true) }},
		{"twopart", oneError, func(b []byte) (int, error) { return two.Decode(b, nil) },
			func(b []byte) (int, int, error) { return twopart.TwoPartLen(b, nil) }},
		{"request 1", oneError, func(b []byte) (int, error) { return req1.Decode(b, nil, 1) },
			func(b []byte) (int, int, error) { return dynwire.RequestLen(b, nil, 1) }},
		{"request 2", oneError, func(b []byte) (int, error) { return req2.Decode(b, nil, 2) },
			func(b []byte) (int, int, error) { return dynwire.RequestLen(b, nil, 2) }},
		{"ack", oneError, func(b []byte) (int, error) { return ack.Decode(b, nil) },
			func(b []byte) (int, int, error) { return dynwire.AckLen(b, nil) }},
	}
}

// allocated is how many bytes f allocates: the least of a few runs, since other
// goroutines of the test binary allocate too.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// FuzzHostile feeds the same bytes to every frame decoder: the length function
// and the decoder agree, and neither allocates more than its printed bound.
func FuzzHostile(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 0, 0xf0, 1, 0, 0, 0xec, 3, 3})
	f.Add([]byte{0xf7, 'W', 'P', '1', 1, 1, 0, 0})
	f.Add([]byte{0, 0, 3, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 255, 1})
	f.Add([]byte{0, 1, 'a', 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add(make([]byte, 24))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range targets() {
			var n int
			var err error
			if got := allocated(func() { n, err = c.decode(b) }); got > c.bound {
				t.Errorf("%s: %d bytes allocated for %d of input", c.name, got, len(b))
			}
			size, need, lerr := c.length(b)
			var wants codec.Need
			switch {
			case err == nil:
				if lerr != nil || size != n || need != 0 {
					t.Errorf("%s: decoded %d bytes, the length function says %d, %d, %v", c.name, n, size, need, lerr)
				}
			case errors.As(err, &wants):
				if lerr != nil || max(need, size-len(b)) != int(wants) {
					t.Errorf("%s: decoder %v; length function %d, %d, %v", c.name, err, size, need, lerr)
				}
			}
		}
	})
}
