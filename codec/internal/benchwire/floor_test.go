package benchwire_test

import (
	"bytes"
	"testing"

	"github.com/wireplane/wireplane/codec/internal/benchwire"
)

// The floor is a fair yardstick only while it writes and reads the same bytes.
func TestFloorAgrees(t *testing.T) {
	lim := benchwire.DefaultLimits()
	small, packet, summed := benchwire.SmallValue(), benchwire.PacketValue(), benchwire.SummedValue()
	var s2 benchwire.Small
	var p2 benchwire.Packet
	var c2 benchwire.Summed
	cases := []struct {
		name         string
		floor, gen   func() ([]byte, error)
		decode       func(b []byte) (int, error)
		text, expect func() string
		size         int
	}{
		{"small", func() ([]byte, error) { return benchwire.FloorAppendSmall(&small, nil) }, func() ([]byte, error) { return small.Append(nil) },
			func(b []byte) (int, error) { return benchwire.FloorDecodeSmall(&s2, b) }, s2.String, small.String, 51},
		{"packet", func() ([]byte, error) { return benchwire.FloorAppendPacket(&packet, nil) }, func() ([]byte, error) { return packet.Append(nil) },
			func(b []byte) (int, error) { return benchwire.FloorDecodePacket(&p2, b, &lim) }, p2.String, packet.String, 24 + 16 + 23 + 1024},
		{"summed", func() ([]byte, error) { return benchwire.FloorAppendSummed(&summed, nil) }, func() ([]byte, error) { return summed.Append(nil) },
			func(b []byte) (int, error) { return benchwire.FloorDecodeSummed(&c2, b, &lim) }, c2.String, summed.String, 12 + 1024},
		{"head", func() ([]byte, error) {
			h, tail, err := benchwire.FloorHeadPacket(&packet, nil)
			return append(h, tail...), err
		}, func() ([]byte, error) { return packet.Append(nil) },
			func(b []byte) (int, error) { return p2.Decode(b, nil) }, p2.String, packet.String, 24 + 16 + 23 + 1024},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := c.floor()
			if err != nil {
				t.Fatal(err)
			}
			g, err := c.gen()
			if err != nil || !bytes.Equal(f, g) {
				t.Fatalf("floor %x\ngenerated %x, %v", f, g, err)
			}
			if len(f) != c.size {
				t.Errorf("%d bytes, want %d", len(f), c.size)
			}
			if n, err := c.decode(f); err != nil || n != len(f) {
				t.Fatalf("decode: %d, %v", n, err)
			}
			if c.text() != c.expect() {
				t.Errorf("decoded %s\nwant %s", c.text(), c.expect())
			}
			for i := range f {
				if n, err := c.decode(f[:i:i]); err == nil || n != 0 {
					t.Fatalf("cut at %d accepted as %d bytes", i, n)
				}
			}
		})
	}
}
