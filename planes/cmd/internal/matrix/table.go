package matrix

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the results as a table; excluded cells come behind it, with their
// reason.
func WriteTable(w io.Writer, results []Result) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "request\tresponse\tfirst item p50\tp99\titems/s\tcalls/s\tconnections\treuse\t")
	for _, r := range results {
		switch {
		case r.Excluded != "":
		case r.Errors > 0:
			_, _ = fmt.Fprintf(t, "%s\t%s\tFAILED %d of %d\t\t\t\t\t\t\n", r.RequestName(), r.ResponseName(), r.Errors, r.Load.Calls)
		default:
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f %%\t\n", r.RequestName(), r.ResponseName(),
				duration(r.FirstP50Us), duration(r.FirstP99Us), count(r.ItemsPerSec), count(r.CallsPerSec), connections(r), 100*r.Reuse)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if r.Excluded != "" {
			_, _ = fmt.Fprintf(&b, "not there: %s + %s: %s\n", r.RequestName(), r.ResponseName(), r.Excluded)
		}
		if r.Fault != "" {
			_, _ = fmt.Fprintf(&b, "FAILED: %s + %s: %s\n", r.RequestName(), r.ResponseName(), r.Fault)
		}
	}
	_, err := w.Write(trimRight(b.Bytes()))
	return err
}

// trimRight takes away the blanks at the ends of lines.
func trimRight(b []byte) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		out = append(append(out, bytes.TrimRight(line, " \n")...), '\n')
	}
	return out
}

// connections are those that a run made, of requests and of answers.
func connections(r Result) string {
	return fmt.Sprintf("%d+%d", r.RequestConns, r.ResponseConns)
}

func duration(us float64) string {
	if us >= 1000 {
		return fmt.Sprintf("%.2f ms", us/1000)
	}
	return fmt.Sprintf("%.0f us", us)
}

func count(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.2f M", n/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.1f k", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}
