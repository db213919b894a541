package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wireplane/wireplane/planes/cmd/internal/demo"
	"github.com/wireplane/wireplane/planes/cmd/internal/matrix"
)

const demoHelp = `Stream a file, token by token, from a worker to a router, and check what arrives.

Usage: wireplane demo [flags] [FILE]

Worker and router run in this process and talk over a real socket on the loopback.
FILE is cut into tokens, as a language model would emit them, and streamed many times
at once over one TCP connection. On a terminal the first stream is shown as it
arrives. At the far end items, bytes and SHA-256 of every stream must be the file's,
and every stream must end exactly once; otherwise the demo says which does not and
why, and fails.

Then it runs calls over every combination of request and response transport, with a
worker, a router and a NATS server inside this process, checks every item, and prints what
each costs. No broker, registry or configuration is needed; of the settings it uses none.

Without FILE it streams the README of the project if it is started inside of it, and a
built-in text otherwise. FILE may be - for standard input.

Flags:
  --streams N    streams at once, 1 to 16384 (default 256)
  --rate R       tokens a second of each stream; 0 is as fast as it goes (default: a
                 pace to watch on a terminal, 0 otherwise)
  --calls N      calls over each combination (default 240); 0 leaves that part out
  --json         print the result as one JSON object, and nothing else

Exit status: 0 everything arrived whole, 1 something did not or the demo could not run,
2 wrong usage.

Examples:
  wireplane demo                              # watch a text arrive
  wireplane demo --streams 1000 --rate 0 big.log
  generate | wireplane demo --json - | jq .items_per_second
`

// demoOptions is what the arguments of demo say.
type demoOptions struct {
	file    string // "": none was named
	streams int
	rate    float64
	rateSet bool
	calls   int
	json    bool
}

func parseDemo(args []string) (demoOptions, error) {
	var o demoOptions
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.IntVar(&o.streams, "streams", demo.DefaultStreams, "")
	rate := fs.String("rate", "", "")
	fs.IntVar(&o.calls, "calls", 240, "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return o, err
	case o.calls < 0 || o.calls > 1e7:
		return o, fmt.Errorf("--calls %d; want 0 to 10000000", o.calls)
	case len(rest) > 1:
		return o, fmt.Errorf("one FILE, not %d: %s", len(rest), strings.Join(rest, " "))
	case len(rest) == 1:
		o.file = rest[0]
	}
	if len(rest) == 1 && o.file == "" {
		return o, errors.New("FILE is empty")
	}
	if o.streams < 1 || o.streams > demo.MaxStreams {
		return o, fmt.Errorf("--streams %d; want 1 to %d", o.streams, demo.MaxStreams)
	}
	if *rate != "" {
		o.rateSet = true
		if o.rate, err = strconv.ParseFloat(*rate, 64); err != nil || !(o.rate >= 0 && o.rate <= 1e6) {
			return o, fmt.Errorf("--rate %q; want tokens a second, 0 to 1000000", *rate)
		}
	}
	return o, nil
}

// runDemo streams a file and reports.
func runDemo(ctx context.Context, a *app, args []string) int {
	o, err := parseDemo(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, demoHelp)
		return exitOK
	case err != nil:
		return a.usage("demo", err)
	}
	src, err := openSource(ctx, o.file, a.stdin)
	if err != nil {
		return a.failed("demo", err)
	}
	res, err := a.demonstrate(ctx, o, src)
	if err := errors.Join(err, src.Close()); err != nil {
		return a.failed("demo", err)
	}
	cells, err := a.combinations(ctx, o)
	if err != nil {
		return a.failed("demo", err)
	}
	if o.json {
		if err := writeDemoJSON(a.stdout, res, cells); err != nil {
			return a.failed("demo", err)
		}
	}
	if !res.OK() || matrix.OK(cells) != nil {
		return exitFailed
	}
	return exitOK
}

// combinations runs calls over every combination, and shows what came of them.
func (a *app) combinations(ctx context.Context, o demoOptions) ([]matrix.Result, error) {
	if o.calls == 0 {
		return nil, nil
	}
	load := matrix.Load{Calls: o.calls, Callers: 8, Items: 32, Bytes: 64}
	shown := false
	cells, err := matrix.RunAll(ctx, load, func(done, all int, c matrix.Cell) {
		switch {
		case !a.look.errTerminal:
		case done == all:
			_, _ = io.WriteString(a.stderr, "\r\x1b[K")
		default:
			shown = true
			_, _ = fmt.Fprintf(a.stderr, "\r\x1b[K%d of %d combinations: %s + %s", done, all, c.RequestName(), c.ResponseName())
		}
	})
	if err != nil {
		if shown {
			_, _ = io.WriteString(a.stderr, "\n")
		}
		return nil, err
	}
	if o.json {
		return cells, nil
	}
	if _, err := fmt.Fprintf(a.stdout, "\nevery combination: %d calls, %d at once, %d items of %d bytes each; all items compared\n",
		load.Calls, load.Callers, load.Items, load.Bytes); err != nil {
		return cells, err
	}
	return cells, matrix.WriteTable(a.stdout, cells)
}

// writeDemoJSON writes one object: the streams' fields, and the combinations.
func writeDemoJSON(w io.Writer, res *demo.Result, cells []matrix.Result) error {
	b, err := json.Marshal(res)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	if cells == nil {
		cells = []matrix.Result{}
	}
	if fields["combinations"], err = json.Marshal(cells); err != nil {
		return err
	}
	if matrix.OK(cells) != nil {
		fields["ok"] = json.RawMessage("false")
	}
	return json.NewEncoder(w).Encode(fields)
}

// demonstrate runs the demo, shows it, and writes the result.
func (a *app) demonstrate(ctx context.Context, o demoOptions, src *demo.Source) (*demo.Result, error) {
	cfg := a.demo
	cfg.Source, cfg.Streams, cfg.Rate = src, o.streams, o.rate
	watched := a.look.outTerminal && !o.json
	if watched && !o.rateSet {
		cfg.Rate = demo.RateToWatch(src.Totals.Items, o.streams)
	}
	switch {
	case watched:
		cfg.View = demo.NewScreen(a.stdout, a.look.color)
	default:
		cfg.View = &demo.LineView{W: a.stderr, Terminal: a.look.errTerminal}
	}
	res, err := demo.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if o.json {
		return res, nil
	}
	if !watched {
		if err := demo.WriteIntro(a.stdout, demo.Intro{Worker: res.Worker, Source: src, Streams: res.Streams, Rate: res.Rate}); err != nil {
			return nil, err
		}
		_, _ = io.WriteString(a.stdout, "\n")
	}
	return res, res.WriteText(a.stdout, a.look.color)
}

// openSource opens what shall be streamed.
func openSource(ctx context.Context, file string, stdin io.Reader) (*demo.Source, error) {
	if file != "" {
		return demo.Open(ctx, file, stdin)
	}
	if readme := findReadme(); readme != "" {
		return demo.Open(ctx, readme, nil)
	}
	return demo.Sample()
}

// findReadme returns the README of the project if the working directory is inside
// of it, and "" otherwise.
func findReadme() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if isProject(filepath.Join(dir, "go.mod")) {
			readme := filepath.Join(dir, "README.md")
			if info, err := os.Stat(readme); err == nil && info.Mode().IsRegular() {
				return readme
			}
			return ""
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// isProject reports whether a go.mod is that of the project's root.
func isProject(goMod string) bool {
	f, err := os.Open(goMod)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 2 && words[0] == "module" {
			return words[1] == "github.com/wireplane/wireplane"
		}
	}
	return false
}
