package muxwire_test

import (
	"bytes"
	"testing"

	"github.com/wireplane/wireplane/codec/muxwire"
)

func TestFrameRoundTrip(t *testing.T) {
	for _, sums := range []bool{false, true} {
		m := muxwire.Frame{Type: muxwire.FrameTypeOpen, Stream: 7, Arg: 2}
		m.Body.Open = muxwire.Open{Route: []byte("a/b"), Payload: []byte("hi"), HasDeadline: true, Deadline: 5,
			HasHeaders: true, Headers: []muxwire.Header{{Name: []byte("k"), Value: []byte("v")}}}
		b, err := m.Append(nil, sums)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != m.Size(sums) {
			t.Errorf("size %d, encoded %d", m.Size(sums), len(b))
		}
		var d muxwire.Frame
		n, err := d.Decode(b, nil, sums)
		if err != nil || n != len(b) {
			t.Fatal(n, err)
		}
		b2, err := d.Append(nil, sums)
		if err != nil || !bytes.Equal(b, b2) {
			t.Errorf("second encoding differs: %x %x %v", b, b2, err)
		}
	}
}
