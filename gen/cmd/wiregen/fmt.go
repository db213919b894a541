package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/wireplane/wireplane/spec"
)

func (c *command) format(args []string) int {
	fs := c.flags("fmt")
	write := fs.Bool("w", false, "rewrite the files")
	list := fs.Bool("l", false, "list the files that differ")
	diff := fs.Bool("d", false, "show the differences")
	if code, ok := c.parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		if *write || *list {
			fmt.Fprintln(c.err, "wiregen fmt: -w and -l need files")
			return exitUsage
		}
		return c.formatInput(*diff)
	}
	code := exitOK
	for _, name := range fs.Args() {
		src, err := os.ReadFile(name)
		if err != nil {
			code = max(code, c.fail(err))
			continue
		}
		out, err := spec.Format(src)
		if err != nil {
			code = max(code, c.reportNamed(err, name, src))
			continue
		}
		if err := c.emit(name, src, out, *write, *list, *diff); err != nil {
			code = max(code, c.fail(err))
		}
	}
	return code
}

func (c *command) formatInput(diff bool) int {
	src, err := io.ReadAll(c.in)
	if err != nil {
		return c.fail(err)
	}
	out, err := spec.Format(src)
	if err != nil {
		return c.reportNamed(err, "<standard input>", src)
	}
	if err := c.emit("<standard input>", src, out, false, false, diff); err != nil {
		return c.fail(err)
	}
	return exitOK
}

// reportNamed is report for an error that does not know the name of its file.
func (c *command) reportNamed(err error, name string, src []byte) int {
	if list, ok := err.(spec.ErrorList); ok { //nolint:errorlint // Format documents its type
		for _, e := range list {
			e.File = name
		}
	}
	return c.report(err, src)
}

func (c *command) emit(name string, src, out []byte, write, list, diff bool) error {
	same := bytes.Equal(src, out)
	if list && !same {
		fmt.Fprintln(c.out, name)
	}
	if diff && !same {
		fmt.Fprint(c.out, lineDiff(name, src, out))
	}
	if write && !same {
		return os.WriteFile(name, out, 0o644)
	}
	if !write && !list && !diff {
		_, err := c.out.Write(out)
		return err
	}
	return nil
}

// context is how many equal lines a difference shows on either side.
const context = 2

// lineDiff shows the stretch of lines from the first to the last that differs.
func lineDiff(name string, a, b []byte) string {
	x, y := strings.SplitAfter(string(a), "\n"), strings.SplitAfter(string(b), "\n")
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	from := max(0, head-context)
	after := min(tail, context)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (formatted)\n", name, name)
	fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", from+1, len(x)-tail+after-from, from+1, len(y)-tail+after-from)
	write := func(mark string, lines []string) {
		for _, l := range lines {
			if l == "" {
				continue
			}
			out.WriteString(mark + strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	write(" ", x[from:head])
	write("-", x[head:len(x)-tail])
	write("+", y[head:len(y)-tail])
	write(" ", x[len(x)-tail:len(x)-tail+after])
	return out.String()
}
