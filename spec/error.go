package spec

import (
	"fmt"
	"strings"
)

// MaxErrors is how many diagnostics are kept for one file; further ones are
// only counted.
const MaxErrors = 50

// Error is one diagnostic.
type Error struct {
	File  string `json:"file"`
	Span  Span   `json:"span"`
	Msg   string `json:"msg"`
	Notes []Note `json:"notes,omitempty"`
	Fix   string `json:"fix,omitempty"` // what to write instead, if one is known
}

// Note explains an error; its Span is zero when it points nowhere.
type Note struct {
	Span Span   `json:"span"`
	Msg  string `json:"msg"`
}

// Error returns "file:line:col: message", without notes.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Span.Start.Line, e.Span.Start.Col, e.Msg)
}

// ErrorList is all diagnostics of a file, in the order of the text. Parse,
// Check and Format return it as their error.
type ErrorList []*Error

// Error returns one line for each diagnostic.
func (l ErrorList) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}
