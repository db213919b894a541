package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/matrix"
)

// suiteCombinations is the suite that compares ways to make a call, rather than loads
// of one way.
const suiteCombinations = "combinations"

// benchCombinations runs the comparisons of the transports: worker and router in this
// process, real sockets on loopback.
func benchCombinations(ctx context.Context, o benchOptions, stdout, stderr io.Writer) error {
	base, stop, err := matrix.Base()
	if err != nil {
		return err
	}
	defer stop()
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	failed := 0
	for _, c := range matrix.Comparisons() {
		_, _ = fmt.Fprintf(stderr, "%s: %d rounds of %d ways\n", c.Name, o.config.Rounds, len(c.Cells))
		rows, err := matrix.Compare(ctx, c, o.config.Rounds, base)
		if err != nil {
			return err
		}
		for _, r := range rows {
			failed += r.Errors
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		if !o.json {
			if err := matrix.WriteComparison(stdout, c, rows); err != nil {
				return err
			}
		}
	}
	cold, err := matrix.Cold(ctx, 10000, 30*time.Second)
	if err != nil {
		return err
	}
	if err := out.Encode(cold); err != nil {
		return err
	}
	if o.json {
		_, err = stdout.Write(lines.Bytes())
	} else {
		_, err = io.WriteString(stdout, cold.String())
	}
	if err == nil && o.jsonLines != "" {
		err = os.WriteFile(o.jsonLines, lines.Bytes(), 0o644)
	}
	if err == nil && failed+cold.Failed > 0 {
		err = fmt.Errorf("%d calls failed", failed+cold.Failed)
	}
	return err
}
