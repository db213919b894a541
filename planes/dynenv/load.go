package dynenv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Source is who gave a knob its value.
type Source string

// The sources; a later one wins over those before it.
const (
	SourceDefault     Source = "default"
	SourceFile        Source = "file"
	SourceEnvironment Source = "environment"
)

// KnobError is one mistake in a configuration.
type KnobError struct {
	Name   string // of the variable; the path of a key that belongs to none
	Value  string // as written; masked where it is a secret
	Want   string // what a right value looks like
	Source Source
	Where  string // FILE:LINE, as far as known; "" outside a file
}

// Error names variable, value, place and what was wanted.
func (e *KnobError) Error() string {
	where := string(e.Source)
	if e.Where != "" {
		where = e.Where
	}
	return fmt.Sprintf("%s=%q (%s): want %s", e.Name, e.Value, where, e.Want)
}

// origin is where the value of a knob came from.
type origin struct {
	source Source
	where  string
	text   string // the value as it is shown
}

// Load makes a Config of an environment, as [FromOS] returns it, and a parsed
// file, which may be nil. The error joins a [*KnobError] for every mistake there is,
// those in a file value that the environment overrides included; Config is nil then.
// Both arguments are only read.
func Load(environ []string, file *Tree) (*Config, error) {
	l := &loader{env: lookup(environ), c: &Config{sources: make(map[string]origin, len(table))}, bad: make(map[string]bool)}
	values := l.flatten(file)
	for i := range table {
		k := &table[i]
		l.setDefault(k)
		if v, ok := values[k.Path]; ok && k.Path != "" {
			l.fromFile(k, v)
		}
		if v := l.env[k.Name]; v != "" {
			l.apply(k, v, SourceEnvironment, "")
		}
	}
	l.settle()
	l.errs = append(l.errs, l.c.cross(l.bad)...)
	l.c.Warnings = warnings(environ)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.c, nil
}

type loader struct {
	env  map[string]string
	c    *Config
	errs []error
	bad  map[string]bool // knobs with a mistake
}

// lookup makes a map of an environment. Where a name is twice, the last counts, as
// in os/exec; blanks around a value do not, nor does an empty value.
func lookup(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			m[name] = strings.TrimSpace(value)
		}
	}
	return m
}

func (l *loader) setDefault(k *Knob) {
	text := k.Default
	if dir, ok := strings.CutPrefix(text, "$TMPDIR/"); ok {
		tmp := strings.TrimRight(l.env["TMPDIR"], "/")
		if tmp == "" {
			tmp = "/tmp"
		}
		text = tmp + "/" + dir
	}
	shown := ""
	if text != "" {
		if want := k.set(l.c, text); want != "" { // TMPDIR is no path
			l.fail(k, text, want, SourceDefault, "")
		}
		shown = k.show(l.c)
	}
	l.c.sources[k.Name] = origin{SourceDefault, "", shown}
}

// apply sets a knob to what somebody wrote.
func (l *loader) apply(k *Knob, text string, source Source, where string) {
	want := k.NotYet
	if want != "" {
		want = "it not to be set: " + want
	} else {
		want = k.set(l.c, text)
	}
	if want != "" {
		l.fail(k, text, want, source, where)
		return
	}
	l.c.sources[k.Name] = origin{source, where, k.mask(k.show(l.c))}
}

func (l *loader) fail(k *Knob, text, want string, source Source, where string) {
	l.bad[k.Name] = true
	l.errs = append(l.errs, &KnobError{Name: k.Name, Value: k.mask(clip(text)), Want: want, Source: source, Where: where})
}

// clip bounds what an error repeats.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// set tells whether somebody chose the value of a knob.
func (c *Config) set(name string) bool {
	s := c.sources[name].source
	return s == SourceFile || s == SourceEnvironment
}

// Explicit tells whether the file or the environment set a knob.
func (c *Config) Explicit(name string) bool { return c.set(name) }

// settle derives what depends on more than one knob.
func (l *loader) settle() {
	c := l.c
	c.HTTPRequest.Listen.Explicit = c.set("DYN_HTTP_RPC_PORT")
	c.HTTPResponse.Listen.Explicit = c.set("DYN_HTTP_RESPONSE_PORT")
	c.TCPRequest.Listen.Explicit = c.set("DYN_TCP_REQUEST_PORT") || c.set("DYN_TCP_RPC_PORT")
	c.CallHome.Listen.Explicit = c.set("DYN_TCP_RESPONSE_STREAM_PORT")
	c.System.Listen.Explicit = c.set("DYN_SYSTEM_PORT")
	c.Metrics.Explicit = c.set("WIREPLANE_METRICS_ADDR")
	if c.System.Enabled = c.System.Listen.Port >= 0; !c.System.Enabled {
		c.System.Listen.Port = 0
	}
	c.Etcd.DynamoLeaseTTL = c.Etcd.LeaseTTL
	if !c.set("ETCD_LEASE_TTL") {
		c.Etcd.DynamoLeaseTTL = dynamoLeaseTTL
	}
	if !c.set("DYN_TCP_POOL_MIN_IDLE") {
		c.Pool.MinIdle = min(c.Pool.MinIdle, c.Pool.MaxPerTarget)
	}
	if c.CallHome.Mode == "pooled" && !c.set("DYN_TCP_POOL_ENABLED") {
		c.Pool.Enabled = true
	}
	user := c.set("NATS_AUTH_USERNAME") || c.set("NATS_AUTH_PASSWORD")
	switch {
	case c.NATS.Token+c.NATS.NKey+c.NATS.CredentialsFile != "" && !user:
		c.NATS.Username, c.NATS.Password = "", ""
	case user && !c.set("NATS_AUTH_PASSWORD"):
		c.NATS.Password = ""
	case user && !c.set("NATS_AUTH_USERNAME"):
		c.NATS.Username = ""
	}
}

// warnings finds variables whose names are nearly right.
func warnings(environ []string) []string {
	var out []string
	for name := range lookup(environ) {
		if find(name) != nil || released[name] {
			continue
		}
		pool := strings.HasPrefix(name, "DYN_TCP_POOL_")
		if !pool && !strings.HasPrefix(name, "DYN_") && !strings.HasPrefix(name, "WIREPLANE_") {
			continue
		}
		near := nearest(name, variables())
		if near == "" && !pool {
			continue
		}
		w := fmt.Sprintf("%q is no variable that is known, so it is ignored", clip(name))
		if near != "" {
			w += "; did you mean " + near + "?"
		}
		out = append(out, w)
	}
	slices.Sort(out)
	return out[:min(len(out), maxWarnings):min(len(out), maxWarnings)]
}

// maxWarnings bounds Config.Warnings.
const maxWarnings = 32

func variables() []string {
	names := make([]string, 0, len(table))
	for _, k := range table {
		names = append(names, k.Name)
	}
	return names
}

// nearest returns the name that is close to what was written; "" if none is.
func nearest(written string, names []string) string {
	best, least := "", min(len(written)/4+1, 5)
	if len(written) > 128 {
		return ""
	}
	for _, name := range names {
		if d := distance(written, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance returns how many letters must be inserted, removed, changed or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
