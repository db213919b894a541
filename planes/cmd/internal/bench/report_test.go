package bench_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

func TestRowsHaveTheAgreedKeys(t *testing.T) {
	var b bytes.Buffer
	rows := []bench.Row{{Workload: "unary64-c1", Handler: bench.Inline, Ratio: 0.8}, {}}
	if err := bench.WriteJSONLines(&b, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"workload", "handler", "ratio", "rate", "p50_us", "p99_us", "cpu_us_server", "cpu_us_client"} {
			if _, ok := m[key]; !ok {
				t.Errorf("no key %q in %s", key, line)
			}
		}
	}
}

func TestSummaryIsThePlaneWhenItWasMeasured(t *testing.T) {
	cfg := config(t, "wireplane", "bytes")
	cfg.Handler = bench.Inline
	rows, err := bench.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	names := func(rows []bench.Row) string {
		var s []string
		for _, r := range rows {
			s = append(s, r.Contender)
		}
		return strings.Join(s, " ")
	}
	if got := names(rows); got != "bytes wireplane bytes" {
		t.Errorf("Run = %s", got)
	}
	if got := names(bench.Summary(rows)); got != "wireplane" {
		t.Errorf("Summary = %s", got)
	}
	others := []bench.Row{rows[0], rows[2]}
	if got := bench.Summary(others); len(got) != 1 || got[0].Contender != "bytes" {
		t.Errorf("Summary without the plane = %s", names(got))
	}
	if got := bench.Summary(rows[:1]); len(got) != 1 {
		t.Errorf("Summary of the floor alone = %s", names(got))
	}
	var b bytes.Buffer
	if err := bench.WriteTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"unary64-c1", "wireplane inline", "0.80", "Medians of 2 rounds", "The floor"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
	table, _, _ := strings.Cut(b.String(), "\n\n")
	if strings.Count(table, "unary64-c1") != 1 {
		t.Errorf("the workload's name is repeated:\n%s", table)
	}
}
