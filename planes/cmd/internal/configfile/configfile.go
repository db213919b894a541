// Package configfile reads the configuration file of the planes, which is YAML, into
// the tree that package dynenv checks. It lives in the module of the commands, so
// that no importer of the planes links a YAML parser.
//
// It is strict: a key may be there once, there are no anchors, aliases, merge keys
// or tags, one document only, and a bound on size and depth. What keys mean and
// which there are is for dynenv to say; it gets the line of each.
package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wireplane/wireplane/planes/dynenv"
)

// Bounds of a file.
const (
	MaxSize  = 1 << 20 // bytes
	maxDepth = 16      // sections in sections
)

// SyntaxError tells that a file is no YAML, or not of the kind that is read.
type SyntaxError struct {
	File string
	Line int // 0: not known
	What string
}

// Error says where and what.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.What
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
}

// Read reads the file of a name. What is wrong in it is reported as joined
// [*SyntaxError]s, all other errors are those of the file system.
func Read(name string) (*dynenv.Tree, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Parse reads YAML; name is for messages. The text is not kept.
func Parse(name string, text []byte) (*dynenv.Tree, error) {
	p := &parser{tree: &dynenv.Tree{Name: name, Values: map[string]any{}, Lines: map[string]int{}}}
	if len(text) > MaxSize {
		p.fail(0, "above %d bytes, which no configuration needs", MaxSize)
		return nil, p.error()
	}
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return p.tree, nil // nothing but comments
	case err != nil:
		p.fail(0, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, p.error()
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		p.fail(more.Line, "a second document, want one")
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		p.tree.Values = p.section(root, "", 1)
	case root.Kind != yaml.ScalarNode || root.Tag != "!!null":
		p.fail(root.Line, "want keys with values, such as transport:")
	}
	if len(p.errs) > 0 {
		return nil, p.error()
	}
	return p.tree, nil
}

type parser struct {
	tree *dynenv.Tree
	errs []error
}

const maxErrors = 32

func (p *parser) fail(line int, format string, args ...any) {
	if len(p.errs) < maxErrors {
		p.errs = append(p.errs, &SyntaxError{p.tree.Name, line, fmt.Sprintf(format, args...)})
	}
}

func (p *parser) error() error { return errors.Join(p.errs...) }

func (p *parser) section(n *yaml.Node, path string, depth int) map[string]any {
	out := make(map[string]any, len(n.Content)/2)
	if depth > maxDepth {
		p.fail(n.Line, "more than %d sections in one another", maxDepth)
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			p.fail(key.Line, "a key must be a word")
			continue
		}
		where := path + key.Value
		if _, twice := out[key.Value]; twice {
			p.fail(key.Line, "%s is there twice, first in line %d", where, p.tree.Lines[where])
			continue
		}
		p.tree.Lines[where] = key.Line
		out[key.Value] = p.value(v, where, depth)
	}
	return out
}

func (p *parser) value(n *yaml.Node, path string, depth int) any {
	if n.Anchor != "" {
		p.fail(n.Line, "anchors are not supported")
	}
	switch n.Kind {
	case yaml.MappingNode:
		return p.section(n, path+".", depth+1)
	case yaml.SequenceNode:
		if depth >= maxDepth {
			p.fail(n.Line, "more than %d lists in one another", maxDepth)
			return nil
		}
		list := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			list = append(list, p.value(e, path, depth+1))
		}
		return list
	case yaml.ScalarNode:
		return p.scalar(n)
	default:
		p.fail(n.Line, "aliases are not supported: write the value again")
		return nil
	}
}

// scalar returns a value of the types that dynenv knows; all else is its text.
func (p *parser) scalar(n *yaml.Node) any {
	if n.Style&yaml.TaggedStyle != 0 {
		p.fail(n.Line, "the tag %s is not supported", n.Tag)
		return nil
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var v bool
		if n.Decode(&v) == nil {
			return v
		}
	case "!!int":
		var v int
		if n.Decode(&v) == nil {
			return v
		}
	case "!!float":
		var v float64
		if n.Decode(&v) == nil {
			return v
		}
	}
	return n.Value
}
