package matrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
)

// Comparison is a question that a few cells answer, in rounds that take turns.
type Comparison struct {
	Name  string
	About string
	Load  Load
	Cells []Cell // the first is what the others are compared with
}

// Comparisons are those of "wireplane bench --suite combinations".
func Comparisons() []Comparison {
	single := Cell{Request: planes.TCP, Response: planes.TCP, Mode: "single"}
	pooled := Cell{Request: planes.TCP, Response: planes.TCP, Mode: "pooled"}
	muxed := Cell{Request: planes.TCP, Response: planes.TCP, Mode: "mux"}
	same := Cell{Request: planes.TCP, Response: planes.Exchange}
	home := Cell{Request: planes.HTTP, Response: planes.TCP, Mode: "pooled"}
	list := []Comparison{
		{"pool", "connection pool off (one socket a response) and on, one caller", Load{Calls: 1500, Callers: 1, Items: 1, Bytes: 64},
			[]Cell{single, pooled, muxed}},
		{"pool-16", "the same, 16 callers", Load{Calls: 4000, Callers: 16, Items: 1, Bytes: 64}, []Cell{single, pooled, muxed}},
		{"churn-64", "request churn, 64 callers, one token each", Load{Calls: 8000, Callers: 64, Items: 1, Bytes: 64},
			[]Cell{single, pooled, muxed, same}},
	}
	http := Comparison{"http", "HTTP responses beside HTTP requests with pooled TCP responses, and the multiplexed plane",
		Load{Calls: 2000, Callers: 4, Items: 16, Bytes: 64}, []Cell{home}}
	for _, f := range []string{"binary", "sse", "ndjson"} {
		http.Cells = append(http.Cells, Cell{Request: planes.HTTP, Response: planes.Exchange, Format: f})
	}
	http.Cells = append(http.Cells, Cell{Request: planes.H2C, Response: planes.Exchange, Format: "binary"}, same)
	return append(list, http)
}

// Row is a cell of a comparison: the median of its rounds, and its ratios to the first
// cell of the same round.
type Row struct {
	Comparison string `json:"comparison"`
	Result
	Rounds     int     `json:"rounds"`
	CallP50    float64 `json:"call_p50_ratio"`
	CallP99    float64 `json:"call_p99_ratio"`
	Throughput float64 `json:"calls_per_second_ratio"`
}

// Compare runs a comparison. The worlds of all cells stand at once, and only one works
// at a time.
func Compare(ctx context.Context, c Comparison, rounds int, base stack.Options) (rows []Row, err error) {
	var worlds []*World
	defer func() {
		for _, w := range worlds {
			err = errors.Join(err, w.Close())
		}
	}()
	for _, cell := range c.Cells {
		w, err := Open(ctx, cell, base)
		if err != nil {
			return nil, fmt.Errorf("%s + %s: %w", cell.RequestName(), cell.ResponseName(), err)
		}
		worlds = append(worlds, w)
	}
	all := make([][]Result, len(worlds))
	for range rounds {
		for i, w := range worlds {
			r := w.Run(ctx, c.Load)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			all[i] = append(all[i], r)
		}
	}
	for i, cell := range c.Cells {
		row := Row{Comparison: c.Name, Rounds: rounds, Result: Result{Cell: cell, Load: c.Load}}
		for _, r := range all[i] {
			row.Errors += r.Errors
			row.RequestConns += r.RequestConns
			row.ResponseConns += r.ResponseConns
			if row.Fault == "" {
				row.Fault = r.Fault
			}
		}
		med := func(f func(Result) float64) float64 { return median(all[i], nil, f) }
		ratio := func(f func(Result) float64) float64 { return median(all[i], all[0], f) }
		row.FirstP50Us, row.FirstP99Us = med(firstP50), med(firstP99)
		row.CallP50Us, row.CallP99Us = med(callP50), med(callP99)
		row.ItemsPerSec, row.CallsPerSec, row.Reuse = med(itemRate), med(callRate), med(reuse)
		row.CallP50, row.CallP99, row.Throughput = ratio(callP50), ratio(callP99), ratio(callRate)
		rows = append(rows, row)
	}
	return rows, nil
}

func firstP50(r Result) float64 { return r.FirstP50Us }
func firstP99(r Result) float64 { return r.FirstP99Us }
func callP50(r Result) float64  { return r.CallP50Us }
func callP99(r Result) float64  { return r.CallP99Us }
func itemRate(r Result) float64 { return r.ItemsPerSec }
func callRate(r Result) float64 { return r.CallsPerSec }
func reuse(r Result) float64    { return r.Reuse }

// median returns the median of f over the rounds, divided by that of base in the same
// round if there is one.
func median(rounds, base []Result, f func(Result) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = f(r)
		if base != nil {
			values[i] /= max(f(base[i]), 1e-9)
		}
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// WriteComparison writes the rows of one comparison.
func WriteComparison(w io.Writer, c Comparison, rows []Row) error {
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "%s: %s\n%d calls a round, %d at once, %d items of %d bytes; medians of %d rounds that took turns; ratios to the first row of the same round\n",
		c.Name, c.About, c.Load.Calls, c.Load.Callers, c.Load.Items, c.Load.Bytes, rows[0].Rounds)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "request\tresponse\tcall p50\tratio\tcall p99\tratio\tcalls/s\tratio\tconnections\treuse\terrors\t")
	for _, r := range rows {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%s\t%.2f\t%s\t%.2f\t%s\t%.2f %%\t%d\t\n", r.RequestName(), r.ResponseName(), duration(r.CallP50Us), r.CallP50,
			duration(r.CallP99Us), r.CallP99, count(r.CallsPerSec), r.Throughput, connections(r.Result), 100*r.Reuse, r.Errors)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Fault != "" {
			_, _ = fmt.Fprintf(&b, "FAILED: %s + %s: %s\n", r.RequestName(), r.ResponseName(), r.Fault)
		}
	}
	b.WriteByte('\n')
	_, err := w.Write(trimRight(b.Bytes()))
	return err
}
