package dynenv

import (
	"cmp"
	"fmt"
	"iter"
	"net/url"
	"strings"
)

// Value is what a knob was loaded with.
type Value struct {
	Knob   Knob
	Text   string // as it would be written; "": not set; a secret is ***
	Source Source
	Where  string // FILE:LINE, as far as known; "" outside a file
	Note   string // not "": why something else counts instead
}

// Values yields the value that each knob was loaded with, in the order of [Knobs].
// Secrets are masked. What was changed in c since does not show.
func (c *Config) Values() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for k := range Knobs() {
			o := c.sources[k.Name]
			if !yield(Value{Knob: k, Text: o.text, Source: cmp.Or(o.source, SourceDefault), Where: o.where, Note: c.note(k.Name)}) {
				return
			}
		}
	}
}

// note tells what settle did to a value.
func (c *Config) note(name string) string {
	o := c.sources[name]
	switch {
	case name == "DYN_TCP_REQUEST_HOST" && c.set("DYN_TCP_RPC_HOST"):
		return "DYN_TCP_RPC_HOST wins"
	case name == "DYN_TCP_REQUEST_PORT" && c.set("DYN_TCP_RPC_PORT"):
		return "DYN_TCP_RPC_PORT wins"
	case name == "DYN_TCP_POOL_ENABLED" && c.Pool.Enabled && o.text == "false":
		return "on, since WIREPLANE_CALLHOME_MODE is pooled"
	case name == "DYN_TCP_POOL_MIN_IDLE" && o.text != fmt.Sprint(c.Pool.MinIdle):
		return fmt.Sprintf("%d, the maximum per target", c.Pool.MinIdle)
	case (name == "NATS_AUTH_USERNAME" || name == "NATS_AUTH_PASSWORD") && !c.set(name) && c.NATS.Username == "":
		return "not used: there is another way to authenticate"
	case name == "ETCD_LEASE_TTL" && !c.set(name):
		return "10 in the layout of released Dynamo"
	case name == configVariable && c.File != "" && c.File != o.text:
		return c.File + " was read"
	}
	return ""
}

const masked = "***"

// mask hides what is secret in a value that someone wrote.
func (k *Knob) mask(text string) string {
	switch {
	case text == "":
		return ""
	case k.Secret:
		return masked
	case k.Kind != KindURLs || !strings.Contains(text, "@"):
		return text
	}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		switch {
		case !strings.Contains(part, "@"):
		case err != nil || u.User == nil:
			parts[i] = masked // not clear where the password ends
		default:
			if _, has := u.User.Password(); !has {
				u.User = url.UserPassword("", "") // a token stands where the user would
			}
			parts[i] = strings.Replace(u.Redacted(), ":xxxxx@", ":"+masked+"@", 1)
		}
	}
	return strings.Join(parts, ",")
}
