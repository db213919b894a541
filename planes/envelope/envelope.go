package envelope

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/twopart"
	"github.com/wireplane/wireplane/planes"
)

// MaxControlBytes is the largest control message that is written or taken, as in the
// released runtime.
const MaxControlBytes = 128 << 10

// CodecBytes is the payload codec between peers of this project: payload and items are
// the bytes themselves. The released codecs are "json" and "msgpack".
const CodecBytes = "bytes"

// Control is the control message. Keys that it does not name are ignored.
type Control struct {
	ID             string                `json:"id"`
	RequestType    string                `json:"request_type"`
	ResponseType   string                `json:"response_type"`
	PayloadCodec   string                `json:"payload_codec,omitempty"`
	ConnectionInfo planes.ConnectionInfo `json:"connection_info"`
	Metadata       map[string]string     `json:"metadata,omitempty"`
	Own            *Own                  `json:"wireplane,omitempty"`
}

// Own is what only peers of this project say.
type Own struct {
	Route   string          `json:"route,omitempty"`
	Timeout int64           `json:"timeout_ms,omitempty"` // time left, in whole milliseconds
	CallID  string          `json:"call_id,omitempty"`    // 32 hex digits
	Class   uint8           `json:"class,omitempty"`
	Headers []planes.Header `json:"headers,omitempty"`
}

// Append appends env to dst, with its payload in the codec that is named.
func Append(dst []byte, env *planes.Envelope, payloadCodec string) ([]byte, error) {
	req := env.Request
	c := Control{
		ID: env.ID, RequestType: "single_in", ResponseType: "many_out", PayloadCodec: payloadCodec, ConnectionInfo: env.Reply,
		Own: &Own{Route: req.Route, Class: uint8(req.Class), Headers: req.Headers},
	}
	if req.Timeout > 0 {
		c.Own.Timeout = int64((req.Timeout + time.Millisecond - 1) / time.Millisecond)
	}
	if req.CallID != [16]byte{} {
		c.Own.CallID = hex.EncodeToString(req.CallID[:])
	}
	header, err := json.Marshal(&c)
	if err != nil {
		return dst, fmt.Errorf("envelope: control message: %w", err)
	}
	if len(header) > MaxControlBytes {
		return dst, tooLarge(fmt.Sprintf("a control message of %d bytes; want at most %d", len(header), MaxControlBytes))
	}
	m := twopart.TwoPart{Header: header, Body: req.Payload}
	out, err := m.Append(dst)
	if err != nil {
		return dst, fmt.Errorf("envelope: %w", err)
	}
	return out, nil
}

func tooLarge(why string) error {
	return &planes.Error{Code: planes.CodeTooLarge, Phase: planes.PhaseNotStarted, Op: "envelope", Reason: why}
}

// ErrNot is why bytes are no envelope.
var ErrNot = errors.New("not an envelope with connection info")

// Is reports whether b, the whole of it, is an envelope with connection info, so that
// a transport which carries plain requests too can tell them apart.
func Is(b []byte) bool {
	_, _, err := Split(b, len(b))
	return err == nil
}

// Split takes an envelope of at most limit bytes apart. The body is borrowed from b.
// The error is of the kind ErrNot, or says what is wrong.
func Split(b []byte, limit int) (*Control, []byte, error) {
	if len(b) > limit {
		return nil, nil, tooLarge(fmt.Sprintf("an envelope of %d bytes; want at most %d", len(b), limit))
	}
	lim := twopart.Limits{MaxMessage: uint64(limit)}
	var m twopart.TwoPart
	n, err := m.Decode(b, &lim)
	var e *codec.Error
	switch {
	case errors.As(err, &e):
		return nil, nil, fmt.Errorf("envelope: %w: %w", ErrNot, err)
	case err != nil: // more bytes would be needed
		return nil, nil, fmt.Errorf("envelope: %w: cut short", ErrNot)
	case n != len(b):
		return nil, nil, fmt.Errorf("envelope: %w: %d bytes behind it", ErrNot, len(b)-n)
	case len(m.Header) == 0 || m.Header[0] != '{':
		return nil, nil, fmt.Errorf("envelope: %w: its header is no JSON object", ErrNot)
	case len(m.Header) > MaxControlBytes:
		return nil, nil, tooLarge(fmt.Sprintf("a control message of %d bytes; want at most %d", len(m.Header), MaxControlBytes))
	}
	c := new(Control)
	if err := json.Unmarshal(m.Header, c); err != nil {
		return nil, nil, fmt.Errorf("envelope: %w: control message: %w", ErrNot, err)
	}
	if c.ID == "" || len(c.ID) > 128 || c.ConnectionInfo.Transport == "" {
		return nil, nil, fmt.Errorf("envelope: %w: id of %d bytes, reply transport %q", ErrNot, len(c.ID), c.ConnectionInfo.Transport)
	}
	return c, m.Body, nil
}

// Decode reads an envelope of at most limit bytes. The payload of its request is
// borrowed from b, everything else copied.
func Decode(b []byte, limit int) (*planes.Envelope, *Control, error) {
	c, body, err := Split(b, limit)
	if err != nil {
		return nil, nil, err
	}
	if c.RequestType != "single_in" {
		return nil, nil, &planes.Error{Code: planes.CodeUnsupported, Phase: planes.PhaseNotStarted, Op: "envelope",
			Reason: fmt.Sprintf("request type %.40q; want single_in", c.RequestType)}
	}
	req := &planes.Request{Payload: body}
	env := &planes.Envelope{ID: c.ID, Reply: c.ConnectionInfo, Request: req}
	if own := c.Own; own != nil {
		req.Route, req.Headers, req.Class = own.Route, own.Headers, planes.Class(own.Class)
		if own.Timeout > 0 {
			req.Timeout = time.Duration(min(own.Timeout, 1<<40)) * time.Millisecond
		}
		if id, err := hex.DecodeString(own.CallID); err == nil && len(id) == len(req.CallID) {
			copy(req.CallID[:], id)
		}
		if len(own.Headers) > 64 {
			return nil, nil, tooLarge(fmt.Sprintf("%d headers; want at most 64", len(own.Headers)))
		}
	} else {
		for name, value := range c.Metadata {
			req.Headers = append(req.Headers, planes.Header{Name: name, Value: value})
		}
		if len(req.Headers) > 64 {
			return nil, nil, tooLarge(fmt.Sprintf("%d metadata entries; want at most 64", len(req.Headers)))
		}
	}
	return env, c, nil
}
