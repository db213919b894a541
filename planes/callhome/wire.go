package callhome

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
	"github.com/wireplane/wireplane/planes"
)

// The modes, as they stand in discovery records and connection info.
const (
	ModeSingle = "single" // one socket a response: the released wire
	ModePooled = "pooled" // many responses over one socket, one after another
	ModeMux    = "mux"    // many responses at once over one connection
)

// MetadataKey is the key under which a worker's record lists its modes.
const MetadataKey = "callhome"

const transportName = "tcp_server"

// info is the connection info. Released peers know the first four keys.
type info struct {
	Address    string `json:"address"`
	Subject    string `json:"subject"`
	Context    string `json:"context"`
	StreamType string `json:"stream_type"`
	Modes      string `json:"modes,omitempty"`
	Token      string `json:"token,omitempty"`
}

type handshake struct {
	Subject    string `json:"subject"`
	StreamType string `json:"stream_type"`
	Mode       string `json:"mode,omitempty"`
	Token      string `json:"token,omitempty"`
}

type prologue struct {
	Error *string  `json:"error"`
	Own   *endInfo `json:"wireplane,omitempty"`
	Token string   `json:"token,omitempty"` // in mode mux
}

// muxOpen is the request of the router's call in mode mux.
type muxOpen struct {
	Subject string `json:"subject"`
	Kill    bool   `json:"kill,omitempty"` // the answer is given up
}

type endFrame struct {
	End *endInfo `json:"end"`
}

// endInfo is how a response ended, with the totals of its items.
type endInfo struct {
	Code         string `json:"code"`
	Origin       string `json:"origin,omitempty"`
	Phase        string `json:"phase,omitempty"`
	Reason       string `json:"reason,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
	Items        uint64 `json:"items"`
	Bytes        uint64 `json:"bytes"`
}

// An ItemCodec wraps items for peers that want more than bytes, as released ones do.
type ItemCodec interface {
	// AppendItem appends the wire form of item to dst.
	AppendItem(dst, item []byte) ([]byte, error)
}

var (
	stopWord     = []byte(`"stop"`)
	killWord     = []byte(`"kill"`)
	sentinelWord = []byte(`"sentinel"`)
	begunWord    = []byte(`{"error":null}`)
)

var codes = byName(planes.CodeOK, planes.CodeCancelled, planes.CodeDeadline, planes.CodeRefused, planes.CodeOverloaded, planes.CodeDraining,
	planes.CodeNotFound, planes.CodeUnauthenticated, planes.CodeDenied, planes.CodeTooLarge, planes.CodeSlowConsumer, planes.CodeProtocol,
	planes.CodeFlood, planes.CodeChecksum, planes.CodeTransport, planes.CodePeerLost, planes.CodeEpoch, planes.CodeHandler,
	planes.CodeInternal, planes.CodeUnsupported)

var (
	origins = byName(planes.OriginLocal, planes.OriginPeer, planes.OriginProxy, planes.OriginApp)
	phases  = byName(planes.PhaseNotStarted, planes.PhaseMaybe, planes.PhaseStarted)
)

func byName[T fmt.Stringer](all ...T) map[string]T {
	m := make(map[string]T, len(all))
	for _, v := range all {
		m[v.String()] = v
	}
	return m
}

// tell is how a handler's error stands on the wire. The error is the handler's code:
// it may panic when it is read, as a nil pointer does, and is then replaced by one
// that says so. So no lock may be held.
func tell(err error, phase planes.Phase) (e *endInfo) {
	defer func() {
		if recover() != nil {
			e = &endInfo{Code: planes.CodeInternal.String(), Origin: planes.OriginApp.String(), Phase: phase.String(),
				Reason: "the handler returned an error that panics when it is read"}
		}
	}()
	e = &endInfo{Code: planes.CodeHandler.String(), Origin: planes.OriginApp.String(), Phase: phase.String(), Reason: err.Error()}
	var p *planes.Error
	if errors.As(err, &p) && p != nil && p.Code != planes.CodeOK {
		e.Code, e.Origin, e.Reason = p.Code.String(), p.Origin.String(), p.Reason
		e.RetryAfterMS = p.RetryAfter.Milliseconds()
		if e.Reason == "" && p.Err != nil {
			e.Reason = p.Err.Error()
		}
	} else if c := planes.CodeOf(err); c != planes.CodeInternal {
		e.Code = c.String()
	}
	e.Reason = cut(e.Reason)
	return e
}

func cut(s string) string {
	if len(s) > 1<<10 {
		s = s[:1<<10]
	}
	return strings.ToValidUTF8(s, "?")
}

// fault is the error that e tells of; names that are unknown become the safest ones.
func (e *endInfo) fault(phase planes.Phase) *planes.Error {
	f := &planes.Error{Code: planes.CodeInternal, Phase: phase, Origin: planes.OriginApp, Reason: cut(e.Reason)}
	if c, ok := codes[e.Code]; ok && c != planes.CodeOK {
		f.Code = c
	}
	if o, ok := origins[e.Origin]; ok && e.Origin != planes.OriginLocal.String() {
		f.Origin = o
	}
	if p, ok := phases[e.Phase]; ok {
		f.Phase = p
	}
	f.RetryAfter = time.Duration(min(max(e.RetryAfterMS, 0), 1<<31)) * time.Millisecond
	return f
}

// mustJSON is for structs of strings and numbers, which always have a JSON form.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	invariants.Check(err == nil, "callhome: JSON of %T: %v", v, err)
	return b
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func has(list, mode string) bool {
	for m := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(m) == mode {
			return true
		}
	}
	return false
}
