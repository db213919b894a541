// Command fuzz runs every fuzz target of every module and prints, for
// each, how many inputs it executed and how many of them were new to the
// coverage. A target that fails, or that executes nothing, fails the run.
//
//	go run ./internal/ci/fuzz [-each 20s] [-total 3m] [-run REGEXP] [PACKAGES]
//
// The time limits are about fuzzing: compiling the instrumented test binaries
// comes on top. With -total, targets share what is left of it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// leastTime is what a target gets however many share the total: with less,
	// the engine reports nothing.
	leastTime = 2 * time.Second
	// secondTime is for a target whose time went by while the engine measured
	// the coverage of its seeds.
	secondTime = 20 * time.Second
)

func main() {
	each := flag.Duration("each", 20*time.Second, "time for one target")
	total := flag.Duration("total", 0, "time for all targets together; 0 means no cap")
	only := flag.String("run", "", "regular expression of the targets to run")
	flag.Parse()
	if err := run(flag.Args(), *only, *each, *total); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// run fuzzes all targets, also after one failed, and returns every failure. No
// packages means all.
func run(pkgs []string, only string, each, total time.Duration) error {
	filter, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	targets, err := discover(pkgs, filter)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("no fuzz target found")
	}
	dir, err := os.MkdirTemp("", "wireplane-fuzz")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return fuzzAll(targets, dir, each, total)
}

// fuzzAll runs as many targets side by side as there are processors, each with one
// worker: the engine does no more with several workers on one target, and the whole
// takes less time.
func fuzzAll(targets []target, dir string, each, total time.Duration) error {
	s := &session{bins: builder{dir: dir}, each: each, total: total, jobs: runtime.NumCPU(), left: targets}
	fmt.Printf("%-64s %12s %8s %8s\n", "target", "execs", "new", "seconds")
	var wg sync.WaitGroup
	for range s.jobs {
		wg.Go(s.work)
	}
	wg.Wait()
	fmt.Printf("%d targets, %.0f s of fuzzing on %d processors, %d failures\n", len(targets), s.spent.Seconds(), s.jobs, len(s.failures))
	return errors.Join(s.failures...)
}

// session is one run over all targets.
type session struct {
	each, total time.Duration
	jobs        int

	mu       sync.Mutex
	bins     builder
	left     []target
	spent    time.Duration // of all processors
	failures []error
}

// work fuzzes targets until none is left.
func (s *session) work() {
	for {
		t, bin, d, ok := s.next()
		if !ok {
			return
		}
		if bin == "" {
			continue // it did not build, which is a failure of its own
		}
		start := time.Now()
		r, err := fuzzOne(t, bin, d)
		if errors.Is(err, errNothing) && d < secondTime {
			r, err = fuzzOne(t, bin, secondTime)
		}
		s.done(t, r, time.Since(start), err)
	}
}

// next takes a target, builds it and says for how long to run it.
func (s *session) next() (t target, bin string, d time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.left) == 0 {
		return t, "", 0, false
	}
	d = share(s.each, s.total*time.Duration(s.jobs)-s.spent, len(s.left), s.total > 0)
	t, s.left = s.left[0], s.left[1:]
	bin, err := s.bins.build(t)
	if err != nil {
		s.failures = append(s.failures, err)
	}
	return t, bin, d, true
}

// done prints and counts what a target did.
func (s *session) done(t target, r result, took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent += took
	fmt.Printf("%-64s %12d %8d %8.1f\n", t.String(), r.execs, r.fresh, took.Seconds())
	if err != nil {
		s.failures = append(s.failures, err)
	}
}

// share is the time for the next of n targets.
func share(each, left time.Duration, n int, capped bool) time.Duration {
	if !capped {
		return each
	}
	return max(leastTime, min(each, left/time.Duration(n)))
}

// target is one fuzz function.
type target struct {
	module         string // folder to run go in
	pkg, dir, name string
}

func (t target) String() string {
	return strings.TrimPrefix(t.pkg, "github.com/wireplane/wireplane/") + " " + t.name
}

// discover looks for the packages in the root module, or for all in all modules.
func discover(pkgs []string, filter *regexp.Regexp) ([]target, error) {
	if len(pkgs) > 0 {
		return discoverIn(".", pkgs, filter)
	}
	out, err := output(".", "internal/ci/modules.sh")
	if err != nil {
		return nil, err
	}
	var targets []target
	for module := range strings.FieldsSeq(out) {
		found, err := discoverIn(module, []string{"./..."}, filter)
		if err != nil {
			return nil, err
		}
		targets = append(targets, found...)
	}
	return targets, nil
}

// discoverIn finds the packages of one module whose tests have a fuzz function
// and asks each test binary for the names.
func discoverIn(module string, pkgs []string, filter *regexp.Regexp) ([]target, error) {
	out, err := output(module, "go", append([]string{"list", "-f",
		`{{.ImportPath}}|{{.Dir}}|{{join .TestGoFiles ","}},{{join .XTestGoFiles ","}}`}, pkgs...)...)
	if err != nil {
		return nil, err
	}
	var targets []target
	for line := range strings.Lines(out) {
		parts := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(parts) != 3 || !mentionsFuzz(parts[1], parts[2]) {
			continue
		}
		names, err := output(module, "go", "test", "-list", "^Fuzz", parts[0])
		if err != nil {
			return nil, err
		}
		for name := range strings.Lines(names) {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, "Fuzz") && filter.MatchString(name) {
				targets = append(targets, target{module: module, pkg: parts[0], dir: parts[1], name: name})
			}
		}
	}
	return targets, nil
}

func mentionsFuzz(dir, files string) bool {
	for name := range strings.SplitSeq(files, ",") {
		if name == "" {
			continue
		}
		src, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && strings.Contains(string(src), "\nfunc Fuzz") {
			return true
		}
	}
	return false
}

// output runs a command in a folder and returns its standard output. Standard
// error is shown only if the command fails.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, exit.Stderr)
	}
	return "", fmt.Errorf("%s: %w", name, err)
}
