package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/wireplane/wireplane/planes/cmd/internal/configfile"
	"github.com/wireplane/wireplane/planes/dynenv"
)

const configHelp = `Print every setting with its value, where that came from, and what it means.

Usage: wireplane config [--file FILE] [--check] [--json]

Settings come from variables of the environment (DYN_*, NATS_*, ETCD_*, WIREPLANE_*) and
from a YAML file; the environment wins over the file, the file over the default. Passwords
and tokens are not shown. Every mistake is reported at once, with its place, its value and
what was wanted.

  --file FILE   the file (default: the one that WIREPLANE_CONFIG names, if any)
  --check       only tell whether all is well
  --json        one JSON object a line: each setting, then a summary with "ok"

Exit status: 0 all is well, 1 the file cannot be read, 2 mistakes or wrong usage.

Examples:
  wireplane config
  wireplane config --file wireplane.yaml --check
  DYN_REQUEST_PLANE=tcp wireplane config --json | jq -r 'select(.source != "default")'
`

// configOptions is what the arguments of config say.
type configOptions struct {
	file        string // "": what the environment names
	check, json bool
}

func parseConfig(args []string) (o configOptions, err error) {
	fs := flag.NewFlagSet("config", flag.ContinueOnError)
	fs.StringVar(&o.file, "file", "", "")
	fs.BoolVar(&o.check, "check", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q; a file is given with --file", rest[0])
	}
	return o, err
}

// runConfig loads and prints the settings.
func runConfig(_ context.Context, a *app, args []string) int {
	o, err := parseConfig(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, configHelp)
		return exitOK
	case err != nil:
		return a.usage("config", err)
	}
	c, err := loadConfig(a.environ, o.file)
	if err != nil {
		return a.badConfig("config", err, o.json)
	}
	for _, w := range c.Warnings {
		_, _ = fmt.Fprintf(a.stderr, "wireplane config: warning: %s\n", w)
	}
	write := writeConfig
	if o.json {
		write = writeConfigJSON
	}
	if err := write(a.stdout, c, o.check); err != nil {
		return a.failed("config", err)
	}
	return exitOK
}

// loadConfig loads the settings of an environment and a file; "" is the file that
// the environment names.
func loadConfig(environ []string, file string) (*dynenv.Config, error) {
	var tree *dynenv.Tree
	if file = cmp.Or(file, dynenv.ConfigFile(environ)); file != "" {
		var err error
		if tree, err = configfile.Read(file); err != nil {
			_, errEnv := dynenv.Load(environ, nil) // mistakes there are told as well
			return nil, errors.Join(err, errEnv)
		}
	}
	return dynenv.Load(environ, tree)
}

// badConfig reports the errors of loadConfig, each on a line, and returns the exit
// code.
func (a *app) badConfig(cmd string, err error, asJSON bool) int {
	type mistake struct {
		Name   string `json:"name,omitempty"`
		Value  string `json:"value,omitempty"`
		Want   string `json:"want,omitempty"`
		Source string `json:"source,omitempty"`
		Where  string `json:"where,omitempty"`
		Text   string `json:"text"`
	}
	code, all := exitUsage, []mistake{}
	for _, e := range leaves(err) {
		m := mistake{Text: e.Error()}
		var knob *dynenv.KnobError
		var syntax *configfile.SyntaxError
		switch {
		case errors.As(e, &knob):
			m.Name, m.Value, m.Want, m.Source, m.Where = knob.Name, knob.Value, knob.Want, string(knob.Source), knob.Where
		case !errors.As(e, &syntax):
			code = exitFailed
		}
		all = append(all, m)
		_, _ = fmt.Fprintf(a.stderr, "wireplane %s: %v\n", cmd, e)
	}
	if len(all) > 1 {
		_, _ = fmt.Fprintf(a.stderr, "wireplane %s: %d mistakes\n", cmd, len(all))
	}
	if asJSON {
		_ = json.NewEncoder(a.stdout).Encode(map[string]any{"ok": false, "mistakes": all})
	}
	return code
}

// leaves takes joined errors apart.
func leaves(err error) (out []error) {
	joined, ok := err.(interface{ Unwrap() []error }) // not As: only the outermost is a list
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		out = append(out, leaves(e)...)
	}
	return out
}

// counts returns how many settings there are, and how many of them were set.
func counts(c *dynenv.Config) (all, set int) {
	for v := range c.Values() {
		all++
		if v.Source != dynenv.SourceDefault {
			set++
		}
	}
	return all, set
}

func writeConfig(w io.Writer, c *dynenv.Config, check bool) error {
	all, set := counts(c)
	var b strings.Builder
	if !check {
		writeGroups(&b, c)
	}
	fmt.Fprintf(&b, "%d settings, %d of them set: no mistakes\n", all, set)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeGroups(b *strings.Builder, c *dynenv.Config) {
	var name, text, source int
	origin := func(v dynenv.Value) string { return cmp.Or(v.Where, string(v.Source)) }
	for v := range c.Values() {
		name, text, source = max(name, len(v.Knob.Name)), max(text, min(len(v.Text), 32)), max(source, len(origin(v)))
	}
	group := ""
	for v := range c.Values() {
		if v.Knob.Group != group {
			group = v.Knob.Group
			fmt.Fprintf(b, "%s\n", group)
		}
		doc := v.Knob.Doc
		switch {
		case v.Knob.NotYet != "":
			doc += " (not yet)"
		case v.Note != "":
			doc += " (" + v.Note + ")"
		}
		unit := ""
		if v.Knob.Unit != "" && v.Text != "" {
			unit = " " + v.Knob.Unit
		}
		fmt.Fprintf(b, "  %-*s  %-*s  %-*s  %s\n", name, v.Knob.Name, text+6, cmp.Or(v.Text, "-")+unit, source, origin(v), doc)
	}
	b.WriteString("\n")
}

func writeConfigJSON(w io.Writer, c *dynenv.Config, check bool) error {
	type line struct {
		Name   string `json:"name"`
		Path   string `json:"path,omitempty"`
		Value  string `json:"value"`
		Unit   string `json:"unit,omitempty"`
		Source string `json:"source"`
		Where  string `json:"where,omitempty"`
		Note   string `json:"note,omitempty"`
		Group  string `json:"group"`
		Doc    string `json:"doc"`
	}
	enc := json.NewEncoder(w)
	for v := range c.Values() {
		if check {
			break
		}
		k := v.Knob
		if err := enc.Encode(line{k.Name, k.Path, v.Text, k.Unit, string(v.Source), v.Where, v.Note, k.Group, k.Doc}); err != nil {
			return err
		}
	}
	all, set := counts(c)
	warnings := append([]string{}, c.Warnings...)
	return enc.Encode(map[string]any{"ok": true, "settings": all, "set": set, "file": c.File, "warnings": warnings})
}
