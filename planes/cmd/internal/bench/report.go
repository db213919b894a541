package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// Row is the summary of all rounds of one contender on one workload. Every figure
// is the median over the rounds; the ratio is the median of the rounds' ratios,
// not the ratio of the medians. Rates and costs are per request, or per item of a
// stream; latencies are of a whole call. Zero peers are left out of the JSON form.
type Row struct {
	Workload     string    `json:"workload"`
	Handler      string    `json:"handler"`
	Ratio        float64   `json:"ratio"` // to the floor of the same round
	Rate         float64   `json:"rate"`  // a second
	P50Micros    float64   `json:"p50_us"`
	P99Micros    float64   `json:"p99_us"`
	CPUServer    float64   `json:"cpu_us_server"`
	CPUClient    float64   `json:"cpu_us_client"`
	Contender    string    `json:"contender"`
	Rounds       int       `json:"rounds"`
	P999Micros   float64   `json:"p999_us"`
	RatioMin     float64   `json:"ratio_min"`
	RatioMax     float64   `json:"ratio_max"`
	FloorRate    float64   `json:"raw_rate"`
	Rates        []float64 `json:"rates"` // round by round
	AllocsServer float64   `json:"allocs_server"`
	AllocsClient float64   `json:"allocs_client"`
	CallsServer  float64   `json:"syscalls_server,omitempty"` // where the contender counts them
	CallsClient  float64   `json:"syscalls_client,omitempty"`
	Target       float64   `json:"target,omitempty"` // ratio that the project asks for

	title string
	floor bool
}

func newRow(w Workload, e Entry, ms, floor []Measurement) Row {
	median := func(ms []Measurement, f func(Measurement) float64) float64 { return Median(pick(ms, f)) }
	micros := func(f func(Measurement) time.Duration) float64 {
		return round(median(ms, func(m Measurement) float64 { return float64(f(m).Nanoseconds()) / 1e3 }))
	}
	rate := func(m Measurement) float64 { return m.Rate }
	ratios := Ratios(pick(ms, rate), pick(floor, rate))
	row := Row{
		Workload: w.Name, Handler: e.Handler, Contender: e.Name, Rounds: len(ms),
		title: e.Title(), floor: &ms[0] == &floor[0],
		Ratio: round(Median(ratios)), RatioMin: round(slices.Min(ratios)), RatioMax: round(slices.Max(ratios)),
		Rate:         math.Round(median(ms, rate)),
		Rates:        rounded(pick(ms, rate)),
		FloorRate:    math.Round(median(floor, rate)),
		P50Micros:    micros(func(m Measurement) time.Duration { return m.P50 }),
		P99Micros:    micros(func(m Measurement) time.Duration { return m.P99 }),
		P999Micros:   micros(func(m Measurement) time.Duration { return m.P999 }),
		CPUServer:    round(median(ms, func(m Measurement) float64 { return m.CPUServer })),
		CPUClient:    round(median(ms, func(m Measurement) float64 { return m.CPUClient })),
		AllocsServer: round(median(ms, func(m Measurement) float64 { return m.AllocsServer })),
		AllocsClient: round(median(ms, func(m Measurement) float64 { return m.AllocsClient })),
		CallsServer:  round(median(ms, func(m Measurement) float64 { return m.CallsServer })),
		CallsClient:  round(median(ms, func(m Measurement) float64 { return m.CallsClient })),
	}
	if e.Name == Plane {
		row.Target = Target(w.Name, e.Handler)
	}
	return row
}

// Plane is the name of the contender that the project's targets are for.
const Plane = "wireplane"

func pick(ms []Measurement, f func(Measurement) float64) []float64 {
	out := make([]float64, len(ms))
	for i, m := range ms {
		out[i] = f(m)
	}
	return out
}

// round keeps four decimals: more is noise.
func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }

func rounded(vs []float64) []float64 {
	for i := range vs {
		vs[i] = math.Round(vs[i])
	}
	return vs
}

// Summary returns the rows that belong into a record of results: those of the
// plane when it was measured, else those of every contender but the floor. A
// yardstick's row would otherwise stand under the same workload and handler.
func Summary(rows []Row) []Row {
	var plane, rest []Row
	for _, r := range rows {
		switch {
		case r.Contender == Plane:
			plane = append(plane, r)
		case !r.floor:
			rest = append(rest, r)
		}
	}
	switch {
	case len(plane) > 0:
		return plane
	case len(rest) > 0:
		return rest
	}
	return rows
}

// WriteJSONLines writes one object a line for each row.
func WriteJSONLines(w io.Writer, rows []Row) error {
	enc := json.NewEncoder(w)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("bench: writing results: %w", err)
		}
	}
	return nil
}

// WriteTable writes rows for people, with a line below on whether the floor is a
// floor: whether no contender was faster.
func WriteTable(w io.Writer, rows []Row) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(tw, "workload\tcontender\trate/s\tratio\tmin..max\ttarget\tp50 us\tp99 us\tp99.9 us\tCPU us srv\tCPU us cli\tallocs srv\tallocs cli\t")
	last := ""
	for _, r := range rows {
		name := r.Workload
		if name == last {
			name = ""
		}
		last = r.Workload
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%.2f\t%.2f..%.2f\t%s\t%.1f\t%.1f\t%.1f\t%.3f\t%.3f\t%.2f\t%.2f\t\n",
			name, r.title, rateText(r.Rate), r.Ratio, r.RatioMin, r.RatioMax, verdict(r),
			r.P50Micros, r.P99Micros, r.P999Micros, r.CPUServer, r.CPUClient, r.AllocsServer, r.AllocsClient)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("bench: writing the table: %w", err)
	}
	_, err := fmt.Fprintf(w, "\nMedians of %d rounds; ratio is to the raw floor of the same round. %s\n", rows[0].Rounds, floorText(rows))
	if err != nil {
		return fmt.Errorf("bench: writing the table: %w", err)
	}
	return nil
}

// verdict says what was asked for and whether it was reached.
func verdict(r Row) string {
	switch {
	case r.Target == 0:
		return "-"
	case r.Ratio >= r.Target:
		return fmt.Sprintf("%.2f ok", r.Target)
	}
	return fmt.Sprintf("%.2f below", r.Target)
}

func floorText(rows []Row) string {
	var faster []string
	for _, r := range rows {
		if !r.floor && r.Ratio > 1 {
			faster = append(faster, fmt.Sprintf("%s on %s (%.2f)", r.title, r.Workload, r.Ratio))
		}
	}
	if len(faster) == 0 {
		return "The floor beats every contender."
	}
	text := "The floor is NOT the fastest: "
	for i, f := range faster {
		if i > 0 {
			text += ", "
		}
		text += f
	}
	return text + "."
}

func rateText(v float64) string {
	switch {
	case v >= 1e7:
		return fmt.Sprintf("%.1f M", v/1e6)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
