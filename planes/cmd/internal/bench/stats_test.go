package bench_test

import (
	"slices"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

func TestMedian(t *testing.T) {
	for name, test := range map[string]struct {
		in   []float64
		want float64
	}{
		"none":               {nil, 0},
		"one":                {[]float64{3}, 3},
		"odd number":         {[]float64{9, 1, 5}, 5},
		"even number":        {[]float64{4, 1, 3, 2}, 2.5},
		"an outlier is idle": {[]float64{1, 1, 1e9, 1, 1}, 1},
	} {
		before := slices.Clone(test.in)
		if got := bench.Median(test.in); got != test.want {
			t.Errorf("%s: Median = %v, want %v", name, got, test.want)
		}
		if !slices.Equal(before, test.in) {
			t.Errorf("%s: Median changed its argument", name)
		}
	}
}

func TestRatiosPairRounds(t *testing.T) {
	// The machine was twice as fast in the second round: the ratio does not care.
	got := bench.Ratios([]float64{50, 100, 30, 7}, []float64{100, 200, 0})
	if want := []float64{0.5, 0.5}; !slices.Equal(got, want) {
		t.Errorf("Ratios = %v, want %v", got, want)
	}
}

func TestWorkloads(t *testing.T) {
	var names []string
	for _, w := range bench.FloorSuite() {
		names = append(names, w.Name)
		if err := w.Validate(); err != nil || w.Conns != 1 {
			t.Errorf("%s: %v, %d connections", w.Name, err, w.Conns)
		}
		if w.Name != "unary4k-c16" && (bench.Target(w.Name, bench.Inline) <= 0 || bench.Target(w.Name, bench.Goroutine) <= 0) {
			t.Errorf("%s has no target", w.Name)
		}
	}
	want := []string{"unary64-c1", "unary64-c16", "unary64-c256", "unary4k-c16", "stream-x1", "stream-x64"}
	if !slices.Equal(names, want) {
		t.Errorf("suite %v, want %v", names, want)
	}
	for want, w := range map[string]bench.Workload{
		"unary64-c16":       {Conns: 1, Inflight: 16, SizeBytes: 64},
		"unary4k-c1":        {Conns: 1, Inflight: 1, SizeBytes: 4096},
		"unary100-c8-n4":    {Conns: 4, Inflight: 8, SizeBytes: 100},
		"stream64x256-x2":   {Conns: 1, Inflight: 2, SizeBytes: 64, StreamItems: 256},
		"stream1kx1-x3-n2":  {Conns: 2, Inflight: 3, SizeBytes: 1024, StreamItems: 1},
		"unary0-c16":        {Conns: 1, Inflight: 16},
		"unary1500-c16":     {Conns: 1, Inflight: 16, SizeBytes: 1500},
		"stream2kx2-x1":     {Conns: 1, Inflight: 1, SizeBytes: 2048, StreamItems: 2},
		"unary256k-c16-n16": {Conns: 16, Inflight: 16, SizeBytes: 256 << 10},
	} {
		if got := w.WithName().Name; got != want {
			t.Errorf("WithName = %q, want %q", got, want)
		}
		if err := w.Validate(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	for name, w := range map[string]bench.Workload{
		"nothing":                {},
		"idle connections":       {Conns: 4, Inflight: 3},
		"too many connections":   {Conns: 1 << 20, Inflight: 1 << 20},
		"negative size":          {Conns: 1, Inflight: 1, SizeBytes: -1},
		"too large":              {Conns: 1, Inflight: 1, SizeBytes: 1 << 30},
		"negative stream length": {Conns: 1, Inflight: 1, StreamItems: -1},
	} {
		if w.Validate() == nil {
			t.Errorf("%s: Validate = nil", name)
		}
	}
}
