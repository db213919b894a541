// Command wiregen checks, formats and compiles .wire files.
//
// It is meant for go:generate, from this module or any other:
//
//	go get -tool github.com/wireplane/wireplane/gen/cmd/wiregen
//	//go:generate go tool wiregen gen chat.wire
//
// The exit code is 0 for success, 1 when a file has mistakes or cannot be read or
// written, 2 when the command line is wrong. Results go to standard output,
// everything about mistakes to standard error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

const usage = `wiregen compiles .wire files: byte layouts in, Go out.

Usage:
  wiregen gen   [-o DIR] [-package NAME] [-import PATH] [-tests=false] FILE...
  wiregen check [-json] FILE...
  wiregen fmt   [-w | -l | -d] [FILE...]
  wiregen version

gen writes NAME_wire.go and NAME_wire_test.go for NAME.wire into DIR (default:
the current folder). The package name is -package, else what go generate says,
else the protocol's. The tests need the package's import path; it is taken from
the go.mod above DIR unless -import gives it.

check reports every mistake and, for files without any, how many bytes each
frame and struct takes at least and at most, how many tell a frame's length,
and how much memory a decoder may ask for.

fmt prints the canonical layout; -w rewrites the files, -l lists those that
differ, -d shows the differences. Without files it works from standard input to
standard output.

Examples:
  wiregen check chat.wire
  wiregen gen -o internal/chatwire -package chatwire chat.wire
  wiregen fmt -l *.wire
  //go:generate go tool wiregen gen chat.wire

Exit code: 0 success, 1 mistakes in a file, 2 wrong usage. Colour appears only on
a terminal and never when NO_COLOR is set.
`

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	c := &command{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, color: terminal(os.Stderr)}
	os.Exit(c.run(os.Args[1:]))
}

// command is one run of wiregen with everything it touches outside the files.
type command struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	color    bool
}

// terminal reports whether f is a terminal that wants colour.
func terminal(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (c *command) run(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(c.err, usage)
		return exitUsage
	}
	switch args[0] {
	case "gen":
		return c.gen(args[1:])
	case "check":
		return c.check(args[1:])
	case "fmt":
		return c.format(args[1:])
	case "version", "-version", "--version":
		fmt.Fprintln(c.out, "wiregen", version())
		return exitOK
	case "help", "-h", "-help", "--help":
		fmt.Fprint(c.out, usage)
		return exitOK
	}
	fmt.Fprintf(c.err, "wiregen: unknown command %q (see wiregen --help)\n", args[0])
	return exitUsage
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// flags returns a flag set that reports nothing itself: parse does.
func (c *command) flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet("wiregen "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse parses args; when it returns false the command ends with the given code.
func (c *command) parse(fs *flag.FlagSet, args []string) (code int, ok bool) {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(c.out, usage)
		return exitOK, false
	case err != nil:
		fmt.Fprintf(c.err, "%s: %v (see wiregen --help)\n", fs.Name(), err)
		return exitUsage, false
	}
	return exitOK, true
}

// fail reports an error that is not about the text of a file.
func (c *command) fail(err error) int {
	fmt.Fprintf(c.err, "wiregen: %v\n", err)
	return exitFailed
}
