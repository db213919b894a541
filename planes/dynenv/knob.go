package dynenv

import (
	"iter"
	"slices"
)

// Kind is what values of a knob look like.
type Kind string

// The kinds.
const (
	KindText     Kind = "text"
	KindChoice   Kind = "choice"   // one of Knob.Choices
	KindCount    Kind = "count"    // whole number
	KindBool     Kind = "bool"     // true or false
	KindSeconds  Kind = "seconds"  // number without a unit, fractions allowed
	KindDuration Kind = "duration" // of Go: 3s, 1m30s
	KindHost     Kind = "host"
	KindPort     Kind = "port"
	KindAddr     Kind = "address" // host:port, :port or off
	KindPath     Kind = "path"    // of a URL
	KindFile     Kind = "file"    // path of a file or folder
	KindURLs     Kind = "URLs"    // separated by commas
	KindLevels   Kind = "levels"  // of logging, by component
)

// Knob is one setting.
type Knob struct {
	Group   string // heading under which it is shown
	Name    string // variable in the environment
	Path    string // in the configuration file, dots between the keys; "": it has no place there
	Kind    Kind
	Unit    string // "s", "bytes", or ""
	Default string // as it would be written; "": not set
	Doc     string // one sentence
	Choices []string
	Min     int64 // of counts, ports, seconds
	Max     int64
	Secret  bool   // not to be shown
	NotYet  string // not "": setting it is an error that says this

	refuse map[string]string // values that deserve words of their own
	field  func(*Config) any // pointer to where the value goes
}

// Knobs yields every setting in the order of the page.
func Knobs() iter.Seq[Knob] {
	return func(yield func(Knob) bool) {
		for _, k := range table {
			k.Choices = slices.Clone(k.Choices)
			if !yield(k) {
				return
			}
		}
	}
}

// find returns the row of a name.
func find(name string) *Knob { return byName[name] }

var byName = func() map[string]*Knob {
	m := make(map[string]*Knob, len(table))
	for i := range table {
		m[table[i].Name] = &table[i]
	}
	return m
}()
