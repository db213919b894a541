package builtin

import (
	"fmt"
	"strings"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/codec/streamwire"
	"github.com/wireplane/wireplane/codec/twopart"
)

// Spec is one built-in .wire file.
type Spec struct {
	Name     string // the file's name without .wire
	Messages []codec.Message
}

// Specs returns all built-in specs; the result is the caller's.
func Specs() []Spec {
	return []Spec{
		{"mux", muxwire.Messages()},
		{"twopart", twopart.Messages()},
		{"dynamo", dynwire.Messages()},
		{"stream", streamwire.Messages()},
	}
}

// Find returns the message with the given name: "mux.Frame", or "Frame" when only
// one spec has a message of that name. Letter case does not matter.
func Find(name string) (codec.Message, error) {
	file, short, qualified := strings.Cut(name, ".")
	if !qualified {
		short = name
	}
	var found []codec.Message
	var known []string
	for _, s := range Specs() {
		for _, m := range s.Messages {
			known = append(known, s.Name+"."+m.Name)
			if strings.EqualFold(m.Name, short) && (!qualified || strings.EqualFold(s.Name, file)) {
				found = append(found, m)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return codec.Message{}, fmt.Errorf("builtin: no message %q; there are %s", name, strings.Join(known, ", "))
	}
	return codec.Message{}, fmt.Errorf("builtin: %q is in more than one spec: say which, as in mux.%s", name, short)
}
