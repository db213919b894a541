package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wireplane/wireplane/codec"
)

// Options say what a capture holds. The zero value leaves all of it to a guess.
type Options struct {
	Spec   string            // "" or "auto": guess
	Frame  string            // a frame or struct; "": what the spec's captures hold
	Params map[string]string // values of the frame's parameters, by name
}

// plan is how a capture will be read.
type plan struct {
	spec  Spec
	read  reading
	frame codec.Message
	first codec.Message // if read.first
	fixed map[int]uint64
}

// guessBytes is how much of a capture is looked at for a guess.
const guessBytes = 1 << 20

// plans returns every way to read a capture that the options allow. Its errors are
// mistakes in the options.
func (o Options) plans() ([]plan, error) {
	specs := Specs()
	if o.Spec != "" && o.Spec != "auto" {
		s, err := FindSpec(o.Spec)
		if err != nil {
			return nil, err
		}
		specs = []Spec{s}
	}
	var all []plan
	var errs []error
	if has := withFrame(specs, o.Frame); len(has) > 0 {
		specs = has // the others would only say that they lack the frame
	}
	for _, s := range specs {
		p, err := o.plansOf(s)
		all = append(all, p...)
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if len(specs) > 1 && o.Frame != "" && len(o.Params) == 0 {
		return nil, fmt.Errorf("no spec has a frame %q", o.Frame)
	}
	return nil, errs[len(errs)-1]
}

func (o Options) plansOf(s Spec) ([]plan, error) {
	reads := s.reads
	if o.Frame != "" {
		reads = nil
		for _, r := range s.reads {
			if strings.EqualFold(r.frame, o.Frame) {
				r.first = ""
				reads = append(reads, r)
			}
		}
		if len(reads) == 0 {
			reads = []reading{{frame: o.Frame}}
		}
	}
	var all []plan
	var bad error
	for _, r := range reads {
		p := plan{spec: s, read: r}
		var err error
		if p.frame, err = s.message(r.frame); err == nil && r.first != "" {
			p.first, err = s.message(r.first)
		}
		if err == nil {
			p.fixed, err = fixedParams(p.frame, o.Params)
		}
		if err != nil {
			bad = err
			continue
		}
		all = append(all, p)
	}
	return all, bad
}

// fixedParams reads the values that the options give to m's parameters.
func fixedParams(m codec.Message, given map[string]string) (map[int]uint64, error) {
	fixed := map[int]uint64{}
	left := len(given)
	for i, p := range m.Params {
		text, ok := given[p.Name]
		if !ok {
			continue
		}
		left--
		v, err := paramValue(p, text)
		if err != nil {
			return nil, err
		}
		fixed[i] = v
	}
	if left == 0 {
		return fixed, nil
	}
	var names []string
	for _, p := range m.Params {
		names = append(names, p.Name+" ("+p.Type+")")
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	for name := range given {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" (") {
			return nil, fmt.Errorf("%s has no parameter %q; it has %s", m.Name, name, strings.Join(names, ", "))
		}
	}
	return fixed, nil
}

func paramValue(p codec.Param, text string) (uint64, error) {
	if p.Type == "bool" {
		v, err := strconv.ParseBool(text)
		if err != nil {
			return 0, fmt.Errorf("parameter %s is %q; want true or false", p.Name, text)
		}
		if v {
			return 1, nil
		}
		return 0, nil
	}
	bits, err := strconv.Atoi(strings.TrimLeft(p.Type, "ui"))
	if err != nil {
		bits = 64
	}
	v, err := strconv.ParseUint(text, 0, bits)
	if err != nil {
		return 0, fmt.Errorf("parameter %s is %q; want a number of type %s", p.Name, text, p.Type)
	}
	return v, nil
}

// args returns the arguments for the frame at the start of b. last are those of the
// frame before.
func (p plan) args(b []byte, last []uint64) []uint64 {
	args := p.frame.Args()
	switch {
	case p.read.choose != nil:
		args = append(args[:0], p.read.choose(b, last)...)
	case p.read.args != nil:
		copy(args, p.read.args)
	}
	for i, v := range p.fixed {
		args[i] = v
	}
	return args
}

// unit is one message of a capture.
type unit struct {
	msg    codec.Message
	title  string
	args   []uint64
	offset int
	bytes  int    // 0: not accepted
	text   string // the message in one line
	err    error
}

// walk decodes b message by message and gives each to visit, the one that it stops
// at included. It returns how many bytes were decoded, and why it stopped, nil at
// the end of b.
func (p plan) walk(b []byte, visit func(u unit) error) (int, error) {
	var last []uint64
	for at := 0; at < len(b); {
		rest := b[at:]
		u := unit{msg: p.frame, offset: at}
		if at == 0 && p.read.first != "" && rest[0] == p.read.magic[0] {
			u.msg, u.args = p.first, p.first.Args()
		} else {
			u.args = p.args(rest, last)
			if p.read.title != nil {
				u.title = p.read.title(rest)
			}
			if p.read.apart == "" || u.title != p.read.apart {
				last = u.args
			}
		}
		u.text, u.bytes, u.err = u.msg.Decode(rest, u.args)
		if u.err == nil && u.bytes == 0 {
			u.err = errEmpty
		}
		if err := visit(u); err != nil {
			return at, err
		}
		if u.err != nil {
			return at, u.err
		}
		at += u.bytes
	}
	return len(b), nil
}

// errEmpty ends the walk over a struct that takes no bytes: there would be no end.
var errEmpty = errors.New("the message takes no bytes, and there are some left")

// How well a plan fits a capture.
const (
	fitsNot   = iota
	fitsSoFar // bytes are missing at the end, or were damaged on the way
	fitsWhole
)

// fit tells how well p fits b, and how many bytes it decodes.
func (p plan) fit(b []byte) (fit, n int) {
	n, err := p.walk(b, func(unit) error { return nil })
	if err == nil {
		return fitsWhole, n
	}
	var need codec.Need
	var refused *codec.Error
	switch {
	case len(p.read.magic) > 0 && bytes.HasPrefix(b, p.read.magic):
		return fitsSoFar, n
	case n == 0 && p.read.first != "":
		// Without the magic, any bytes look like a frame of which some are missing.
	case errors.As(err, &need), errors.As(err, &refused) && refused.Kind == codec.KindChecksum:
		return fitsSoFar, n
	}
	return fitsNot, n
}

// guess returns the plan that fits b: of those that fit alike, the first, and of
// those that do not fit, the one that comes furthest.
func guess(plans []plan, b []byte) plan {
	b = b[:min(len(b), guessBytes)]
	best := plans[0]
	bestFit, bestBytes := best.fit(b)
	for _, p := range plans[1:] {
		fit, n := p.fit(b)
		if fit > bestFit || fit == fitsNot && bestFit == fitsNot && n > bestBytes {
			best, bestFit, bestBytes = p, fit, n
		}
	}
	return best
}

// Check reports a mistake in the options.
func (o Options) Check() error {
	_, err := o.plans()
	return err
}

// withFrame returns the specs that have a frame or struct of that name.
func withFrame(specs []Spec, frame string) []Spec {
	if frame == "" {
		return nil
	}
	var has []Spec
	for _, s := range specs {
		if _, err := s.message(frame); err == nil {
			has = append(has, s)
		}
	}
	return has
}
