package bench_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

func TestQuantilesAreWithinOnePercentOfTheSortedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"small and exact": func() time.Duration { return time.Duration(rng.IntN(200)) },
		"uniform":         func() time.Duration { return time.Duration(rng.IntN(1_000_000)) },
		"over decades":    func() time.Duration { return time.Duration(math.Exp(rng.Float64() * 25)) },
		"two humps": func() time.Duration {
			return time.Duration(15_000+rng.IntN(500)) + time.Duration(rng.IntN(2))*45*time.Microsecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h bench.Histogram
			var all []time.Duration
			for range 5000 {
				d := draw()
				h.Record(d)
				all = append(all, d)
			}
			slices.Sort(all)
			for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
				want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
				got := h.Quantile(q)
				if diff := (got - want).Abs(); float64(diff) > 0.01*float64(want)+1 {
					t.Errorf("Quantile(%v) = %v, sorted values say %v", q, got, want)
				}
			}
			if got := h.Quantile(1); got > all[len(all)-1] || h.Quantile(0) < all[0] {
				t.Errorf("quantiles %v..%v leave the range %v..%v", h.Quantile(0), got, all[0], all[len(all)-1])
			}
		})
	}
}

func TestQuantileNeverFallsAsTheShareGrows(t *testing.T) {
	var h bench.Histogram
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		h.Record(time.Duration(rng.ExpFloat64() * 1e6))
	}
	last := time.Duration(-1)
	for q := 0.0; q <= 1; q += 0.001 {
		if got := h.Quantile(q); got < last {
			t.Fatalf("Quantile(%v) = %v after %v", q, got, last)
		} else {
			last = got
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	var h bench.Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram is not zero")
	}
	h.RecordN(time.Second, 0)
	h.RecordN(time.Second, -3)
	if h.Count() != 0 {
		t.Errorf("recording nothing counts %d", h.Count())
	}
	h.Record(-time.Second)
	h.Record(math.MaxInt64)
	if h.Count() != 2 || h.Quantile(0) != 0 || h.Quantile(1) < time.Hour {
		t.Errorf("out of range: %d values, %v..%v", h.Count(), h.Quantile(0), h.Quantile(1))
	}
	if h.Quantile(-1) != h.Quantile(0) || h.Quantile(2) != h.Quantile(1) {
		t.Error("a share outside 0..1 is not clamped")
	}
}

func TestMergeEqualsRecordingEverythingInOne(t *testing.T) {
	var a, b, both bench.Histogram
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 2000 {
		d := time.Duration(rng.IntN(1 << 30))
		both.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	var empty bench.Histogram
	a.Merge(&b)
	a.Merge(&empty)
	empty.Merge(&a)
	for _, h := range []*bench.Histogram{&a, &empty} {
		if h.Count() != both.Count() {
			t.Errorf("%d values, want %d", h.Count(), both.Count())
		}
		for _, q := range []float64{0, 0.1, 0.5, 0.99, 1} {
			if h.Quantile(q) != both.Quantile(q) {
				t.Errorf("Quantile(%v) = %v, want %v", q, h.Quantile(q), both.Quantile(q))
			}
		}
	}
}

func TestHistogramSurvivesJSON(t *testing.T) {
	var h bench.Histogram
	for i := range 100 {
		h.RecordN(time.Duration(i*i*i), i)
	}
	data, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	var got bench.Histogram
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, q := range []float64{0, 0.3, 0.5, 0.99, 1} {
		if got.Quantile(q) != h.Quantile(q) {
			t.Errorf("Quantile(%v) = %v, was %v", q, got.Quantile(q), h.Quantile(q))
		}
	}
	for _, bad := range []string{`{"counts":[[999999,1]]}`, `{"counts":7}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// FuzzHistogram records two values and checks that both quantiles find them.
func FuzzHistogram(f *testing.F) {
	f.Add(int64(0), int64(1))
	f.Add(int64(127), int64(128))
	f.Add(int64(255), int64(256))
	f.Add(int64(-5), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, a, b int64) {
		const most = 1<<42 - 1
		var h bench.Histogram
		h.Record(time.Duration(a))
		h.Record(time.Duration(b))
		low, high := min(max(min(a, b), 0), most), min(max(a, b, 0), most)
		for q, want := range map[float64]int64{0.5: low, 1: high} {
			got := int64(h.Quantile(q))
			if got < low || got > high || math.Abs(float64(got-want)) > float64(want)/128+1 {
				t.Errorf("Quantile(%v) of %d and %d = %d", q, a, b, got)
			}
		}
	})
}
