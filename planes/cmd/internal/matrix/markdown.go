package matrix

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/planes"
)

// Markdown writes the combinations that a run has proved as a table: a row for each
// request transport, a column for each way of answering.
func Markdown(results []Result) string {
	columns := []struct {
		title string
		is    func(Cell) bool
	}{
		{"same stream or exchange", func(c Cell) bool { return c.Response == planes.Exchange }},
		{"attached GET", func(c Cell) bool { return c.Response == planes.HTTP }},
		{"call-home single", func(c Cell) bool { return c.Mode == "single" }},
		{"call-home pooled", func(c Cell) bool { return c.Mode == "pooled" }},
		{"call-home mux", func(c Cell) bool { return c.Mode == "mux" }},
	}
	var b, notes strings.Builder
	b.WriteString("| request | ")
	for _, col := range columns {
		b.WriteString(col.title + " | ")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	excluded := 0
	for _, q := range Requests {
		fmt.Fprintf(&b, "| %s | ", requestNames[q])
		for _, col := range columns {
			var words []string
			for _, r := range results {
				if r.Request != q || !col.is(r.Cell) {
					continue
				}
				switch {
				case r.Excluded != "":
					excluded++
					words = append(words, fmt.Sprintf("no (%d)", excluded))
					fmt.Fprintf(&notes, "%d. %s\n", excluded, strings.ToUpper(r.Excluded[:1])+r.Excluded[1:]+".")
				case r.Errors > 0:
					words = append(words, "FAILED")
				case r.Format != "":
					words = append(words, formatNames[r.Format])
				default:
					words = append(words, "yes")
				}
			}
			b.WriteString(strings.Join(words, ", ") + " | ")
		}
		b.WriteString("\n")
	}
	return strings.ReplaceAll(b.String(), " \n", "\n") + "\n" + notes.String()
}
