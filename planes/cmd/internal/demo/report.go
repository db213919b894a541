package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the result for people. color marks the verdict.
func (r *Result) WriteText(w io.Writer, color bool) error {
	var b strings.Builder
	r.verdict(&b, color)
	b.WriteByte('\n')
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	c := r.Counters
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("streams", "%s, %s of them open at once; %s ends, %s clean", num(r.Streams), num(r.PeakOpen), num(r.Terminals), num(r.CleanEnds))
	row("items", "%s, %s a stream", num(r.Items), num(r.Source.Totals.Items))
	row("bytes", "%s of text, %s on the wire", size(r.Bytes), size(int64(c.WireBytesToRouter+c.WireBytesToWorker)))
	if len(r.First) > 0 {
		row("time to first item", "p50 %s, p99 %s", short(r.firstItem(50)), short(r.firstItem(99)))
	} else {
		row("time to first item", "no items")
	}
	row("items/s", "%s over %s%s", num(int64(r.itemsPerSecond())), short(r.Elapsed), r.paceText())
	row("batching ratio", "%.1f items a write system call of the worker", r.batching())
	row("system calls saved", "%s: %s frames went in %s writes (worker %s, router %s)", num(r.saved()),
		num(c.FramesToRouter+c.FramesToWorker), num(c.WritesOfWorker+c.WritesOfRouter), num(c.WritesOfWorker), num(c.WritesOfRouter))
	_ = tw.Flush() // into a Builder, which never fails
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) paceText() string {
	if r.Rate == 0 {
		return ", as fast as it goes"
	}
	return fmt.Sprintf(", each stream held to %s a second (--rate 0 lets go)", strconv.FormatFloat(r.Rate, 'f', -1, 64))
}

func (r *Result) verdict(b *strings.Builder, color bool) {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	switch {
	case r.OK():
		fmt.Fprintf(b, "%s  %s of %s streams arrived whole: SHA-256 equal, one clean end each\n", paint("32", "ok"), num(r.Whole), num(r.Streams))
		return
	case len(r.Failures) == 0:
		fmt.Fprintf(b, "%s  %s of %s streams had arrived whole\n", paint("33", "interrupted"), num(r.Whole), num(r.Streams))
		return
	}
	fmt.Fprintf(b, "%s  %s of %s streams arrived whole\n", paint("31", "FAILED"), num(r.Whole), num(r.Streams))
	for _, f := range r.Failures[:min(len(r.Failures), maxListed)] {
		if f.Stream < 0 {
			fmt.Fprintf(b, "  %s\n", f.Why)
			continue
		}
		fmt.Fprintf(b, "  stream %d: %s\n", f.Stream+1, f.Why)
	}
	if more := len(r.Failures) - maxListed; more > 0 {
		fmt.Fprintf(b, "  and %s more\n", num(more))
	}
}

// num writes a number with commas.
func num[T int | int64 | uint64](n T) string { return thousands(int64(n)) }

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// size writes a number of bytes with three digits.
func size(n int64) string {
	if n < 10_000 {
		return thousands(n) + " B"
	}
	f, unit := float64(n), ""
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		f, unit = f/1000, u
		if f < 999.5 {
			break
		}
	}
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f %s", f, unit)
	case f < 99.95:
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// short writes a time with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f us", microseconds(d))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", microseconds(d)/1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
