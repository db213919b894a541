package mux_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// part is a piece of a frame's body: its size in bytes and what it is.
type part struct {
	n    int
	what string
}

// example is a frame as it stands in PROTOCOL.md.
type example struct {
	title string
	frame muxwire.Frame
	arg   string
	body  []part
}

func frame(t muxwire.FrameType, flags muxwire.FrameFlags, stream, arg uint32, body muxwire.FrameBody) muxwire.Frame {
	return muxwire.Frame{Type: t, Flags: flags, Stream: stream, Arg: arg, Body: body}
}

var reason = []part{{1, "origin PEER"}, {1, "phase MAYBE"}, {1, "6 bytes of text follow"}, {6, "why"}}

var examples = []example{
	{"the dialer offers checksums and 4096 calls",
		frame(muxwire.FrameTypeHello, 0, 0, 0, muxwire.FrameBody{Hello: muxwire.Hello{
			Features: muxwire.FeaturesChecksum, MaxBody: 131072, MaxMessage: 16 << 20, MaxStreams: 4096,
			WindowBytes: 16384, WindowItems: 256, PingMin: 1000, Instance: 7, Epoch: 1, Name: []byte("wp/1")}}),
		"not used", []part{{8, "features CHECKSUM"}, {8, "critical: none"}, {4, "max_body 128 KiB"}, {4, "max_message 16 MiB"},
			{4, "max_streams 4096"}, {4, "window_bytes 16 KiB"}, {4, "window_items 256"}, {4, "ping_min 1000 ms"},
			{8, "instance 7"}, {8, "epoch 1"}, {1, "4 bytes of text follow"}, {4, "name wp/1"}}},
	{"a call to \"echo\" with 1500 ms left, whose whole request is \"hi\"",
		frame(muxwire.FrameTypeOpen, muxwire.FrameFlagsFin, 1, 2, muxwire.FrameBody{Open: muxwire.Open{
			HasDeadline: true, Deadline: 1500, Route: []byte("echo"), Payload: []byte("hi")}}),
		"the request has 2 bytes", []part{{1, "present HAS_DEADLINE"}, {4, "deadline 1500 ms"}, {2, "4 bytes of text follow"}, {4, "route echo"}, {2, "payload hi"}}},
	{"it waits behind 3 others", frame(muxwire.FrameTypeAccept, 0, 1, 3, muxwire.FrameBody{}), "position 3", nil},
	{"its handler runs", frame(muxwire.FrameTypeStarted, 0, 1, 0, muxwire.FrameBody{}), "not used", nil},
	{"its handler will not run; try again in 20 ms",
		frame(muxwire.FrameTypeRefuse, 0, 1, 0, muxwire.FrameBody{Refuse: muxwire.Refuse{
			Code: muxwire.CodeOverloaded, Origin: muxwire.OriginPeer, RetryAfter: 20, Queue: 64, Why: []byte("queue full")}}),
		"not used", []part{{2, "code OVERLOADED"}, {1, "origin PEER"}, {4, "retry_after 20 ms"}, {4, "queue 64"}, {1, "10 bytes of text follow"}, {10, "why"}}},
	{"the first piece of item 5",
		frame(muxwire.FrameTypeData, muxwire.FrameFlagsMore, 1, 5, muxwire.FrameBody{Bytes: []byte("tok")}), "item 5", []part{{3, "the piece"}}},
	{"items up to 256 and bytes up to 32768 may be sent",
		frame(muxwire.FrameTypeCredit, 0, 1, 256, muxwire.FrameBody{Credit: muxwire.Credit{Bytes: 32768}}), "items below 256", []part{{8, "bytes below 32768"}}},
	{"6144 calls may have been opened, all told", frame(muxwire.FrameTypeMaxStreams, 0, 0, 6144, muxwire.FrameBody{}), "6144 calls", nil},
	{"a clean end with its last item: 6 items of 18 bytes in total",
		frame(muxwire.FrameTypeEnd, muxwire.FrameFlagsItem, 1, 6, muxwire.FrameBody{End: muxwire.End{Bytes: 18, Tail: []byte("bye")}}),
		"6 items", []part{{2, "code OK"}, {1, "origin LOCAL"}, {8, "18 bytes"}, {3, "item 5"}}},
	{"an end with an error of the handler",
		frame(muxwire.FrameTypeEnd, muxwire.FrameFlagsText, 1, 0, muxwire.FrameBody{End: muxwire.End{
			Code: muxwire.CodeHandler, Origin: muxwire.OriginApp, Tail: []byte("no GPU")}}),
		"0 items", []part{{2, "code HANDLER"}, {1, "origin APP"}, {8, "0 bytes"}, {6, "the reason"}}},
	{"please finish",
		frame(muxwire.FrameTypeStop, 0, 1, 1, muxwire.FrameBody{Reason: muxwire.Reason{
			Origin: muxwire.OriginPeer, Phase: muxwire.PhaseMaybe, Why: []byte("enough")}}), "code CANCELLED", reason},
	{"it is over now",
		frame(muxwire.FrameTypeReset, 0, 1, 2, muxwire.FrameBody{Reason: muxwire.Reason{
			Origin: muxwire.OriginPeer, Phase: muxwire.PhaseMaybe, Why: []byte("too la")}}), "code DEADLINE", reason},
	{"are you there?", frame(muxwire.FrameTypePing, 0, 0, 0, muxwire.FrameBody{Ping: muxwire.Ping{Cookie: 42}}), "not used", []part{{8, "cookie 42"}}},
	{"yes", frame(muxwire.FrameTypePong, 0, 0, 1, muxwire.FrameBody{Ping: muxwire.Ping{Cookie: 42}}), "the last call taken is 1", []part{{8, "cookie 42"}}},
	{"this side goes away in 5 s",
		frame(muxwire.FrameTypeDrain, 0, 0, 5000, muxwire.FrameBody{Notice: muxwire.Notice{Code: muxwire.CodeDraining, Why: []byte("update")}}),
		"5000 ms", []part{{2, "code DRAINING"}, {1, "6 bytes of text follow"}, {6, "why"}}},
	{"no call above 1 was taken",
		frame(muxwire.FrameTypeGoaway, 0, 0, 1, muxwire.FrameBody{Notice: muxwire.Notice{Code: muxwire.CodeDraining, Why: []byte("update")}}),
		"the last call taken is 1", []part{{2, "code DRAINING"}, {1, "6 bytes of text follow"}, {6, "why"}}},
}

