package planes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes"
)

// Only a call that provably did not start, and may fare better elsewhere, is safe
// to repeat. Every code of the wire has its row.
func TestSafeToRetry(t *testing.T) {
	never := map[planes.Code]bool{
		planes.CodeOK: true, planes.CodeCancelled: true, planes.CodeDeadline: true, planes.CodeTooLarge: true,
		planes.CodeDenied: true, planes.CodeUnauthenticated: true, planes.CodeUnsupported: true,
	}
	for code := planes.CodeOK; code <= planes.CodeUnsupported; code++ {
		if strings.HasPrefix(code.String(), "Code(") {
			t.Errorf("code %d has no name", code)
		}
		for _, phase := range []planes.Phase{planes.PhaseNotStarted, planes.PhaseMaybe, planes.PhaseStarted} {
			err := fmt.Errorf("wrapped: %w", &planes.Error{Code: code, Phase: phase})
			want := phase == planes.PhaseNotStarted && !never[code]
			if got := planes.SafeToRetry(err); got != want {
				t.Errorf("%v, %v: safe %v, want %v", code, phase, got, want)
			}
		}
	}
	for _, err := range []error{nil, io.EOF, context.Canceled} {
		if planes.SafeToRetry(err) {
			t.Errorf("%v is not known to be safe", err)
		}
	}
}

func TestErrorMatchesWhatHappened(t *testing.T) {
	cause := errors.New("cause")
	cases := []struct {
		code    planes.Code
		matches []error
	}{
		{planes.CodeCancelled, []error{context.Canceled, cause}},
		{planes.CodeDeadline, []error{context.DeadlineExceeded, cause}},
		{planes.CodeTransport, []error{net.ErrClosed, cause}},
		{planes.CodePeerLost, []error{net.ErrClosed, cause}},
		{planes.CodeHandler, []error{cause}},
	}
	all := []error{context.Canceled, context.DeadlineExceeded, net.ErrClosed, cause}
	for _, tc := range cases {
		err := &planes.Error{Code: tc.code, Err: cause}
		for _, target := range all {
			want := false
			for _, m := range tc.matches {
				want = want || m == target //nolint:errorlint // a table of sentinels
			}
			if errors.Is(err, target) != want {
				t.Errorf("%v matches %v: %v, want %v", tc.code, target, !want, want)
			}
		}
		if err.Timeout() != (tc.code == planes.CodeDeadline) {
			t.Errorf("%v: Timeout %v", tc.code, err.Timeout())
		}
	}
}

// The text says what failed, where, whose fault it is and whether to retry.
func TestErrorText(t *testing.T) {
	err := &planes.Error{
		Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, Origin: planes.OriginPeer, Op: "call", Target: "10.0.0.7:9001",
		Route: "generate", Reason: "the queue is full", RetryAfter: time.Second,
	}
	const want = `planes: call "generate" at 10.0.0.7:9001: OVERLOADED: the queue is full (PEER says so, stream, call not started; safe to retry)`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	lost := &planes.Error{Code: planes.CodePeerLost, Phase: planes.PhaseStarted, Scope: planes.ScopeConnection, Op: "stream", Items: 7, Err: io.ErrUnexpectedEOF}
	if got := lost.Error(); !strings.Contains(got, "after 7 items") || !strings.Contains(got, "unexpected EOF") || strings.Contains(got, "safe") {
		t.Errorf("got %s", got)
	}
}

func TestCodeOf(t *testing.T) {
	cases := []struct {
		err  error
		want planes.Code
	}{
		{nil, planes.CodeOK},
		{context.Canceled, planes.CodeCancelled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), planes.CodeDeadline},
		{fmt.Errorf("x: %w", planes.Errorf(planes.CodeDenied, "no")), planes.CodeDenied},
		{io.EOF, planes.CodeInternal},
	}
	for _, tc := range cases {
		if got := planes.CodeOf(tc.err); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
		}
	}
	if planes.CodeOverloaded != muxwire.CodeOverloaded {
		t.Error("the codes are those of the wire")
	}
}

func TestRequestHeader(t *testing.T) {
	r := planes.Request{Headers: []planes.Header{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}}
	if r.Header("a") != "1" || r.Header("b") != "" {
		t.Errorf("%q, %q", r.Header("a"), r.Header("b"))
	}
	if !r.Trace.IsZero() || (planes.TraceContext{Flags: 1}).IsZero() {
		t.Error("IsZero")
	}
}

// A nil *Error that was returned as an error is a fault of whoever did so, not a panic.
func TestNilErrorPointer(t *testing.T) {
	var err error = (*planes.Error)(nil)
	if code := planes.CodeOf(err); code != planes.CodeInternal {
		t.Errorf("code %v", code)
	}
	if planes.SafeToRetry(err) {
		t.Error("safe to retry")
	}
}
