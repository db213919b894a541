package httpplane

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// statusClientClosed is what nginx logs when the client has gone; no client sees it.
const statusClientClosed = 499

// statuses says which HTTP status stands for which code. The JSON body says the code
// itself; the other direction counts only where a proxy answered in our place, and
// takes the first row of a status.
var statuses = []struct {
	code   planes.Code
	status int
	// proven says that a status without our body proves that no handler ran.
	proven bool
}{
	{planes.CodeOK, http.StatusOK, false},
	{planes.CodeProtocol, http.StatusBadRequest, true},
	{planes.CodeUnauthenticated, http.StatusUnauthorized, true},
	{planes.CodeDenied, http.StatusForbidden, true},
	{planes.CodeNotFound, http.StatusNotFound, true},
	{planes.CodeUnsupported, http.StatusUnsupportedMediaType, true},
	{planes.CodeUnsupported, http.StatusMethodNotAllowed, true},
	{planes.CodeUnsupported, http.StatusNotAcceptable, true},
	{planes.CodeUnsupported, http.StatusNotImplemented, true},
	{planes.CodeEpoch, http.StatusConflict, false},
	{planes.CodeTooLarge, http.StatusRequestEntityTooLarge, true},
	{planes.CodeTooLarge, http.StatusRequestHeaderFieldsTooLarge, true},
	{planes.CodeFlood, http.StatusTooManyRequests, true},
	{planes.CodeCancelled, statusClientClosed, false},
	{planes.CodeInternal, http.StatusInternalServerError, false},
	{planes.CodeHandler, http.StatusInternalServerError, false},
	{planes.CodeChecksum, http.StatusUnprocessableEntity, false},
	{planes.CodeTransport, http.StatusBadGateway, false},
	{planes.CodePeerLost, http.StatusBadGateway, false},
	{planes.CodeOverloaded, http.StatusServiceUnavailable, false},
	{planes.CodeDraining, http.StatusServiceUnavailable, false},
	{planes.CodeRefused, http.StatusServiceUnavailable, false},
	{planes.CodeSlowConsumer, http.StatusRequestTimeout, false},
	{planes.CodeDeadline, http.StatusGatewayTimeout, false},
	{planes.CodeDeadline, http.StatusRequestTimeout, false},
}

// StatusOf returns the HTTP status of a call that ended with code before its answer
// began.
func StatusOf(code planes.Code) int {
	for _, row := range statuses {
		if row.code == code {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// CodeOfStatus returns the code and phase that a status means whose body does not say
// it, as when a proxy answers.
func CodeOfStatus(status int) (planes.Code, planes.Phase) {
	for _, row := range statuses {
		if row.status != status {
			continue
		}
		if row.proven {
			return row.code, planes.PhaseNotStarted
		}
		return row.code, planes.PhaseMaybe
	}
	if status >= 400 && status < 500 {
		return planes.CodeRefused, planes.PhaseMaybe
	}
	return planes.CodeTransport, planes.PhaseMaybe
}

// verdict is what the error of a handler, or of a dispatcher that refused a call,
// becomes on the wire. Only before the first item is "not started" believed. The error
// is the handler's code and may panic when it is read.
func verdict(err error, sent uint64) (f itemstream.Failure) {
	defer func() {
		if v := recover(); v != nil {
			f = itemstream.Failure{Code: planes.CodeInternal, Origin: planes.OriginApp, Phase: planes.PhaseStarted,
				Reason: "the handler returned an error that panics when it is read"}
		}
	}()
	f = itemstream.Failure{Code: planes.CodeOf(err), Origin: planes.OriginApp, Phase: planes.PhaseStarted}
	e := typed(err)
	if e == nil {
		if f.Code == planes.CodeInternal {
			f.Code = planes.CodeHandler
		}
		f.Reason = err.Error()
		return f
	}
	if f.Reason = e.Reason; f.Reason == "" && e.Err != nil {
		f.Reason = e.Err.Error()
	}
	if e.Code == planes.CodeOK {
		f.Code = planes.CodeHandler
	}
	if e.Phase != planes.PhaseStarted && sent == 0 {
		f.Phase, f.Origin = e.Phase, planes.OriginPeer
	}
	f.RetryAfterMs = millis(e.RetryAfter)
	return f
}

func millis(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d+time.Millisecond-1)/time.Millisecond, 1<<31))
}

// errorBody is the JSON of every answer that is an error.
type errorBody struct {
	Error     json.RawMessage `json:"error"`
	Endpoints []string        `json:"endpoints,omitempty"`
}

// writeError answers with the status of f and a JSON body. endpoints may be nil.
func writeError(w http.ResponseWriter, f itemstream.Failure, status int, endpoints []string) {
	if status == 0 {
		status = StatusOf(f.Code)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if f.RetryAfterMs > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.RetryAfterMs+999)/1000)))
	}
	writeJSON(w, status, errorBody{itemstream.AppendFailureJSON(nil, &f, itemstream.Totals{}), endpoints})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		status, b = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// refusal is a call that this side's peer does not take.
func refusal(code planes.Code, format string, args ...any) itemstream.Failure {
	return itemstream.Failure{Code: code, Origin: planes.OriginPeer, Phase: planes.PhaseNotStarted, Reason: fmt.Sprintf(format, args...)}
}

// maxErrorBody bounds what is read of an answer that is an error.
const maxErrorBody = 64 << 10

// refused reads an answer that is no success.
func refused(resp *http.Response, op, route, target string) *planes.Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	e := &planes.Error{Op: op, Route: route, Target: target}
	var j errorBody
	if json.Unmarshal(body, &j) == nil && j.Error != nil {
		if f, t, ok := itemstream.ParseFailureJSON(j.Error); ok {
			fill(e, &f)
			_ = t
			return e
		}
	}
	e.Code, e.Phase = CodeOfStatus(resp.StatusCode)
	e.Origin = planes.OriginProxy
	e.Reason = fmt.Sprintf("HTTP status %.100s", strings.ToValidUTF8(resp.Status, ""))
	if text := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")); text != "" {
		e.Reason += ": " + text
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(min(s, 86400)) * time.Second
	}
	return e
}

func fill(e *planes.Error, f *itemstream.Failure) {
	e.Code, e.Origin, e.Phase, e.Reason = f.Code, f.Origin, f.Phase, f.Reason
	e.RetryAfter = time.Duration(f.RetryAfterMs) * time.Millisecond
	if e.Code == planes.CodeOK {
		e.Code = planes.CodeProtocol
	}
}
