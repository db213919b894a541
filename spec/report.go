package spec

import (
	"fmt"
	"slices"
)

// reporter collects the diagnostics of one file.
type reporter struct {
	file    string
	errs    ErrorList
	dropped int
	extra   Span // where the first dropped one was
	clear   int  // how many of errs left no doubt about what was meant
}

// clearf records a mistake of form that leaves no doubt about what was meant, so
// that the rest of the file can be checked all the same.
func (r *reporter) clearf(at Span, format string, args ...any) *Error {
	before := len(r.errs)
	e := r.errorf(at, format, args...)
	r.clear += len(r.errs) - before
	return e
}

// onlyClear reports whether every mistake so far is one of clearf's.
func (r *reporter) onlyClear() bool { return r.clear == len(r.errs) && r.dropped == 0 }

// errorf records a diagnostic and returns it, so that the caller can add notes
// and a fix. Two diagnostics never start at the same place: the later one is
// nearly always a consequence of the first.
func (r *reporter) errorf(at Span, format string, args ...any) *Error {
	e := &Error{File: r.file, Span: at, Msg: fmt.Sprintf(format, args...)}
	for _, old := range r.errs {
		if old.Span.Start == at.Start {
			return e
		}
	}
	if len(r.errs) >= MaxErrors {
		if r.dropped == 0 {
			r.extra = at
		}
		r.dropped++
		return e
	}
	r.errs = append(r.errs, e)
	return e
}

// note adds a note to e; at may be zero.
func (e *Error) note(at Span, format string, args ...any) *Error {
	e.Notes = append(e.Notes, Note{Span: at, Msg: fmt.Sprintf(format, args...)})
	return e
}

// fix sets the suggested fix of e.
func (e *Error) fix(format string, args ...any) {
	e.Fix = fmt.Sprintf(format, args...)
}

// err returns the collected diagnostics in the order of the text, or nil.
func (r *reporter) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		return a.Span.Start.Offset - b.Span.Start.Offset
	})
	if r.dropped > 0 {
		r.errs = append(r.errs, &Error{File: r.file, Span: r.extra, Msg: fmt.Sprintf("and %d more", r.dropped)})
	}
	return r.errs
}
