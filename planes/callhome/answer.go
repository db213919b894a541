package callhome

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/wireplane/wireplane/planes"
)

// answer is the router's state machine of one response: pure, one frame at a time.
type answer struct {
	ours         bool // the worker ends with totals
	begun        bool
	refused      *planes.Error // by an error prologue
	end          *endInfo
	items, bytes uint64
}

// frame takes a frame. It returns an item, or nothing, or the terminal: io.EOF or a
// *planes.Error. whole tells that the frame was the sentinel of a complete sequence,
// behind which the connection is in step.
func (a *answer) frame(header, body []byte) (item []byte, isItem, whole bool, err error) {
	switch {
	case !a.begun && a.refused == nil:
		return nil, false, false, a.prologue(header, body)
	case len(header) == 0:
		if a.end != nil || a.refused != nil {
			return nil, false, false, a.broken("an item behind the end")
		}
		a.items++
		a.bytes += uint64(len(body))
		return body, true, false, nil
	case len(body) > 0:
		return nil, false, false, a.broken("a frame with header and body")
	case bytes.Equal(header, sentinelWord):
		err, whole = a.sentinel()
		return nil, false, whole, err
	case a.ours && a.end == nil && a.refused == nil && header[0] == '{':
		var e endFrame
		if json.Unmarshal(header, &e) != nil || e.End == nil {
			return nil, false, false, a.broken("a header that is no end")
		}
		a.end = e.End
		return nil, false, false, nil
	}
	return nil, false, false, a.broken(fmt.Sprintf("a control frame %.40q", header))
}

func (a *answer) prologue(header, body []byte) error {
	var p prologue
	if len(body) > 0 || len(header) == 0 || header[0] != '{' || json.Unmarshal(header, &p) != nil {
		return a.broken("a malformed prologue")
	}
	a.begin(&p)
	return nil
}

// begin takes what the prologue says.
func (a *answer) begin(p *prologue) {
	if p.Error == nil {
		a.begun = true
		return
	}
	if a.ours && p.Own != nil {
		a.refused = p.Own.fault(planes.PhaseNotStarted)
	} else {
		a.refused = &planes.Error{Code: planes.CodeHandler, Phase: planes.PhaseMaybe, Origin: planes.OriginApp, Reason: cut(*p.Error)}
	}
}

func (a *answer) sentinel() (err error, whole bool) {
	switch {
	case a.refused != nil:
		return a.refused, true
	case !a.ours:
		return io.EOF, true
	case a.end == nil:
		return a.broken("a sentinel without end"), false
	case a.end.Items != a.items || a.end.Bytes != a.bytes:
		e := a.broken(fmt.Sprintf("an end that counts %d items of %d bytes where %d of %d came", a.end.Items, a.end.Bytes, a.items, a.bytes))
		e.Code = planes.CodeTransport
		return e, false
	case a.end.Code == planes.CodeOK.String():
		return io.EOF, true
	}
	e := a.end.fault(planes.PhaseStarted)
	e.Phase, e.Items = planes.PhaseStarted, a.items // it has begun, whatever the worker says
	return e, true
}

func (a *answer) phase() planes.Phase {
	if a.begun {
		return planes.PhaseStarted
	}
	return planes.PhaseMaybe
}

func (a *answer) broken(what string) *planes.Error {
	return &planes.Error{Code: planes.CodeProtocol, Phase: a.phase(), Origin: planes.OriginLocal, Reason: "the worker sent " + what, Items: a.items}
}

// cutShort is the terminal of a response whose connection failed.
func (a *answer) cutShort(err error) *planes.Error {
	if err == io.EOF { //nolint:errorlint // no caller shall find io.EOF in the tree of what is not clean
		err = io.ErrUnexpectedEOF
	}
	return &planes.Error{Code: planes.CodeTransport, Phase: a.phase(), Origin: planes.OriginLocal,
		Reason: fmt.Sprintf("the response was cut off: %v", err), Err: err, Items: a.items}
}
