package httpplane

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

// The headers of a plain request; traceparent and tracestate are those of W3C.
const (
	// HeaderTimeout is the time left for the call: a Go duration, "1500ms".
	// "Request-Timeout", in seconds, is understood as well.
	HeaderTimeout = "Wireplane-Timeout"
	// HeaderHeader is one header of the request, "name=value", both percent-encoded
	// where they are not plain. It may come up to 64 times; the order counts.
	HeaderHeader = "Wireplane-Header"
	// HeaderCallID is Request.CallID, 32 hex digits.
	HeaderCallID = "Wireplane-Call-Id"
	// HeaderClass is the scheduling class, as a number.
	HeaderClass = "Wireplane-Class"
	// HeaderStream is in an answer the name of the running call, for DELETE.
	HeaderStream = "Wireplane-Stream"
	// HeaderToken is what a router must know to attach to an answer; the query parameter
	// "token" does as well.
	HeaderToken = "Wireplane-Token"
	// HeaderControl is in a DELETE of an answer "stop", the default, or "kill".
	HeaderControl = "Wireplane-Control"
)

const maxHeaders, maxHeaderName, maxHeaderValue = 64, 255, 4096

// maxHeaderBytes is room for as many headers as a call may have, percent-encoded. What
// is heavy counts in the server's budget; a router that attaches needs no more than that.
const maxHeaderBytes, heavy = 1 << 20, 32 << 10

// weigh returns what the head of a request counts in the budget.
func weigh(r *http.Request) int64 {
	n := len(r.URL.Path) + len(r.URL.RawQuery)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	if n <= heavy {
		return 0
	}
	return int64(n)
}

// writeHeaders puts all of req but route and payload into h.
func writeHeaders(h http.Header, id string, req *planes.Request, now time.Time) error {
	envelope.Headers(id, req, now, h.Set)
	if req.Timeout > 0 {
		ms := (req.Timeout + time.Millisecond - 1) / time.Millisecond
		h.Set(HeaderTimeout, strconv.FormatInt(int64(ms), 10)+"ms")
	}
	if req.CallID != [16]byte{} {
		h.Set(HeaderCallID, hex.EncodeToString(req.CallID[:]))
	}
	if req.Class != 0 {
		h.Set(HeaderClass, strconv.Itoa(int(req.Class)))
	}
	if len(req.Headers) > maxHeaders {
		return fmt.Errorf("%d headers; want at most %d", len(req.Headers), maxHeaders)
	}
	for _, x := range req.Headers {
		if err := checkHeader(x); err != nil {
			return err
		}
		h.Add(HeaderHeader, url.QueryEscape(x.Name)+"="+url.QueryEscape(x.Value))
	}
	return nil
}

func checkHeader(x planes.Header) error {
	if x.Name == "" || len(x.Name) > maxHeaderName || len(x.Value) > maxHeaderValue {
		return fmt.Errorf("a header with a name of %d and a value of %d bytes; want 1 to %d, and at most %d",
			len(x.Name), len(x.Value), maxHeaderName, maxHeaderValue)
	}
	return nil
}

// readHeaders is the reverse. Trace context that is malformed is ignored, as W3C asks;
// anything else is an error.
func readHeaders(h http.Header, req *planes.Request) error {
	envelope.Apply(req, h.Get)
	var err error
	if req.Timeout, err = timeout(h); err != nil {
		return err
	}
	if s := h.Get(HeaderCallID); s != "" {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != len(req.CallID) {
			return fmt.Errorf("%s: %.40q; want 32 hex digits", HeaderCallID, s)
		}
		copy(req.CallID[:], b)
	}
	if s := h.Get(HeaderClass); s != "" {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return fmt.Errorf("%s: %.40q; want a number up to 255", HeaderClass, s)
		}
		req.Class = planes.Class(n)
	}
	values := h.Values(HeaderHeader)
	if len(values) > maxHeaders {
		return fmt.Errorf("%d times %s; want at most %d", len(values), HeaderHeader, maxHeaders)
	}
	for _, s := range values {
		name, value, ok := strings.Cut(s, "=")
		name, err1 := url.QueryUnescape(strings.TrimSpace(name))
		value, err2 := url.QueryUnescape(value)
		x := planes.Header{Name: name, Value: value}
		if err := errors.Join(err1, err2, checkHeader(x)); err != nil || !ok {
			return fmt.Errorf("%s: %.60q; want name=value, percent-encoded", HeaderHeader, s)
		}
		req.Headers = append(req.Headers, x)
	}
	return nil
}

// timeout reads the time left; 0 means none was given.
func timeout(h http.Header) (time.Duration, error) {
	if s := h.Get(HeaderTimeout); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return 0, fmt.Errorf("%s: %.40q; want a duration above 0, such as 1500ms", HeaderTimeout, s)
		}
		return d, nil
	}
	if s := h.Get("Request-Timeout"); s != "" {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n > 0 && n < 1e9) {
			return 0, fmt.Errorf("Request-Timeout: %.40q; want seconds, above 0", s)
		}
		return time.Duration(n * float64(time.Second)), nil
	}
	return 0, nil
}
