package itemstream

import (
	"fmt"
	"strings"
)

// Format is a form of the stream.
type Format uint8

// The formats.
const (
	SSE Format = iota
	NDJSON
	Binary
)

// Formats lists them all.
var Formats = []Format{SSE, NDJSON, Binary}

// String returns "sse", "ndjson" or "binary".
func (f Format) String() string {
	switch f {
	case SSE:
		return "sse"
	case NDJSON:
		return "ndjson"
	case Binary:
		return "binary"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat reads what String writes, in any case.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats {
		if strings.EqualFold(s, f.String()) {
			return f, nil
		}
	}
	return 0, fmt.Errorf("itemstream: format %.40q; want sse, ndjson or binary", s)
}

// The media types, as Content-Type says them and Accept asks for them.
const (
	TypeSSE    = "text/event-stream"
	TypeNDJSON = "application/x-ndjson"
	TypeBinary = "application/vnd.wireplane.stream"
)

// MediaType returns the media type of f.
func (f Format) MediaType() string {
	switch f {
	case NDJSON:
		return TypeNDJSON
	case Binary:
		return TypeBinary
	default:
		return TypeSSE
	}
}

// ForMediaType returns the format of a Content-Type or of one element of Accept,
// whose parameters are ignored.
func ForMediaType(s string) (Format, bool) {
	s, _, _ = strings.Cut(s, ";")
	switch strings.ToLower(strings.TrimSpace(s)) {
	case TypeSSE:
		return SSE, true
	case TypeNDJSON, "application/ndjson", "application/jsonl":
		return NDJSON, true
	case TypeBinary, "application/octet-stream":
		return Binary, true
	}
	return 0, false
}
