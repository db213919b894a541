package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/wireplane/wireplane/planes/cmd/internal/demo"
)

// app is one run of the command line.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	look           look
	environ        []string    // where settings come from
	demo           demo.Config // for tests: faults, and a stall that is shorter
}

// command is a subcommand.
type command struct {
	name    string
	summary string // one line; empty: hidden
	help    func() string
	run     func(ctx context.Context, a *app, args []string) int
}

// commands returns the subcommands in the order of the help text.
func commands() []command {
	return []command{
		{"demo", "stream a file as many token streams at once, and check each at the far end", func() string { return demoHelp }, runDemo},
		{"worker", "serve endpoints over any set of transports, and register them", func() string { return workerHelp }, runWorker},
		{"call", "call an endpoint and print the items of its answer as they come", func() string { return callHelp }, runCall},
		{"route", "put an HTTP front before workers", func() string { return routeHelp }, runRoute},
		{"inspect", "decode captured bytes with a built-in spec, field by field", inspectHelp, runInspect},
		{"bench", "measure the plane beside a raw epoll floor", benchHelpText, func(ctx context.Context, a *app, args []string) int {
			return runBench(ctx, args, a.stdout, a.stderr)
		}},
		{"config", "print every setting with its value, source and meaning", func() string { return configHelp }, runConfig},
		{"version", "print what this binary was built from", func() string { return versionHelp }, runVersion},
		{"help", "print this text, or that of a command", func() string { return helpHelp }, runHelp},
		{benchPeer, "", nil, func(ctx context.Context, a *app, args []string) int {
			return runBenchPeer(ctx, args, a.stdout, a.stderr)
		}},
	}
}

func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// run finds the command and runs it.
func (a *app) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		_, _ = io.WriteString(a.stderr, mainHelp())
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		_, _ = io.WriteString(a.stdout, mainHelp())
		return exitOK
	case "-v", "-version", "--version":
		name = "version"
	}
	if c, ok := findCommand(name); ok {
		return c.run(ctx, a, args[1:])
	}
	return a.unknownCommand(name)
}

func (a *app) unknownCommand(name string) int {
	var names []string
	for _, c := range commands() {
		if c.summary != "" {
			names = append(names, c.name)
		}
	}
	_, _ = fmt.Fprintf(a.stderr, "wireplane: no command %q%s\nRun 'wireplane help' for the commands.\n", name, didYouMean(name, names, ""))
	return exitUsage
}

// usage complains about arguments.
func (a *app) usage(cmd string, err error) int {
	_, _ = fmt.Fprintf(a.stderr, "wireplane %s: %v\nRun 'wireplane %s --help' for usage.\n", cmd, err, cmd)
	return exitUsage
}

// failed complains about everything else.
func (a *app) failed(cmd string, err error) int {
	_, _ = fmt.Fprintf(a.stderr, "wireplane %s: %v\n", cmd, err)
	return exitFailed
}

// parse reads flags, before, between and behind the other arguments, which it
// returns; "--" ends the flags. It reports flag.ErrHelp for --help.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	fs.SetOutput(io.Discard)
	var rest []string
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return nil, explain(fs, err)
		}
		left := fs.Args()
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" || len(left) == 0 {
			return append(rest, left...), nil
		}
		rest = append(rest, left[0])
		args = left[1:]
	}
	return rest, nil
}

// explain makes the errors of package flag speak of --flags, and suggests one.
func explain(fs *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return errors.New(strings.Replace(strings.Replace(err.Error(), "flag -", "flag --", 1), "argument: -", "argument: --", 1))
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("no flag --%s%s", name, didYouMean(name, names, "--"))
}
