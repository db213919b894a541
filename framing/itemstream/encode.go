package itemstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec/streamwire"
)

// AppendItem appends item, the index-th of its stream, counted from 0. Nothing of
// item is kept.
func AppendItem(dst []byte, f Format, index uint64, item []byte) []byte {
	switch f {
	case NDJSON:
		return appendLine(dst, index, item)
	case Binary:
		return appendFrame(dst, &streamwire.Record{
			Kind: streamwire.RecordKindItem, Body: streamwire.RecordBody{Item: streamwire.Item{Index: index, Data: item}},
		})
	default:
		return appendEvent(dst, index, item)
	}
}

// AppendEnd appends the terminal of a whole stream.
func AppendEnd(dst []byte, f Format, t Totals) []byte {
	switch f {
	case NDJSON:
		return append(appendTotals(append(dst, `{"end":`...), t), "}\n"...)
	case Binary:
		return appendFrame(dst, &streamwire.Record{
			Kind: streamwire.RecordKindEnd, Body: streamwire.RecordBody{Count: streamwire.Count(t)},
		})
	default:
		return append(appendTotals(append(dst, "event: end\ndata: "...), t), "\n\n"...)
	}
}

// AppendFailure appends the terminal of a stream that is not whole; t counts what was
// sent before it.
func AppendFailure(dst []byte, f Format, why *Failure, t Totals) []byte {
	switch f {
	case NDJSON:
		return append(AppendFailureJSON(append(dst, `{"error":`...), why, t), "}\n"...)
	case Binary:
		return appendFrame(dst, &streamwire.Record{
			Kind: streamwire.RecordKindError,
			Body: streamwire.RecordBody{Failure: streamwire.Failure{
				Code: uint16(why.Code), Origin: uint8(why.Origin), Phase: uint8(why.Phase), RetryAfter: why.RetryAfterMs,
				Totals: streamwire.Count(t), Reason: []byte(cut(why.Reason)),
			}},
		})
	default:
		return append(AppendFailureJSON(append(dst, "event: error\ndata: "...), why, t), "\n\n"...)
	}
}

// AppendAlive appends a heartbeat, which readers skip.
func AppendAlive(dst []byte, f Format) []byte {
	switch f {
	case NDJSON:
		return append(dst, '\n')
	case Binary:
		return appendFrame(dst, &streamwire.Record{Kind: streamwire.RecordKindAlive})
	default:
		return append(dst, ":\n\n"...)
	}
}

func appendFrame(dst []byte, m *streamwire.Record) []byte {
	out, err := m.Append(dst)
	if err != nil {
		// Only an item beyond 256 MiB, which no Decoder takes: the reader finds the gap.
		return dst
	}
	return out
}

func appendTotals(dst []byte, t Totals) []byte {
	dst = strconv.AppendUint(append(dst, `{"items":`...), t.Items, 10)
	dst = strconv.AppendUint(append(dst, `,"bytes":`...), t.Bytes, 10)
	return append(dst, '}')
}

func appendEvent(dst []byte, index uint64, item []byte) []byte {
	dst = strconv.AppendUint(append(dst, "id: "...), index, 10)
	if !utf8.Valid(item) || bytes.IndexByte(item, '\r') >= 0 {
		dst = append(dst, "\nevent: base64\ndata: "...)
		return append(base64.StdEncoding.AppendEncode(dst, item), "\n\n"...)
	}
	for {
		line, rest, more := bytes.Cut(item, []byte{'\n'})
		dst = append(append(dst, "\ndata: "...), line...)
		if !more {
			return append(dst, "\n\n"...)
		}
		item = rest
	}
}

func appendLine(dst []byte, index uint64, item []byte) []byte {
	dst = append(strconv.AppendUint(append(dst, `{"index":`...), index, 10), ',')
	switch {
	case inline(item):
		dst = append(append(dst, `"json":`...), item...)
	case utf8.Valid(item) && escapes(item) <= len(item)/3:
		dst = appendString(append(dst, `"text":`...), item)
	default:
		dst = base64.StdEncoding.AppendEncode(append(dst, `"base64":"`...), item)
		dst = append(dst, '"')
	}
	return append(dst, "}\n"...)
}

// maxDepth is how deep encoding/json reads.
const maxDepth = 10_000

// inline reports whether item is a JSON object or array that fits in one line.
func inline(item []byte) bool {
	if len(item) < 2 || item[0] != '{' && item[0] != '[' || item[len(item)-1] != item[0]+2 {
		return false
	}
	if bytes.Count(item, []byte{'['})+bytes.Count(item, []byte{'{'}) >= maxDepth {
		return false // it may be too deep for who reads the line
	}
	return bytes.IndexByte(item, '\n') < 0 && bytes.IndexByte(item, '\r') < 0 && utf8.Valid(item) && json.Valid(item)
}

// escapes is how many bytes more than item the string has.
func escapes(item []byte) (n int) {
	for _, c := range item {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r':
			n++
		case c < 0x20:
			n += 5
		}
	}
	if len(item) < 16 {
		return 0 // short text stays readable
	}
	return n
}

const hexDigits = "0123456789abcdef"

func appendString(dst, item []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range item {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, item[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, item[from:]...), '"')
}
