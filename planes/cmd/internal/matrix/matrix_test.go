package matrix_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/matrix"
)

var update = flag.Bool("update", false, "rewrite the table of the README")

// readme is the README, whose table of combinations is what TestEveryCombination has run.
const readme = "../../../../README.md"

func checkREADME(t *testing.T, table string) {
	t.Helper()
	b, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	const from, to = "<!-- combinations: written by make generate -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(b), from)
	old, after, end := strings.Cut(rest, to)
	switch {
	case !ok || !end:
		t.Fatalf("the README has no %s ... %s", from, to)
	case *update:
		if err := os.WriteFile(readme, []byte(before+from+table+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table:
		t.Errorf("the README's table is not what has run; make generate. It is:\n%s", table)
	}
}

// Every combination carries every item, and connections are reused where the
// combination says so.
func TestEveryCombination(t *testing.T) {
	load := matrix.Load{Calls: 40, Callers: 4, Items: 5, Bytes: 64}
	ran := 0
	results, err := matrix.RunAll(testenv.Context(t, time.Minute), load, func(int, int, matrix.Cell) { ran++ })
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(matrix.All()) || ran != len(results)+1 {
		t.Errorf("%d results of %d combinations, %d announced", len(results), len(matrix.All()), ran)
	}
	for _, r := range results {
		name := r.RequestName() + " + " + r.ResponseName()
		switch {
		case r.Excluded != "":
		case r.Errors > 0 || r.ItemsPerSec <= 0 || r.FirstP99Us < r.FirstP50Us:
			t.Errorf("%s: %+v", name, r)
		case r.Mode == "single" && (r.ResponseConns != 40 || r.Reuse != 0):
			t.Errorf("%s: %d connections for 40 answers", name, r.ResponseConns)
		case r.Mode == "mux" && r.ResponseConns > 0:
			t.Errorf("%s: %d connections beside the one that the warm-up made", name, r.ResponseConns)
		case r.Mode != "single" && r.Reuse < 0.5:
			t.Errorf("%s: reuse %.2f, %d connections", name, r.Reuse, r.ResponseConns)
		}
	}
	checkREADME(t, matrix.Markdown(results))
	var b bytes.Buffer
	if err := matrix.WriteTable(&b, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mux TCP       same stream", "NATS          call-home pooled", "h2c           exchange, SSE", "not there: NATS + same stream: "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

// The combinations are those of the issue: five request transports, each with every
// response that it can have, the others with a reason.
func TestCellsAreComplete(t *testing.T) {
	seen := map[planes.TransportID]int{}
	for _, c := range matrix.All() {
		seen[c.Request]++
		if c.RequestName() == "" || c.ResponseName() == "" {
			t.Errorf("%+v has no name", c)
		}
	}
	for id, n := range map[planes.TransportID]int{planes.TCP: 5, planes.DynamoTCP: 5, planes.HTTP: 7, planes.H2C: 7, planes.NATS: 5} {
		if seen[id] != n {
			t.Errorf("%s: %d combinations, want %d", id, seen[id], n)
		}
	}
}

// A comparison takes turns and gives ratios to its first cell.
func TestCompare(t *testing.T) {
	base, stop, err := matrix.Base()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, c := range matrix.Comparisons() {
		c.Load = matrix.Load{Calls: 20, Callers: 2, Items: 1, Bytes: 16}
		rows, err := matrix.Compare(testenv.Context(t, time.Minute), c, 2, base)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if len(rows) != len(c.Cells) || rows[0].CallP50 != 1 || rows[0].Throughput != 1 {
			t.Errorf("%s: %+v", c.Name, rows)
		}
		for _, r := range rows {
			if r.Errors > 0 || r.CallP50 <= 0 {
				t.Errorf("%s: %+v", c.Name, r)
			}
		}
		var b bytes.Buffer
		if err := matrix.WriteComparison(&b, c, rows); err != nil || !strings.Contains(b.String(), c.About) {
			t.Errorf("%v:\n%s", err, b.String())
		}
	}
}

// A run that is interrupted says so and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := matrix.RunAll(ctx, matrix.Load{Calls: 10, Callers: 1, Items: 1, Bytes: 16}, func(done, _ int, _ matrix.Cell) {
		if done == 2 {
			cancel()
		}
	})
	if err == nil {
		t.Error("no error")
	}
}

// 10,000 callers of a cold target: the dial budget holds, and nobody hangs.
func TestColdTarget(t *testing.T) {
	r, err := matrix.Cold(t.Context(), 10000, 20*time.Second)
	if err != nil || r.Served+r.Failed != r.Callers || r.Hung > 0 || r.Failed > 0 || r.MostDials > int64(r.DialLimit) || r.Connections > 200 {
		t.Errorf("%+v, %v", r, err)
	}
	if !strings.HasPrefix(r.String(), "cold: 10000 callers") {
		t.Error(r.String())
	}
}
