package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// look says what the outputs can show.
type look struct {
	outTerminal bool // standard output moves its cursor when told
	errTerminal bool
	color       bool // on standard output
}

// lookAt finds out. NO_COLOR and TERM are the terminal's own settings, and the
// only variables that this command reads.
func lookAt(stdout, stderr io.Writer) look {
	dumb := os.Getenv("TERM") == "dumb" //nolint:forbidigo // see above
	l := look{outTerminal: isTerminal(stdout) && !dumb, errTerminal: isTerminal(stderr) && !dumb}
	l.color = l.outTerminal && os.Getenv("NO_COLOR") == "" //nolint:forbidigo // see above
	return l
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
