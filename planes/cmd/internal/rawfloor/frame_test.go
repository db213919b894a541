package rawfloor_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

func TestHeaderAccessors(t *testing.T) {
	b := rawfloor.AppendHeader(nil, 0x010203, 7, 2, 0xa1b2c3d4, 5)
	if len(b) != rawfloor.HeaderBytes {
		t.Fatalf("a header has %d bytes", len(b))
	}
	if got := rawfloor.FrameLen(b); got != rawfloor.HeaderBytes+0x010203 {
		t.Errorf("FrameLen = %d", got)
	}
	if got := rawfloor.Stream(b); got != 0xa1b2c3d4 {
		t.Errorf("Stream = %#x", got)
	}
	if !rawfloor.Last(b) {
		t.Error("Last = false with the FIN flag")
	}
	rawfloor.SetStream(b, 3)
	if got := rawfloor.Stream(b); got != 3 {
		t.Errorf("Stream after SetStream = %d", got)
	}
}

// FuzzWalk checks Walk against a reader that takes one frame at a time, and that
// any split of the input gives the same frames.
func FuzzWalk(f *testing.F) {
	one := rawfloor.AppendRequest(nil, rawfloor.Shape{Payload: 5}, 1)
	f.Add(one, 3)
	f.Add(append(bytes.Clone(one), one...), len(one)+1)
	f.Add(bytes.Repeat([]byte{0xff}, 40), 20)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		n, used, err := rawfloor.Walk(b)
		if used > len(b) || (err != nil && !errors.Is(err, rawfloor.ErrFrame)) {
			t.Fatalf("Walk = %d, %d, %v of %d bytes", n, used, err, len(b))
		}
		at := 0
		for range n {
			at += rawfloor.FrameLen(b[at:])
		}
		if at != used {
			t.Fatalf("%d frames end at %d, not at %d", n, at, used)
		}
		cut = min(max(cut, 0), len(b))
		n1, used1, err1 := rawfloor.Walk(b[:cut])
		if err1 != nil {
			return
		}
		n2, used2, _ := rawfloor.Walk(b[used1:])
		if n1+n2 != n || used1+used2 != used {
			t.Fatalf("split at %d: %d+%d frames, %d+%d bytes; whole: %d, %d", cut, n1, n2, used1, used2, n, used)
		}
	})
}
