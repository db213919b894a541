package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench/contend"
)

const helpHelp = `Print how to use wireplane, or one of its commands.

Usage: wireplane help [COMMAND]

Examples:
  wireplane help
  wireplane help demo
`

func benchHelpText() string { return benchHelp(contend.All()) }

// mainHelp lists the commands.
func mainHelp() string {
	var b strings.Builder
	b.WriteString("wireplane runs workers and routers, shows the planes at work, takes captured bytes apart,\nmeasures, and explains its settings.\n\n")
	b.WriteString("Usage: wireplane COMMAND [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		if c.summary != "" {
			fmt.Fprintf(&b, "  %-8s  %s\n", c.name, c.summary)
		}
	}
	b.WriteString(`
Every command takes --help. Results go to standard output, progress and complaints to
standard error.

Exit status: 0 all is well, 1 it is not, 2 wrong usage.

Examples:
  wireplane demo                    # stream a text as 256 token streams
  wireplane demo --json notes.txt   # the same with your file, one JSON object
  wireplane worker --discovery file:/tmp/wp --transports tcp+exchange demo/backend/generate
  wireplane call --discovery file:/tmp/wp demo/backend/generate "hello wire"
  wireplane inspect capture.bin     # what one side of a connection said
`)
	return b.String()
}

// runHelp prints the text of a command.
func runHelp(_ context.Context, a *app, args []string) int {
	text := mainHelp()
	switch {
	case len(args) > 1:
		return a.usage("help", fmt.Errorf("one command, not %d", len(args)))
	case len(args) == 1 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help"):
		text = helpHelp
	case len(args) == 1:
		c, ok := findCommand(args[0])
		if !ok || c.help == nil {
			return a.unknownCommand(args[0])
		}
		text = c.help()
	}
	_, _ = io.WriteString(a.stdout, text)
	return exitOK
}
