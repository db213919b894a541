package spec

// Pos is a place in a source file. The zero Pos means "no place".
type Pos struct {
	Offset int `json:"offset"` // bytes from the start of the file
	Line   int `json:"line"`   // from 1
	Col    int `json:"col"`    // from 1, in bytes
}

// Span is the half-open stretch of source text from Start to End. The zero Span
// means "no place".
type Span struct {
	Start Pos `json:"start"`
	End   Pos `json:"end"`
}

// Pos returns the span itself, so that every node that embeds a Span has a Pos
// method.
func (s Span) Pos() Span { return s }

// IsZero reports whether s names no place.
func (s Span) IsZero() bool { return s.Start.Line == 0 }

// to returns the span from the start of s to the end of t.
func (s Span) to(t Span) Span { return Span{Start: s.Start, End: t.End} }
