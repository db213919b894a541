package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/spec"
)

// report of one file for --json.
type fileReport struct {
	File     string          `json:"file"`
	Errors   spec.ErrorList  `json:"errors"`
	Messages []messageReport `json:"messages"`
}

// messageReport is one row of the table. Sizes are bytes with the default limits.
type messageReport struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // frame or struct
	Min    uint64 `json:"min"`
	Max    uint64 `json:"max"`
	Prefix uint64 `json:"prefix"` // frames: bytes that tell the length, at least
	Alloc  uint64 `json:"alloc"`  // most memory that one decode may ask for
}

func (c *command) check(args []string) int {
	fs := c.flags("check")
	asJSON := fs.Bool("json", false, "print the result as JSON, one object a file")
	if code, ok := c.parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		fmt.Fprintln(c.err, "wiregen check: no files (see wiregen --help)")
		return exitUsage
	}
	code := exitOK
	for _, name := range fs.Args() {
		code = max(code, c.checkFile(name, *asJSON))
	}
	return code
}

func (c *command) checkFile(name string, asJSON bool) int {
	src, err := os.ReadFile(name)
	if err != nil {
		return c.fail(err)
	}
	f, err := spec.Parse(name, src)
	if all := f.Check(); all != nil {
		err = all // Parse's mistakes, and the others if the form left no doubt
	}
	if err == nil {
		_, err = gen.Generate(f, gen.Options{})
	}
	if asJSON {
		return c.checkJSON(name, f, err)
	}
	if err != nil {
		return c.report(err, src)
	}
	c.table(name, rows(f))
	return exitOK
}

func (c *command) checkJSON(name string, f *spec.File, err error) int {
	r := fileReport{File: name, Errors: spec.ErrorList{}, Messages: []messageReport{}}
	code := exitOK
	switch {
	case err == nil:
		r.Messages = rows(f)
	case !errors.As(err, &r.Errors):
		return c.fail(err)
	default:
		code = exitFailed
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return c.fail(err)
	}
	return code
}

func rows(f *spec.File) []messageReport {
	out := []messageReport{}
	for _, s := range f.Structs {
		r := messageReport{Name: s.Name, Kind: "struct", Min: s.Size.Min, Max: s.Size.Max, Alloc: s.Alloc}
		if s.Frame {
			r.Kind, r.Prefix = "frame", s.Prefix.Min
		}
		out = append(out, r)
	}
	return out
}

func (c *command) table(name string, rows []messageReport) {
	fmt.Fprintf(c.out, "%s: no mistakes. Bytes, with the default limits:\n", name)
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "message\tkind\tminimum\tmaximum\tprefix\tallocates at most\t")
	for _, r := range rows {
		prefix := "-"
		if r.Kind == "frame" {
			prefix = strconv.FormatUint(r.Prefix, 10)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%d\t\n", r.Name, r.Kind, r.Min, r.Max, prefix, r.Alloc)
	}
	w.Flush() //nolint:errcheck // standard output is gone: nobody to tell
}
