package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/wireplane/wireplane/planes/cmd/internal/inspect"
)

// inspectHelp is the text of --help.
func inspectHelp() string {
	var b strings.Builder
	b.WriteString(`Decode captured bytes with a built-in spec, field by field.

Usage: wireplane inspect [flags] [FILE]
       wireplane inspect [flags] --hex HEX

FILE holds what one side of a connection sent, as bytes or as text in hex: with or
without spaces, or as hexdump -C, xxd or tcpdump -x print it. FILE may be -, and is
standard input when there is none.

Every message is shown with the offset, the bytes, the name and the value of each
field. Where bytes are refused or end too early, the dump stops and says at which
byte and why.

What to decode:
  --spec NAME    the format (default: guessed from the bytes)
  --frame NAME   a frame or struct of it (default: what its captures hold; for mux the
                 preface, if there is one, and frames)
  --sums         mux frames carry checksums; --sums=false: they do not (default: seen
                 from each frame, as HELLO has agreed on it)
  --param K=V    any parameter of the frame, may be repeated

Input and output:
  --hex HEX      the bytes, in hex
  --raw          FILE is bytes, even if it looks like hex
  --json         one JSON object a line: each message, then a summary with "ok"

Specs:
`)
	for _, s := range inspect.Specs() {
		fmt.Fprintf(&b, "  %-8s %s\n           %s\n", s.Name, s.About, wrap(strings.Join(s.Frames(), " "), 75, 11))
	}
	b.WriteString(`
Exit status: 0 all bytes were decoded, 1 they were refused or end too early, 2 wrong
usage.

Examples:
  wireplane inspect capture.bin
  wireplane inspect --hex 'f7575031 01 01 0000'
  wireplane inspect --spec dynamo --param revision=1 request.hex
  xxd capture.bin | wireplane inspect --json | jq -r .message
`)
	return b.String()
}

// wrap breaks words into lines of at most width columns, indented but for the first.
func wrap(words string, width, indent int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(words) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// maxCapture bounds what inspect reads, in bytes.
const maxCapture = 256 << 20

// inspectOptions is what the arguments of inspect say.
type inspectOptions struct {
	inspect.Options
	file   string // "-": standard input
	hex    string
	hexSet bool
	raw    bool
	json   bool
}

func parseInspect(args []string) (inspectOptions, error) {
	o := inspectOptions{file: "-"}
	o.Params = map[string]string{}
	fs := flag.NewFlagSet("inspect", flag.ContinueOnError)
	fs.StringVar(&o.Spec, "spec", "", "")
	fs.StringVar(&o.Frame, "frame", "", "")
	fs.BoolFunc("sums", "", func(s string) error {
		v, err := strconv.ParseBool(s)
		o.Params["sums"] = strconv.FormatBool(v)
		return err
	})
	fs.Func("param", "", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return errors.New("want NAME=VALUE")
		}
		o.Params[k] = v
		return nil
	})
	fs.StringVar(&o.hex, "hex", "", "")
	fs.BoolVar(&o.raw, "raw", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	if err != nil {
		return o, err
	}
	fs.Visit(func(f *flag.Flag) { o.hexSet = o.hexSet || f.Name == "hex" })
	switch {
	case len(rest) > 1:
		return o, fmt.Errorf("one FILE, not %d: %s", len(rest), strings.Join(rest, " "))
	case len(rest) == 1 && o.hexSet:
		return o, fmt.Errorf("--hex gives the bytes, so there is no use for FILE %s", rest[0])
	case o.raw && o.hexSet:
		return o, errors.New("--hex is not --raw")
	case len(rest) == 1:
		o.file = rest[0]
	}
	return o, nil
}

// runInspect decodes and prints.
func runInspect(ctx context.Context, a *app, args []string) int {
	o, err := parseInspect(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, inspectHelp())
		return exitOK
	case err != nil:
		return a.usage("inspect", err)
	}
	if err := o.Check(); err != nil {
		return a.usage("inspect", err)
	}
	b, err := o.bytes(ctx, a.stdin)
	var bad *inspect.UsageError
	switch {
	case errors.As(err, &bad):
		return a.usage("inspect", err)
	case err != nil:
		return a.failed("inspect", err)
	}
	write := inspect.Text
	if o.json {
		write = inspect.JSON
	}
	s, err := write(a.stdout, b, o.Options)
	switch {
	case err != nil:
		return a.failed("inspect", err)
	case !s.OK:
		return exitFailed
	}
	return exitOK
}

// bytes returns the capture.
func (o inspectOptions) bytes(ctx context.Context, stdin io.Reader) ([]byte, error) {
	if o.hexSet {
		b, err := inspect.ParseHex(o.hex)
		if err != nil {
			return nil, &inspect.UsageError{Err: fmt.Errorf("--hex: %w", err)}
		}
		return b, nil
	}
	r := stdin
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	b, err := readAll(ctx, r)
	if err == nil && len(b) > maxCapture {
		err = fmt.Errorf("%s is above %d MiB; cut it with split or dd", o.file, maxCapture>>20)
	}
	if err != nil || o.raw {
		return b, err
	}
	b, _ = inspect.FromFile(b)
	return b, nil
}

// readAll reads r, a byte more than is allowed at most. When ctx ends, the read is
// left to itself: that of a terminal cannot be called back.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(r, maxCapture+1))
		done <- result{b, err}
	}()
	select {
	case res := <-done:
		return res.b, res.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
