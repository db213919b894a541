package envelope_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

var released = "0000000000000158" + "0000000000000007" + "0000000000000000" + hex.EncodeToString([]byte(
	`{"id":"0b9d2c5e-1111-4222-8333-944445555666","request_type":"single_in","response_type":"many_out","payload_codec":"json","connection_info":{"transport":"tcp_server","info":"{\"address\":\"10.0.0.5:41234\",\"subject\":\"5f3c8f0e-6a44-4d2b-9a0c-1f2e3d4c5b6a\",\"context\":\"0b9d2c5e-1111-4222-8333-944445555666\",\"stream_type\":\"response\"}"}}"hello"`))

// The envelope of the released runtime is understood as it is.
func TestDecodesTheReleasedEnvelope(t *testing.T) {
	b, err := hex.DecodeString(released)
	if err != nil {
		t.Fatal(err)
	}
	env, c, err := envelope.Decode(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if env.ID != "0b9d2c5e-1111-4222-8333-944445555666" || c.PayloadCodec != "json" || env.Reply.Transport != "tcp_server" ||
		!strings.Contains(env.Reply.Info, "10.0.0.5:41234") || string(env.Request.Payload) != `"hello"` {
		t.Errorf("%+v, %+v", env, c)
	}
	for n := range b {
		if envelope.Is(b[:n]) {
			t.Errorf("cut to %d bytes it is still an envelope", n)
		}
	}
}

func sample() *planes.Envelope {
	return &planes.Envelope{
		ID: "id-1", Reply: planes.ConnectionInfo{Transport: "tcp_server", Info: `{"address":"127.0.0.1:9"}`},
		Request: &planes.Request{
			Route: "demo/backend/generate", Payload: []byte{0, 1, 2, 255}, Timeout: 1500 * time.Millisecond, CallID: [16]byte{1, 2},
			Headers: []planes.Header{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}, Class: planes.ClassBulk,
		},
	}
}

func TestRoundTrip(t *testing.T) {
	env := sample()
	b, err := envelope.Append([]byte("x"), env, envelope.CodecBytes)
	if err != nil {
		t.Fatal(err)
	}
	got, c, err := envelope.Decode(b[1:], 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, env) || c.PayloadCodec != envelope.CodecBytes || !envelope.Is(b[1:]) {
		t.Errorf("got %+v\nwant %+v", got, env)
	}
}

// What is no envelope is told apart from one that is refused.
func TestRefusals(t *testing.T) {
	big := sample()
	big.Reply.Info = strings.Repeat("x", envelope.MaxControlBytes)
	if _, err := envelope.Append(nil, big, ""); planes.CodeOf(err) != planes.CodeTooLarge {
		t.Errorf("control message beyond its bound: %v", err)
	}
	whole, err := envelope.Append(nil, sample(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := envelope.Decode(whole, len(whole)-1); planes.CodeOf(err) != planes.CodeTooLarge {
		t.Errorf("beyond the limit: %v", err)
	}
	for _, b := range [][]byte{nil, []byte("{}"), []byte(`{"prompt":"hello, this is a plain request"}`), append(whole, 0)} {
		if _, _, err := envelope.Decode(b, 1<<20); !errors.Is(err, envelope.ErrNot) {
			t.Errorf("%.20q: %v", b, err)
		}
	}
	b := []byte(strings.Replace(string(whole), `"single_in"`, `"many_inxx"`, 1))
	for i := range 8 {
		b[16+i] = 0 // no checksum
	}
	if _, _, err := envelope.Decode(b, 1<<20); planes.CodeOf(err) != planes.CodeUnsupported {
		t.Errorf("another request type: %v", err)
	}
}

func TestTraceparent(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tc, ok := envelope.ParseTraceparent(good)
	if !ok || envelope.FormatTraceparent(tc) != good {
		t.Errorf("%v %+v", ok, tc)
	}
	for _, s := range []string{"", good[1:], good + "0", strings.ToUpper(good), "ff" + good[2:], strings.ReplaceAll(good, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32)), good + "-x"} {
		if _, ok := envelope.ParseTraceparent(s); ok {
			t.Errorf("%q is accepted", s)
		}
	}
	if _, ok := envelope.ParseTraceparent("01" + good[2:] + "-more"); !ok {
		t.Error("a later version may have more fields")
	}
}

// Headers and Apply carry the trace context unchanged.
func TestHeadersCarryTheTrace(t *testing.T) {
	req := &planes.Request{Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}, TraceState: "a=b"}
	h := map[string]string{}
	envelope.Headers("id", req, time.Unix(0, 7), func(n, v string) { h[n] = v })
	if h["request-id"] != "id" || h["x-frontend-send-ts-ns"] != "7" {
		t.Errorf("%v", h)
	}
	var got planes.Request
	envelope.Apply(&got, func(n string) string { return h[n] })
	if got.Trace != req.Trace || got.TraceState != req.TraceState {
		t.Errorf("%+v", got)
	}
}

// What decodes can be written and decoded again to the same, and holds to its bounds.
func FuzzDecode(f *testing.F) {
	b, err := hex.DecodeString(released)
	if err != nil {
		f.Fatal(err)
	}
	own, err := envelope.Append(nil, sample(), envelope.CodecBytes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(own)
	f.Fuzz(func(t *testing.T, b []byte) {
		env, c, err := envelope.Decode(b, 1<<16)
		if err != nil {
			return
		}
		if len(b) > 1<<16 || len(env.Request.Payload) > len(b) || len(env.Request.Headers) > 64 {
			t.Fatalf("beyond the bounds: %d bytes", len(b))
		}
		again, err := envelope.Append(nil, env, c.PayloadCodec)
		if err != nil {
			if planes.CodeOf(err) != planes.CodeTooLarge {
				t.Fatal(err)
			}
			return
		}
		env2, _, err := envelope.Decode(again, len(again))
		if err != nil {
			t.Fatal(err)
		}
		j1, _ := json.Marshal(env)
		j2, _ := json.Marshal(env2)
		if string(j1) != string(j2) {
			t.Fatalf("%s\n%s", j1, j2)
		}
	})
}

// What W3C does not allow in tracestate is neither sent, where it would be a header of
// somebody else's or spoil the request, nor taken.
func TestATracestateThatBreaksOutIsDropped(t *testing.T) {
	for _, s := range []string{"a=b\r\nx: y", "a=b\n", "a=\x00", "a=é", "a=\x7f", strings.Repeat("a", 513)} {
		req := &planes.Request{Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}}, TraceState: s}
		h := map[string]string{}
		envelope.Headers("id", req, time.Now(), func(n, v string) { h[n] = v })
		if _, sent := h[envelope.Tracestate]; sent {
			t.Errorf("%.20q is sent", s)
		}
		h[envelope.Tracestate] = s
		var got planes.Request
		if envelope.Apply(&got, func(n string) string { return h[n] }); got.TraceState != "" || got.Trace != req.Trace {
			t.Errorf("%.20q is taken", s)
		}
	}
}
