// Command wireplane is the command line of the project: it measures the planes.
//
// Run 'wireplane bench --help' for what the bench command does; each command
// explains itself in the same way.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// command runs with the arguments behind its name and returns the exit code.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// commands are the subcommands by name.
var commands = map[string]command{
	"bench":   runBench,
	benchPeer: runBenchPeer,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run finds the command and runs it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		if c, ok := commands[args[0]]; ok {
			return c(ctx, args[1:], stdout, stderr)
		}
	}
	_, _ = fmt.Fprintln(stderr, "Usage: wireplane bench [flags]")
	return exitUsage
}
