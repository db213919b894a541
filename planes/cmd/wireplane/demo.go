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
)

const demoHelp = `Stream a file, token by token, from a worker to a router, and check what arrives.

Usage: wireplane demo [flags] [FILE]

Worker and router run in this process and talk over a real socket on the loopback.
FILE is cut into tokens, as a language model would emit them, and streamed many times
at once over one TCP connection. On a terminal the first stream is shown as it
arrives. At the far end items, bytes and SHA-256 of every stream must be the file's,
and every stream must end exactly once; otherwise the demo says which does not and
why, and fails.

Without FILE it streams the README of the project if it is started inside of it, and a
built-in text otherwise. FILE may be - for standard input.

Flags:
  --streams N    streams at once, 1 to 16384 (default 256)
  --rate R       tokens a second of each stream; 0 is as fast as it goes (default: a
                 pace to watch on a terminal, 0 otherwise)
  --json         print the result as one JSON object, and nothing else

Exit status: 0 every stream arrived whole, 1 one did not or the demo could not run,
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
	json    bool
}

func parseDemo(args []string) (demoOptions, error) {
	var o demoOptions
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.IntVar(&o.streams, "streams", demo.DefaultStreams, "")
	rate := fs.String("rate", "", "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return o, err
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
	if !res.OK() {
		return exitFailed
	}
	return exitOK
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
		return res, json.NewEncoder(a.stdout).Encode(res)
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