// mux-frame-1: the examples of PROTOCOL.md are what the codec makes of them, with checksums.
func TestExamplesOfTheProtocol(t *testing.T) {
	var b strings.Builder
	b.WriteString("```text\npreface of version 1\n")
	p := muxwire.Preface{MinVersion: 1, MaxVersion: 1}
	enc, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	annotate(t, &b, enc, []part{{4, "magic"}, {1, "min_version"}, {1, "max_version"}, {2, "reserved"}})
	b.WriteString("```\n")
	for _, ex := range examples {
		enc, err := ex.frame.Append(nil, true)
		if err != nil {
			t.Fatalf("%s: %v", ex.title, err)
		}
		fmt.Fprintf(&b, "\n```text\n%s: %s\n", ex.frame.Type, ex.title)
		flags := "flags"
		if ex.frame.Flags != 0 {
			flags += " " + ex.frame.Flags.String()
		}
		stream := "the connection"
		if ex.frame.Stream != 0 {
			stream = fmt.Sprintf("stream %d", ex.frame.Stream)
		}
		parts := append([]part{
			{3, fmt.Sprintf("length %d", len(enc)-20)}, {1, "type " + ex.frame.Type.String()}, {4, stream}, {4, "arg: " + ex.arg}, {4, "bsum"},
			{1, flags}, {1, "class " + ex.frame.Class.String()}, {2, "hsum"},
		}, ex.body...)
		annotate(t, &b, enc, parts)
		b.WriteString("```\n")
	}
	golden(t, "examples", b.String())
}

// annotate writes each part of enc with what it is.
func annotate(t *testing.T, b *strings.Builder, enc []byte, parts []part) {
	t.Helper()
	for _, p := range parts {
		if p.n > len(enc) {
			t.Fatalf("%q wants %d bytes, %d are left", p.what, p.n, len(enc))
		}
		fmt.Fprintf(b, "%-30s  %s\n", fmt.Sprintf("% x", enc[:p.n]), p.what)
		enc = enc[p.n:]
	}
	if len(enc) > 0 {
		t.Fatalf("%d bytes are not annotated", len(enc))
	}
}
