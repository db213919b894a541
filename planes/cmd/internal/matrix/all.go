package matrix

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/dynenv"
)

// Base returns what the cells of a run share, whatever the environment says, with a NATS
// server inside this process; stop ends it.
func Base() (o stack.Options, stop func(), err error) {
	url, stop, err := StartNATS()
	if err != nil {
		return o, nil, err
	}
	c, err := dynenv.Load([]string{"NATS_SERVER=" + url, "DYN_TCP_POOL_MIN_IDLE=0"}, nil)
	if err != nil {
		stop()
		return o, nil, err
	}
	return stack.Options{Config: c, Logger: slog.New(slog.DiscardHandler)}, stop, nil
}

// RunAll runs every combination, one after the other. progress is called before each.
func RunAll(ctx context.Context, l Load, progress func(done, all int, c Cell)) ([]Result, error) {
	base, stop, err := Base()
	if err != nil {
		return nil, err
	}
	defer stop()
	cells := All()
	results := make([]Result, 0, len(cells))
	for i, c := range cells {
		progress(i, len(cells), c)
		if c.Excluded != "" {
			results = append(results, Result{Cell: c})
			continue
		}
		w, err := Open(ctx, c, base)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			results = append(results, Result{Cell: c, Load: l, Errors: l.Calls, Fault: err.Error()})
			continue
		}
		r := w.Run(ctx, l)
		if err := w.Close(); err != nil && r.Errors == 0 {
			r.Errors, r.Fault = 1, "at the end: "+err.Error()
		}
		results = append(results, r)
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
	}
	progress(len(cells), len(cells), Cell{})
	return results, nil
}

// OK reports whether every call of every combination came back whole.
func OK(results []Result) error {
	var errs []error
	for _, r := range results {
		if r.Errors > 0 {
			errs = append(errs, errors.New(r.RequestName()+" + "+r.ResponseName()+": "+r.Fault))
		}
	}
	return errors.Join(errs...)
}
