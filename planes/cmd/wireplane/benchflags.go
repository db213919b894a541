package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

// benchOptions is what the arguments of the bench command say.
type benchOptions struct {
	help bool

	combinations bool // that suite; of config only Rounds counts
	json         bool
	jsonLines    string // path; empty for none
	config       bench.Config
}

// benchFlags are the flags as they are written.
type benchFlags struct {
	conns, inflight, stream, rounds, procs int
	size, suite, handler, contenders       string
	duration, warmUp                       time.Duration
	pin, json                              bool
	jsonLines, profile                     string
	set                                    map[string]bool
}

// parseBenchFlags reads args; all are the contenders that exist, the floor first.
func parseBenchFlags(args []string, all []bench.Contender) (benchOptions, error) {
	f := benchFlags{set: map[string]bool{}}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&f.conns, "conns", 1, "")
	fs.IntVar(&f.inflight, "inflight", 16, "")
	fs.StringVar(&f.size, "size", "64", "")
	fs.IntVar(&f.stream, "stream", 0, "")
	fs.DurationVar(&f.duration, "duration", 600*time.Millisecond, "")
	fs.DurationVar(&f.warmUp, "warmup", 150*time.Millisecond, "")
	fs.IntVar(&f.rounds, "rounds", 7, "")
	fs.IntVar(&f.procs, "procs", 0, "")
	fs.BoolVar(&f.pin, "pin", bench.CanPin(), "")
	fs.BoolVar(&f.json, "json", false, "")
	fs.StringVar(&f.jsonLines, "json-lines", "", "")
	fs.StringVar(&f.suite, "suite", "", "")
	fs.StringVar(&f.handler, "handler", "all", "")
	fs.StringVar(&f.contenders, "contenders", "", "")
	fs.StringVar(&f.profile, "profile", "", "")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return benchOptions{help: true}, nil
	}
	if err != nil {
		return benchOptions{}, err
	}
	if fs.NArg() > 0 {
		return benchOptions{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	fs.Visit(func(g *flag.Flag) { f.set[g.Name] = true })
	if f.suite == suiteCombinations {
		return f.combinations()
	}
	return f.options(all)
}

// combinations checks the flags of that suite, which has loads and contenders of its own.
func (f benchFlags) combinations() (benchOptions, error) {
	for name := range f.set {
		switch name {
		case "suite", "rounds", "json", "json-lines":
		default:
			return benchOptions{}, fmt.Errorf("--%s cannot be given with --suite %s", name, suiteCombinations)
		}
	}
	if f.rounds < 1 || f.rounds > 1000 {
		return benchOptions{}, fmt.Errorf("--rounds %d; want 1 to 1000", f.rounds)
	}
	return benchOptions{combinations: true, json: f.json, jsonLines: f.jsonLines, config: bench.Config{Rounds: f.rounds}}, nil
}

// options checks the flags against each other.
func (f benchFlags) options(all []bench.Contender) (benchOptions, error) {
	workloads, err := f.workloads()
	if err != nil {
		return benchOptions{}, err
	}
	contenders, err := f.chosen(all)
	if err != nil {
		return benchOptions{}, err
	}
	handler, err := f.handlerClass()
	if err != nil {
		return benchOptions{}, err
	}
	o := benchOptions{json: f.json, jsonLines: f.jsonLines, config: bench.Config{
		Floor: all[0], Contenders: contenders, Handler: handler, Workloads: workloads, Rounds: f.rounds,
		WarmUp: f.warmUp, Window: f.duration, Pin: f.pin, Procs: f.procs, ProfileDir: f.profile,
	}}
	check := o.config
	check.Command = []string{benchPeer} // the real one is set when it runs
	return o, check.Validate()
}

// workloads returns the suite, or the one workload that the flags describe.
func (f benchFlags) workloads() ([]bench.Workload, error) {
	switch f.suite {
	case "":
	case "floor":
		for _, name := range []string{"conns", "inflight", "size", "stream"} {
			if f.set[name] {
				return nil, fmt.Errorf("--%s cannot be given with --suite: a suite has its own", name)
			}
		}
		return bench.FloorSuite(), nil
	default:
		return nil, fmt.Errorf("no suite %q; there are floor and combinations", f.suite)
	}
	size, err := parseSize(f.size)
	if err != nil {
		return nil, fmt.Errorf("--size: %w", err)
	}
	w := bench.Workload{Conns: f.conns, Inflight: f.inflight, SizeBytes: size, StreamItems: f.stream}
	return []bench.Workload{w.WithName()}, nil
}

// chosen returns the contenders to measure beside the floor.
func (f benchFlags) chosen(all []bench.Contender) ([]bench.Contender, error) {
	if !f.set["contenders"] {
		return all[1:], nil
	}
	var chosen []bench.Contender
	for name := range strings.SplitSeq(f.contenders, ",") {
		c, err := bench.Find(all, strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		if c.Name != all[0].Name { // the floor is measured anyway
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

// handlerClass checks the handler flag; all is the empty class.
func (f benchFlags) handlerClass() (string, error) {
	switch f.handler {
	case "all":
		return "", nil
	case bench.Inline, bench.Goroutine:
		return f.handler, nil
	}
	return "", fmt.Errorf("no handler class %q; there are %s, %s and all", f.handler, bench.Inline, bench.Goroutine)
}

// parseSize reads a number of bytes: 64, 4k, 4KiB, 1m, 1MiB.
func parseSize(s string) (int, error) {
	digits, unit := s, ""
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits, unit = s[:i], s[i:]
	}
	var factor int
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "", "b":
		factor = 1
	case "k", "kib":
		factor = 1 << 10
	case "m", "mib":
		factor = 1 << 20
	default:
		return 0, fmt.Errorf("%q has an unknown unit; write bytes, or k, KiB, m, MiB", s)
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > math.MaxInt32/factor {
		return 0, fmt.Errorf("%q is no size in bytes", s)
	}
	return n * factor, nil
}

// benchHelp is the text of --help.
func benchHelp(all []bench.Contender) string {
	var b strings.Builder
	b.WriteString(`Measure the plane beside a raw epoll floor, client and server as separate processes.

Usage: wireplane bench [flags]

Every round measures the floor and then each contender for a short window; the
ratio is the median over the rounds of rate by floor rate. Rates and CPU time are
per request, or per item of a stream; latencies are of a whole call. The table goes
to stdout, progress to stderr.

One workload:
  --conns N         connections (default 1)
  --inflight N      calls in flight, over all connections (default 16)
  --size BYTES      payload of a request and its answer, or of an item; 64, 4k, 1MiB (default 64)
  --stream N        N items answer each request; 0 is a unary call (default 0)
  --handler CLASS   inline, goroutine or all (default all); streams are always
                    answered by goroutines
Or a fixed list of them:
  --suite floor     unary 64 B with 1, 16 and 256 in flight, 4 KiB with 16, and
                    streams of 256 x 64 B, 1 and 64 at once, on one connection
  --suite combinations  the transports beside each other: connection pool off and on,
                    request churn, HTTP beside TCP responses, a cold target; router and
                    worker in this process, with --rounds, --json and --json-lines only

How:
  --rounds N        rounds (default 7)
  --duration D      window of one measurement (default 600ms)
  --warmup D        time before each window (default 150ms)
  --pin             one CPU for the server, another for the client, the floor like the
                    rest (default where that is possible; --pin=false leaves it to the
                    kernel, whose luck then decides most of the figures)
  --procs N         GOMAXPROCS of each process (default what the runtime chooses, which
                    is 1 for a process that is pinned)
  --contenders LIST comma-separated; the floor is always measured (default all)
  --profile DIR     write CPU profiles of both sides in the last round to DIR

Output:
  --json            JSON lines on stdout instead of the table, the floor's included
  --json-lines FILE also write the plane's rows to FILE, one JSON object a line

Contenders:
`)
	for _, c := range all {
		fmt.Fprintf(&b, "  %-14s %s\n", c.Name, c.About)
	}
	b.WriteString(`
Exit status: 0 measured, 1 a measurement failed, 2 wrong usage.

Examples:
  wireplane bench --inflight 256                    # unary 64 B, 256 in flight
  wireplane bench --stream 256 --inflight 64        # 64 streams of 256 items at once
  wireplane bench --suite floor --json-lines f.json # all that is compared with the floor
  wireplane bench --suite combinations              # what pooling and each plane cost
`)
	return b.String()
}
