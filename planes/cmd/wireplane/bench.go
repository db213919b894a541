package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/bench/contend"
)

// Exit codes of the bench command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// benchPeer is the hidden subcommand that plays one side of a measurement.
const benchPeer = "bench-peer"

// runBench measures the plane, and what it is compared with, beside the raw floor.
// Results go to stdout, progress and complaints to stderr. It returns the exit
// code: 1 when a measurement failed, 2 when the arguments make no sense.
func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseBenchFlags(args, contend.All())
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "wireplane bench: %v\nRun 'wireplane bench --help' for usage.\n", err)
		return exitUsage
	case opts.help:
		_, _ = io.WriteString(stdout, benchHelp(contend.All()))
		return exitOK
	}
	measure := benchAndReport
	if opts.combinations {
		measure = benchCombinations
	}
	if err := measure(ctx, opts, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "wireplane bench: %v\n", err)
		return exitFailed
	}
	return exitOK
}

func benchAndReport(ctx context.Context, opts benchOptions, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cfg := opts.config
	cfg.Command = []string{self, benchPeer}
	cfg.Progress = func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format, args...) }
	if cfg.ProfileDir != "" {
		if err := os.MkdirAll(cfg.ProfileDir, 0o755); err != nil {
			return err
		}
	}
	rows, err := bench.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if opts.jsonLines != "" {
		var b bytes.Buffer
		if err := bench.WriteJSONLines(&b, bench.Summary(rows)); err != nil {
			return err
		}
		if err := os.WriteFile(opts.jsonLines, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if opts.json {
		return bench.WriteJSONLines(stdout, rows)
	}
	return bench.WriteTable(stdout, rows)
}

// runBenchPeer plays one side of a measurement: the parent talks to it over its
// standard input and output.
func runBenchPeer(ctx context.Context, _ []string, stdout, stderr io.Writer) int {
	if err := bench.Peer(ctx, contend.All(), os.Stdin, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitOK
}
