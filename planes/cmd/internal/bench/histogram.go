package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// A histogram has linear buckets of 1 ns up to 2*subBuckets ns and then
// subBuckets of them for each doubling, so that no value is off by more than
// 1/subBuckets, up to about 73 minutes.
const (
	subBits    = 7
	subBuckets = 1 << subBits
	maxBits    = 42
	buckets    = (maxBits - subBits + 1) << subBits
	maxValue   = 1<<maxBits - 1
)

// Histogram counts durations in logarithmic buckets; a quantile is off by less
// than 1 %. The zero value is empty and ready to use. It is not safe for
// concurrent use.
type Histogram struct {
	counts   []uint64
	n        uint64
	min, max uint64
}

// Record counts d once. A negative duration counts as 0, one beyond the range as
// the largest.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN counts d n times.
func (h *Histogram) RecordN(d time.Duration, n int) {
	if n <= 0 {
		return
	}
	v := uint64(min(max(d, 0), maxValue))
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	if h.n == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.counts[bucketOf(v)] += uint64(n)
	h.n += uint64(n)
}

// Merge adds everything that o has counted.
func (h *Histogram) Merge(o *Histogram) {
	if o.n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, buckets)
	}
	for i, c := range o.counts {
		h.counts[i] += c
	}
	if h.n == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.n += o.n
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Quantile returns the smallest duration that at least the share q of all
// recorded ones do not exceed, up to the width of a bucket; q is clamped to 0..1.
// An empty histogram gives 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	q = min(max(q, 0), 1)
	rank := max(1, uint64(math.Ceil(q*float64(h.n))))
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			low, width := bucketRange(i)
			return time.Duration(min(max(low+width/2, h.min), h.max))
		}
	}
	return time.Duration(h.max)
}

func bucketOf(v uint64) int {
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// bucketRange returns the smallest value of bucket i and how many values it has.
func bucketRange(i int) (low, width uint64) {
	shift := max(0, i>>subBits-1)
	return uint64(i-shift<<subBits) << shift, 1 << shift
}

// histogramJSON is the form on the wire: only buckets that are not empty, as
// pairs of number and count.
type histogramJSON struct {
	Min    uint64      `json:"min"`
	Max    uint64      `json:"max"`
	Counts [][2]uint64 `json:"counts"`
}

// MarshalJSON writes the buckets that are not empty.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	out := histogramJSON{Min: h.min, Max: h.max, Counts: [][2]uint64{}}
	for i, c := range h.counts {
		if c > 0 {
			out.Counts = append(out.Counts, [2]uint64{uint64(i), c})
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON replaces h by what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var in histogramJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("bench: histogram: %w", err)
	}
	*h = Histogram{}
	for _, pair := range in.Counts {
		if pair[0] >= buckets {
			return errors.New("bench: histogram: bucket out of range")
		}
		if h.counts == nil {
			h.counts = make([]uint64, buckets)
		}
		h.counts[pair[0]] += pair[1]
		h.n += pair[1]
	}
	h.min, h.max = in.Min, in.Max
	return nil
}
