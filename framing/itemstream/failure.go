package itemstream

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// MaxReasonBytes is the longest text of a failure; longer ones are cut.
const MaxReasonBytes = 1024

// Totals is how much a stream carried.
type Totals struct {
	Items uint64 `json:"items"`
	Bytes uint64 `json:"bytes"` // of all items
}

// Failure is why a stream is not whole.
type Failure struct {
	Code         muxwire.Code
	Origin       muxwire.Origin
	Phase        muxwire.Phase
	Reason       string
	RetryAfterMs uint32 // 0 when unknown
}

type failureJSON struct {
	Code         string `json:"code"`
	Origin       string `json:"origin"`
	Phase        string `json:"phase"`
	Reason       string `json:"reason"`
	Items        uint64 `json:"items"`
	Bytes        uint64 `json:"bytes"`
	RetryAfterMs uint32 `json:"retry_after_ms"`
}

// AppendFailureJSON appends the failure as one JSON object without a line break.
func AppendFailureJSON(dst []byte, f *Failure, t Totals) []byte {
	b, err := json.Marshal(failureJSON{
		f.Code.String(), f.Origin.String(), f.Phase.String(), cut(f.Reason), t.Items, t.Bytes, f.RetryAfterMs,
	})
	if err != nil {
		return append(dst, "null"...) // strings and numbers always can be written
	}
	return append(dst, b...)
}

// ParseFailureJSON reads what AppendFailureJSON wrote. Names that this build does not
// know become INTERNAL, PEER and MAYBE. It reports false for anything else.
func ParseFailureJSON(b []byte) (Failure, Totals, bool) {
	var j failureJSON
	if json.Unmarshal(b, &j) != nil || j.Code == "" {
		return Failure{}, Totals{}, false
	}
	f := Failure{
		Code: muxwire.CodeInternal, Origin: muxwire.OriginPeer, Phase: muxwire.PhaseMaybe,
		Reason: cut(j.Reason), RetryAfterMs: j.RetryAfterMs,
	}
	for c := muxwire.CodeCancelled; c <= muxwire.CodeUnsupported; c++ {
		if c.String() == j.Code {
			f.Code = c
		}
	}
	for o := muxwire.OriginLocal; o <= muxwire.OriginApp; o++ {
		if o.String() == j.Origin {
			f.Origin = o
		}
	}
	for p := muxwire.PhaseNotStarted; p <= muxwire.PhaseStarted; p++ {
		if p.String() == j.Phase {
			f.Phase = p
		}
	}
	return f, Totals{j.Items, j.Bytes}, true
}

// cut makes s valid UTF-8 of at most MaxReasonBytes.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxReasonBytes {
		return s
	}
	n := MaxReasonBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
