package fuzz_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// damagedFrames is how many damaged copies TestDamagedFrames decodes.
const damagedFrames = 100_000

// samples returns one frame of several types, with checksums.
func samples(t *testing.T) [][]byte {
	t.Helper()
	open := muxwire.Frame{Type: muxwire.FrameTypeOpen, Flags: muxwire.FrameFlagsFin, Stream: 1, Arg: 5}
	open.Body.Open = muxwire.Open{Route: []byte("models/generate"), Payload: []byte("hello")}
	data := muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 1, Arg: 3}
	data.Body.Bytes = bytes.Repeat([]byte("token "), 20)
	end := muxwire.Frame{Type: muxwire.FrameTypeEnd, Stream: 1, Arg: 4}
	end.Body.End = muxwire.End{Bytes: 120}
	accept := muxwire.Frame{Type: muxwire.FrameTypeAccept, Stream: 1}
	var out [][]byte
	for _, m := range []muxwire.Frame{open, data, end, accept} {
		b, err := m.Append(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// With header check and body checksum, fewer than one damaged frame in ten
// thousand is taken for a good one.
func TestDamagedFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	frames := samples(t)
	var m muxwire.Frame
	accepted := 0
	for range damagedFrames {
		good := frames[r.IntN(len(frames))]
		b := bytes.Clone(good)
		switch at := r.IntN(len(b)); r.IntN(4) {
		case 0: // one bit
			b[at] ^= 1 << r.IntN(8)
		case 1: // a few bytes
			for i := at; i < min(at+1+r.IntN(6), len(b)); i++ {
				b[i] = byte(r.Uint32())
			}
		case 2: // a run of ones
			for i := at; i < min(at+8, len(b)); i++ {
				b[i] = 0xff
			}
		case 3: // cut
			b = b[:at]
		}
		if bytes.Equal(b, good) {
			continue
		}
		if _, err := m.Decode(b, nil, true); err == nil {
			accepted++
		}
	}
	if limit := damagedFrames / 10_000; accepted >= limit {
		t.Errorf("%d of %d damaged frames accepted, want fewer than %d", accepted, damagedFrames, limit)
	}
}

// Limits are the caller's at run time, up and down.
func TestLimitsAtRunTime(t *testing.T) {
	m := muxwire.Frame{Type: muxwire.FrameTypeData}
	m.Body.Bytes = make([]byte, 2<<20)
	b, err := m.Append(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	low, high := muxwire.DefaultLimits(), muxwire.DefaultLimits()
	low.MaxBody, high.MaxBody = 100, 4<<20
	for _, c := range []struct {
		name string
		lim  *muxwire.Limits
		ok   bool
	}{{"default", nil, false}, {"low", &low, false}, {"high", &high, true}} {
		var d muxwire.Frame
		n, err := d.Decode(b, c.lim, false)
		if (err == nil) != c.ok || c.ok && n != len(b) {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
		size, _, lenErr := muxwire.FrameLen(b[:20], c.lim, false)
		if (lenErr == nil) != c.ok || c.ok && size != len(b) {
			t.Errorf("%s: length %d, %v", c.name, size, lenErr)
		}
	}
}
