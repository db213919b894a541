package xxh3_test

import (
	"testing"

	"github.com/wireplane/wireplane/codec/xxh3"
)

func TestParts(t *testing.T) {
	// The values of the reference implementation.
	if got := xxh3.Sum64(nil); got != 0x2d06800538d394c2 {
		t.Errorf("empty: %x", got)
	}
	if got := xxh3.Sum64([]byte("a")); got != 0xe6c632b61e964e1f {
		t.Errorf("a: %x", got)
	}
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(i * 31)
	}
	for _, n := range []int{0, 1, 16, 240, 241, 1024, 3000} {
		for _, cut := range []int{0, 1, n / 2, n} {
			cut = min(cut, n)
			want := xxh3.Sum64(b[:n])
			if got := xxh3.Sum64Parts(b[:cut], b[cut:n]); got != want {
				t.Errorf("%d bytes cut at %d: %x, want %x", n, cut, got, want)
			}
			if got := xxh3.Sum64Spans(b[:cut], nil, b[cut:n]); got != want {
				t.Errorf("%d bytes in three: %x, want %x", n, got, want)
			}
		}
	}
	if n := testing.AllocsPerRun(20, func() { xxh3.Sum64Parts(b[:100], b[100:]) }); n != 0 {
		t.Errorf("parts allocate %v times", n)
	}
	if n := testing.AllocsPerRun(20, func() { xxh3.Sum64Spans(b[:1], b[1:9], b[9:]) }); n != 0 {
		t.Errorf("spans allocate %v times", n)
	}
}
