package codectest

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Each sets *m to one sample after another and calls do with its encoding; c works
// on m. A sample that does not encode (the generator of samples does not solve
// every condition of a spec) is passed over, but not all of them may be.
func Each[T any](t *testing.T, c Codec, m *T, samples []T, do func(t *testing.T, c Codec, b []byte)) {
	t.Helper()
	done := 0
	for _, s := range samples {
		*m = s
		b, err := c.Append(nil)
		if err != nil {
			t.Logf("sample passed over: %v", err)
			continue
		}
		done++
		do(t, c, b)
	}
	if done == 0 && len(samples) > 0 {
		t.Logf("%s: no sample satisfies the conditions of the spec: give it accept vectors", c.Name)
	}
}

// Seed adds the encodings of the samples to the corpus of a fuzz target.
func Seed[T any](f *testing.F, c Codec, m *T, samples []T) {
	f.Helper()
	for _, s := range samples {
		*m = s
		if b, err := c.Append(nil); err == nil {
			f.Add(b)
		}
	}
}

// SeedHex adds the bytes of a vector to the corpus of a fuzz target.
func SeedHex(f *testing.F, s string) {
	f.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		f.Fatalf("hex of the vector: %v", err)
	}
	f.Add(b)
}
