package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const versionHelp = `Print what this binary was built from.

Usage: wireplane version [--json]

Examples:
  wireplane version
  wireplane version --json
`

// build is what the binary knows about itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified"`       // built from files that the revision does not have
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is the version in one line.
func (b build) String() string {
	s := "wireplane " + b.Version
	if b.Revision != "" {
		s += fmt.Sprintf(" (%.12s, %s)", b.Revision, b.Time)
	}
	if b.Modified {
		s += ", modified"
	}
	return s + ", " + b.Go + " " + b.Platform
}

// runVersion prints the version.
func runVersion(_ context.Context, a *app, args []string) int {
	fs := flag.NewFlagSet("version", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "")
	rest, err := parse(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, versionHelp)
		return exitOK
	case err != nil:
		return a.usage("version", err)
	case len(rest) > 0:
		return a.usage("version", fmt.Errorf("unexpected argument %q", rest[0]))
	}
	b := readBuild()
	if *asJSON {
		err = json.NewEncoder(a.stdout).Encode(b)
	} else {
		_, err = fmt.Fprintln(a.stdout, b)
	}
	if err != nil {
		return a.failed("version", err)
	}
	return exitOK
}
