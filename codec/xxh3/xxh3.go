package xxh3

import "github.com/zeebo/xxh3"

// Sum64 returns the XXH3-64 of b.
func Sum64(b []byte) uint64 {
	return xxh3.Hash(b)
}

// Sum64Parts returns the XXH3-64 of a followed by b, without joining them. It
// costs more than [Sum64] for inputs up to 1 KiB and allocates nothing.
func Sum64Parts(a, b []byte) uint64 {
	if len(a) == 0 {
		return xxh3.Hash(b)
	}
	if len(b) == 0 {
		return xxh3.Hash(a)
	}
	return sumParts(a, b)
}

//go:noinline
func sumParts(a, b []byte) uint64 {
	var h xxh3.Hasher
	h.Write(a) //nolint:errcheck // documented: never fails
	h.Write(b) //nolint:errcheck // documented: never fails
	return h.Sum64()
}

// Sum64Spans returns the XXH3-64 of all parts one after the other.
func Sum64Spans(parts ...[]byte) uint64 {
	var h xxh3.Hasher
	for _, p := range parts {
		h.Write(p) //nolint:errcheck // documented: never fails
	}
	return h.Sum64()
}
