// Command benchcodec measures generated codecs beside code written by hand and
// prints one line for each contender, message and operation.
//
//	go run ./codec/internal/benchcodec [-json FILE] [-rounds 61] [-time 3ms]
//
// The contenders take turns, so that a slow spell of the machine hits both; a
// figure is the median of its rounds and a ratio the median of the rounds' ratios.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wireplane/wireplane/codec/internal/benchwire"
)

func main() {
	jsonFile := flag.String("json", "", "also write one JSON object a line to this `file`")
	rounds := flag.Int("rounds", 61, "turns of each contender, at least 7")
	span := flag.Duration("time", 3*time.Millisecond, "length of one turn")
	flag.Parse()
	if *rounds < 7 {
		fmt.Fprintln(os.Stderr, "benchcodec: at least 7 rounds")
		os.Exit(2)
	}
	all, err := contests()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchcodec:", err)
		os.Exit(1)
	}
	results := run(all, *rounds, *span)
	table(os.Stdout, results)
	if *jsonFile != "" {
		if err := writeJSON(*jsonFile, results); err != nil {
			fmt.Fprintln(os.Stderr, "benchcodec:", err)
			os.Exit(1)
		}
	}
}

// result is one line of the table.
type result struct {
	Contender string  `json:"contender"`
	Message   string  `json:"message"`
	Op        string  `json:"op"`
	NS        float64 `json:"ns"`
	Allocs    float64 `json:"allocs"`
	Ratio     float64 `json:"ratio"` // to the hand-written floor
}

// contest is one operation on one message by both contenders. Each function runs
// the operation n times in a loop of its own.
type contest struct {
	message, op      string
	floor, generated func(n int)
}

func run(all []contest, rounds int, span time.Duration) []result {
	var out []result
	for _, c := range all {
		n := calibrate(c.floor, span)
		floor, generated, ratio := make([]float64, rounds), make([]float64, rounds), make([]float64, rounds)
		for i := range rounds {
			// Who goes first alternates.
			if i%2 == 0 {
				floor[i] = turn(c.floor, n)
				generated[i] = turn(c.generated, n)
			} else {
				generated[i] = turn(c.generated, n)
				floor[i] = turn(c.floor, n)
			}
			ratio[i] = generated[i] / floor[i]
		}
		out = append(out,
			result{"floor", c.message, c.op, median(floor), allocs(c.floor), 1},
			result{"generated", c.message, c.op, median(generated), allocs(c.generated), median(ratio)})
	}
	runtime.KeepAlive(sink)
	return out
}

func turn(f func(int), n int) float64 {
	start := time.Now() //nolint:forbidigo // a benchmark measures time
	f(n)
	took := time.Since(start) //nolint:forbidigo // a benchmark measures time
	return float64(took.Nanoseconds()) / float64(n)
}

func calibrate(f func(int), span time.Duration) int {
	n := 1000
	for {
		f(n) // warm
		if d := time.Duration(turn(f, n) * float64(n)); d >= span/4 {
			return max(1, int(float64(n)*float64(span)/float64(d)))
		}
		n *= 4
	}
}

func allocs(f func(int)) float64 {
	return testing.AllocsPerRun(10, func() { f(10) }) / 10
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

// table writes the results for people.
func table(w io.Writer, results []result) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "contender\tmessage\top\tns\tallocs\tratio\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f\t%.0f\t%.2f\t\n", r.Contender, r.Message, r.Op, r.NS, r.Allocs, r.Ratio)
	}
	tw.Flush() //nolint:errcheck // the terminal is gone: nobody to tell
}

func writeJSON(name string, results []result) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return f.Close()
}

// sink keeps results alive, so that the compiler cannot drop the work.
var sink int

func contests() ([]contest, error) {
	small, err1 := smallContests()
	packet, err2 := packetContests()
	summed, err3 := summedContests()
	return slices.Concat(small, packet, summed), errors.Join(err1, err2, err3)
}

func smallContests() ([]contest, error) {
	m, d := benchwire.SmallValue(), new(benchwire.Small)
	buf := make([]byte, 0, 4096)
	in, err := m.Append(nil)
	return []contest{
		{"small", "encode", func(n int) {
			for range n {
				b, _ := benchwire.FloorAppendSmall(&m, buf)
				sink = len(b)
			}
		}, func(n int) {
			for range n {
				b, _ := m.Append(buf)
				sink = len(b)
			}
		}},
		{"small", "decode", func(n int) {
			for range n {
				sink, _ = benchwire.FloorDecodeSmall(d, in)
			}
		}, func(n int) {
			for range n {
				sink, _ = d.Decode(in, nil)
			}
		}},
	}, err
}

func packetContests() ([]contest, error) {
	m, d, lim := benchwire.PacketValue(), new(benchwire.Packet), benchwire.DefaultLimits()
	buf := make([]byte, 0, 4096)
	in, err := m.Append(nil)
	return []contest{
		{"frame", "encode", func(n int) {
			for range n {
				b, _ := benchwire.FloorAppendPacket(&m, buf)
				sink = len(b)
			}
		}, func(n int) {
			for range n {
				b, _ := m.Append(buf)
				sink = len(b)
			}
		}},
		{"frame", "head", func(n int) {
			for range n {
				b, tail, _ := benchwire.FloorHeadPacket(&m, buf)
				sink = len(b) + len(tail)
			}
		}, func(n int) {
			for range n {
				b, tail, _ := m.AppendHead(buf)
				sink = len(b) + len(tail)
			}
		}},
		{"frame", "decode", func(n int) {
			for range n {
				sink, _ = benchwire.FloorDecodePacket(d, in, &lim)
			}
		}, func(n int) {
			for range n {
				sink, _ = d.Decode(in, &lim)
			}
		}},
	}, err
}

func summedContests() ([]contest, error) {
	m, d, lim := benchwire.SummedValue(), new(benchwire.Summed), benchwire.DefaultLimits()
	buf := make([]byte, 0, 4096)
	in, err := m.Append(nil)
	return []contest{
		{"frame-crc32c", "encode", func(n int) {
			for range n {
				b, _ := benchwire.FloorAppendSummed(&m, buf)
				sink = len(b)
			}
		}, func(n int) {
			for range n {
				b, _ := m.Append(buf)
				sink = len(b)
			}
		}},
		{"frame-crc32c", "decode", func(n int) {
			for range n {
				sink, _ = benchwire.FloorDecodeSummed(d, in, &lim)
			}
		}, func(n int) {
			for range n {
				sink, _ = d.Decode(in, &lim)
			}
		}},
	}, err
}
