// Command wireplane is the command line of the project: it shows the multiplexed
// plane at work, takes captured bytes apart, and measures the planes.
//
//	wireplane demo [FILE]      stream a file as many token streams, and check each
//	wireplane worker PATH...   serve endpoints over any set of transports
//	wireplane call PATH [REQ]  call an endpoint, print items as they come
//	wireplane route            an HTTP front before workers
//	wireplane inspect [FILE]   decode captured bytes with a built-in spec
//	wireplane bench            measure the plane beside a raw floor
//	wireplane config           every setting with its value, source and meaning
//	wireplane version          what this binary was built from
//	wireplane help [COMMAND]   how to use it
//
// Results go to standard output, progress and complaints to standard error. It
// exits with 0 when all is well, 1 when it is not, and 2 when it was called wrongly.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/wireplane/wireplane/planes/dynenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{environ: dynenv.FromOS(), stdin: stdin, stdout: stdout, stderr: stderr}
	a.look = lookAt(stdout, stderr)
	return a.run(ctx, args)
}
