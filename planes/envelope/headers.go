package envelope

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// The headers that travel beside an envelope or a plain request, in lower case.
const (
	RequestID    = "request-id"
	SendTime     = "x-frontend-send-ts-ns" // decimal Unix nanoseconds
	Traceparent  = "traceparent"           // W3C
	Tracestate   = "tracestate"            // W3C
	EndpointPath = "x-endpoint-path"       // the routing path, on TCP
)

// Headers calls set with each header that belongs beside the request id with its
// trace context.
func Headers(id string, req *planes.Request, now time.Time, set func(name, value string)) {
	if id != "" {
		set(RequestID, id)
	}
	set(SendTime, strconv.FormatInt(now.UnixNano(), 10))
	if !req.Trace.IsZero() {
		set(Traceparent, FormatTraceparent(req.Trace))
	}
	if req.TraceState != "" && plain(req.TraceState) {
		set(Tracestate, req.TraceState)
	}
}

// Apply puts what the headers say about a request into req. get returns the first
// value of a header, or "". What is malformed is ignored, as W3C asks.
func Apply(req *planes.Request, get func(name string) string) {
	if t, ok := ParseTraceparent(get(Traceparent)); ok {
		req.Trace = t
		if s := get(Tracestate); plain(s) {
			req.TraceState = s
		}
	}
}

// plain reports whether s can be a tracestate: printable ASCII of at most 512 bytes.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 512
}

// FormatTraceparent writes version 00 of the W3C traceparent header.
func FormatTraceparent(t planes.TraceContext) string {
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t.TraceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, t.SpanID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte{t.Flags})
	return string(b)
}

// ParseTraceparent reads a W3C traceparent header of any version but ff; fields behind
// the flags are allowed from version 01 on.
func ParseTraceparent(s string) (planes.TraceContext, bool) {
	var t planes.TraceContext
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s != strings.ToLower(s) {
		return t, false
	}
	var version, flags [1]byte
	if !unhex(version[:], s[:2]) || version[0] == 0xff || version[0] == 0 && len(s) != 55 || len(s) > 55 && s[55] != '-' {
		return t, false
	}
	if !unhex(t.TraceID[:], s[3:35]) || !unhex(t.SpanID[:], s[36:52]) || !unhex(flags[:], s[53:55]) ||
		t.TraceID == [16]byte{} || t.SpanID == [8]byte{} {
		return planes.TraceContext{}, false
	}
	t.Flags = flags[0]
	return t, true
}

func unhex(dst []byte, s string) bool {
	n, err := hex.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}
