package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Config says what Run measures.
type Config struct {
	Floor      Contender   // what the others are divided by; its first handler class is used
	Contenders []Contender // what is measured beside it
	Handler    string      // the handler class to measure; empty for all, see Contender.Entries
	Workloads  []Workload  // at least one
	Rounds     int         // at least 1
	WarmUp     time.Duration
	Window     time.Duration
	Pin        bool     // one CPU for the server, another for the client, the floor like the rest
	Procs      int      // GOMAXPROCS of each process; 0 leaves it to the runtime
	Command    []string // starts a child process that calls Peer
	// ProfileDir is a directory for CPU profiles of both sides in the last round;
	// empty for none.
	ProfileDir string
	// Progress is told what happens, in pieces of a line; nil for silence.
	Progress func(format string, args ...any)
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if len(c.Workloads) == 0 {
		errs = append(errs, errors.New("bench: no workload"))
	}
	for _, w := range c.Workloads {
		errs = append(errs, w.Validate())
	}
	if c.Rounds < 1 || c.Rounds > 1000 {
		errs = append(errs, fmt.Errorf("bench: %d rounds, not in 1..1000", c.Rounds))
	}
	if c.Window < 10*time.Millisecond || c.Window > 10*time.Minute {
		errs = append(errs, fmt.Errorf("bench: a window of %v is not in 10ms..10m", c.Window))
	}
	if c.WarmUp < 0 || c.WarmUp > time.Minute {
		errs = append(errs, fmt.Errorf("bench: a warm-up of %v is not in 0s..1m", c.WarmUp))
	}
	if c.Pin && !CanPin() {
		errs = append(errs, errors.New("bench: there are no two CPUs here to pin processes to"))
	}
	if c.Procs < 0 || c.Procs > 1024 {
		errs = append(errs, fmt.Errorf("bench: %d processors, not in 0..1024", c.Procs))
	}
	if len(c.Command) == 0 {
		errs = append(errs, errors.New("bench: no command for the child processes"))
	}
	return errors.Join(errs...)
}

type runner struct {
	cfg Config
}

// Run measures every workload, round by round, the floor first in each. It
// returns one row for each workload and entry, the floor's own first. It ends
// early, with an error, when a contender fails or ctx ends.
func Run(ctx context.Context, cfg Config) ([]Row, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &runner{cfg: cfg}
	var rows []Row
	for i, w := range cfg.Workloads {
		entries := []Entry{{Contender: cfg.Floor, Handler: cfg.Floor.Handlers[0]}}
		for _, c := range cfg.Contenders {
			entries = append(entries, c.Entries(w, cfg.Handler)...)
		}
		r.progress("bench: %d/%d %s: ", i+1, len(cfg.Workloads), w.Name)
		start := time.Now()
		results, err := r.workload(ctx, entries, w)
		if err != nil {
			r.progress("failed\n")
			return nil, err
		}
		r.progress("%v\n", time.Since(start).Round(100*time.Millisecond))
		for j, e := range entries {
			rows = append(rows, newRow(w, e, results[j], results[0]))
		}
	}
	return rows, nil
}

// workload measures all entries in every round. The floor is always first; the
// others take turns at being next, so that none is always behind the same one.
func (r *runner) workload(ctx context.Context, entries []Entry, w Workload) ([][]Measurement, error) {
	results := make([][]Measurement, len(entries))
	for round := range r.cfg.Rounds {
		for i := range entries {
			at := i
			if others := len(entries) - 1; i > 0 {
				at = 1 + (i-1+round)%others
			}
			e := entries[at]
			m, err := r.measure(ctx, e, w, r.profile(round, e, w))
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", w.Name, e.Title(), err)
			}
			results[at] = append(results[at], m)
		}
		r.progress("%d ", round+1)
	}
	return results, nil
}

// profile returns the path, without its ending, of the profiles of a measurement,
// or "" when there are to be none.
func (r *runner) profile(round int, e Entry, w Workload) string {
	if r.cfg.ProfileDir == "" || round != r.cfg.Rounds-1 {
		return ""
	}
	return filepath.Join(r.cfg.ProfileDir, w.Name+"-"+strings.ReplaceAll(e.Title(), " ", "-"))
}

func (r *runner) progress(format string, args ...any) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(format, args...)
	}
}
