package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// builder compiles one instrumented test binary per package and keeps it.
type builder struct {
	dir   string
	built map[string]string // package to binary
}

func (b *builder) build(t target) (string, error) {
	if bin, ok := b.built[t.pkg]; ok {
		return bin, nil
	}
	if b.built == nil {
		b.built = make(map[string]string)
	}
	bin := filepath.Join(b.dir, strconv.Itoa(len(b.built))+".test")
	if _, err := output(t.module, "go", "test", "-c", "-fuzz", ".", "-tags", "invariants", "-o", bin, t.pkg); err != nil {
		return "", fmt.Errorf("%s: %w", t.pkg, err)
	}
	b.built[t.pkg] = bin
	return bin, nil
}

// result is what the last report of the engine said.
type result struct {
	execs, fresh int64
}

// fuzzOne runs one target. New inputs go to the build cache, as with go test; a
// failing input is written below the package's testdata, and the error names it.
func fuzzOne(t target, bin string, d time.Duration) (result, error) {
	cache, err := output(t.module, "go", "env", "GOCACHE")
	if err != nil {
		return result{}, err
	}
	cmd := exec.Command(bin, "-test.run", "^$", "-test.fuzz", "^"+t.name+"$", "-test.fuzztime", d.String(), "-test.parallel", "1",
		"-test.fuzzminimizetime", "10x", // minimising a large seed would take all the time
		"-test.fuzzcachedir", filepath.Join(strings.TrimSpace(cache), "fuzz", t.pkg))
	cmd.Dir = t.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	r := parse(out.String())
	if err != nil && !onlyTimeUp(out.String()) {
		return r, fmt.Errorf("%s: %w\n%s", t, err, out.String())
	}
	if r.execs == 0 {
		return r, fmt.Errorf("%s: %w\n%s", t, errNothing, out.String())
	}
	return r, nil
}

var (
	errNothing = errors.New("executed no input")
	report     = regexp.MustCompile(`execs: (\d+) .*?(?:new interesting: (\d+)|$)`)
)

// onlyTimeUp reports whether a run failed for no other reason than that its time
// was up while the engine waited for a worker, which it does not tell from a
// failure on a busy machine (go.dev/issue/48591). An input that fails is named in
// the output, and then this is false.
func onlyTimeUp(out string) bool {
	_, after, ok := strings.Cut(out, "--- FAIL: Fuzz")
	if !ok {
		return false
	}
	_, reason, ok := strings.Cut(after, "\n")
	return ok && strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(reason), "FAIL")) == "context deadline exceeded"
}

// parse reads the engine's progress lines; the last one counts.
func parse(out string) (r result) {
	for line := range strings.Lines(out) {
		m := report.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		r.execs, _ = strconv.ParseInt(m[1], 10, 64)
		if m[2] != "" {
			r.fresh, _ = strconv.ParseInt(m[2], 10, 64)
		}
	}
	return r
}
