package itemstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/codec/streamwire"
)

func failureEvent(f *streamwire.Failure) Event {
	return Event{Kind: Error, Totals: Totals(f.Totals), Failure: Failure{
		Code: muxwire.Code(f.Code), Origin: muxwire.Origin(f.Origin), Phase: muxwire.Phase(f.Phase),
		Reason: string(f.Reason), RetryAfterMs: f.RetryAfter,
	}}
}

// sse is the event that is being read.
type sse struct {
	skipLF  bool // the last line ended with CR: an LF is part of that end
	started bool // a first line was seen, so no byte order mark can follow
	kind    string
	id      string
	data    []byte // reused
	hasData bool
}

// field takes one line of an event stream.
func (d *Decoder) field(line []byte) (Event, error) {
	s := &d.sse
	if !s.started {
		s.started = true
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
	}
	if len(line) == 0 {
		return d.dispatch()
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "data":
		if len(s.data)+len(value) > d.maxLine() {
			return Event{}, fmt.Errorf("%w: an event of more than %d bytes", ErrTooLarge, d.maxLine())
		}
		if s.hasData {
			s.data = append(s.data, '\n')
		} else if s.data = s.data[:0]; cap(s.data) > 256<<10 {
			s.data = nil
		}
		s.data, s.hasData = append(s.data, value...), true
	case "event":
		s.kind = short(value)
	case "id":
		s.id = short(value)
	}
	return Event{}, nil
}

// short copies a field that can only be short if it means something to us.
func short(b []byte) string { return string(b[:min(len(b), 32)]) }

// dispatch ends an event. One without data is none, as the standard has it.
func (d *Decoder) dispatch() (Event, error) {
	s := &d.sse
	kind, id, has := s.kind, s.id, s.hasData
	s.kind, s.id, s.hasData = "", "", false
	if !has {
		return Event{}, nil
	}
	ev := Event{Kind: Item, Index: d.seen.Items, Data: s.data}
	switch kind {
	case "", "message", "base64":
		if id != "" {
			n, err := strconv.ParseUint(id, 10, 64)
			if err != nil {
				return Event{}, fmt.Errorf("%w: an event with the id %q", ErrMalformed, id)
			}
			ev.Index = n
		}
		if kind == "base64" {
			return unbase64(ev, s.data)
		}
		if !utf8.Valid(ev.Data) {
			return Event{}, fmt.Errorf("%w: an event that is no UTF-8", ErrMalformed)
		}
		return ev, nil
	case "end":
		return endEvent(s.data)
	case "error":
		f, t, ok := ParseFailureJSON(s.data)
		if !ok {
			return Event{}, fmt.Errorf("%w: error event: %.100q", ErrMalformed, s.data)
		}
		return Event{Kind: Error, Failure: f, Totals: t}, nil
	}
	return Event{}, nil // of a later version
}

// unbase64 decodes in place.
func unbase64(ev Event, b []byte) (Event, error) {
	n, err := base64.StdEncoding.Strict().Decode(b, b)
	if err != nil {
		return Event{}, fmt.Errorf("%w: item %d: %w", ErrMalformed, ev.Index, err)
	}
	ev.Data = b[:n]
	return ev, nil
}

// endEvent reads totals, both of which must be there.
func endEvent(b []byte) (Event, error) {
	var t struct {
		Items *uint64 `json:"items"`
		Bytes *uint64 `json:"bytes"`
	}
	if err := json.Unmarshal(b, &t); err != nil || t.Items == nil || t.Bytes == nil {
		return Event{}, fmt.Errorf("%w: an end without totals: %.100q", ErrMalformed, b)
	}
	return Event{Kind: End, Totals: Totals{*t.Items, *t.Bytes}}, nil
}

type record struct {
	Index  *uint64         `json:"index"`
	Text   *string         `json:"text"`
	JSON   json.RawMessage `json:"json"`
	Base64 *string         `json:"base64"`
	End    json.RawMessage `json:"end"`
	Error  json.RawMessage `json:"error"`
}

// record takes one JSON line.
func (d *Decoder) record(line []byte) (Event, error) {
	if line = bytes.TrimRight(line, " \t\r"); len(line) == 0 {
		return Event{}, nil
	}
	var r record
	if !utf8.Valid(line) {
		return Event{}, fmt.Errorf("%w: a line that is no UTF-8", ErrMalformed)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Event{}, fmt.Errorf("%w: %w: %.100q", ErrMalformed, err, line)
	}
	ev := Event{Kind: Item, Index: d.seen.Items}
	if r.Index != nil {
		ev.Index = *r.Index
	}
	switch {
	case r.Text != nil:
		ev.Data = []byte(*r.Text)
		return ev, nil
	case r.JSON != nil:
		ev.Data = r.JSON
		return ev, nil
	case r.Base64 != nil:
		return unbase64(ev, []byte(*r.Base64))
	case r.End != nil:
		return endEvent(r.End)
	case r.Error != nil:
		f, t, ok := ParseFailureJSON(r.Error)
		if !ok {
			return Event{}, fmt.Errorf("%w: error: %.100q", ErrMalformed, line)
		}
		return Event{Kind: Error, Failure: f, Totals: t}, nil
	}
	return Event{}, nil // of a later version
}
