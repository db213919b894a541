package handlers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// Echo answers with the request, a word an item, the spaces kept: the items joined are
// the request.
func Echo() planes.Handler {
	return planes.HandlerFunc(func(_ context.Context, req *planes.Request, w planes.ResponseWriter) error {
		for word := range bytes.SplitAfterSeq(req.Payload, []byte(" ")) {
			if len(word) == 0 && len(req.Payload) > 0 {
				continue
			}
			if err := w.Send(word); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tokens answers with n numbered tokens, rate of them a second, or as fast as it goes
// if rate is 0.
func Tokens(n int, rate float64) planes.Handler {
	return planes.HandlerFunc(func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		var tick <-chan time.Time
		if rate > 0 {
			t := time.NewTicker(time.Duration(float64(time.Second) / rate))
			defer t.Stop()
			tick = t.C
		}
		buf := make([]byte, 0, 32)
		for i := range n {
			if tick != nil && i > 0 {
				select {
				case <-tick:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			buf = strconv.AppendInt(append(buf[:0], "token-"...), int64(i), 10)
			if err := w.Send(append(buf, ' ')); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxLine is the longest line of an external command in bytes; a longer one ends the
// call.
const maxLine = 1 << 20

// maxErrText is how much of a failed command's error output travels to the caller.
const maxErrText = 512

// Exec runs an external command for each call: the request is its standard input, each
// line of its standard output, with its line end, an item: the items joined are the
// output. It is killed when the call is over for its caller, with the processes that it
// has started. A command that fails ends the call with its exit code and what it wrote
// to standard error.
func Exec(argv []string) (planes.Handler, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command")
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil, fmt.Errorf("command %q: %w", argv[0], err)
	}
	return planes.HandlerFunc(func(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.WaitDelay = time.Second // a process that left the group may hold the output open
		ownGroup(cmd)
		cmd.Stdin = bytes.NewReader(req.Payload)
		var complaint tail
		cmd.Stderr = &complaint
		out, err := cmd.StdoutPipe()
		if err != nil {
			return planes.Errorf(planes.CodeInternal, "%v", err)
		}
		if err := cmd.Start(); err != nil {
			return planes.Errorf(planes.CodeInternal, "start %s: %v", argv[0], err)
		}
		sendErr := sendLines(out, w)
		if sendErr != nil {
			cancel()
		}
		err = cmd.Wait()
		switch {
		case sendErr != nil:
			return sendErr
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return planes.Errorf(planes.CodeHandler, "%s: %v: %s", argv[0], err, strings.TrimSpace(string(complaint.b)))
		}
		return nil
	}), nil
}

func sendLines(r io.Reader, w planes.ResponseWriter) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	lines.Split(wholeLines)
	for lines.Scan() {
		if err := w.Send(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return planes.Errorf(planes.CodeTooLarge, "the command's output has a line of more than %d bytes", maxLine)
	case err != nil && !errors.Is(err, os.ErrClosed): // closed because the call is over
		return planes.Errorf(planes.CodeInternal, "the command's output: %v", err)
	}
	return nil
}

// wholeLines is bufio.ScanLines that keeps the line ends.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// tail keeps the last bytes that are written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - maxErrText; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}
