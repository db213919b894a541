package httpplane_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

const wait = 5 * time.Second

// answers are handlers and what their callers must get.
var answers = []struct {
	name  string
	items []string
	err   error
	panic bool
	code  planes.Code
	phase planes.Phase
}{
	{name: "no item"},
	{name: "one empty item", items: []string{""}},
	{name: "text", items: []string{"Hello", " ", "world", "ünïcödé ✓ 🙂"}},
	{name: "lines", items: []string{"\n", "a\nb", "a\n", "\r", "a\r\nb", "\r\n\n", ": no comment", "data: x", " lead"}},
	{name: "JSON", items: []string{`{"token":7}`, `[1, 2]`, `{"a": "\n"}`, "{\n}", "{broken", `"string"`, "null"}},
	{name: "bytes", items: []string{"\x00\x01\xff\xfe", "\xc3\x28", "\x00"}},
	{name: "one MiB", items: []string{strings.Repeat("0123456789abcdef", 64<<10), strings.Repeat("\xff", 1<<20)}},
	{name: "many", items: strings.Split(strings.Repeat("token,", 2000), ",")},
	{name: "an error before the first item", err: planes.Errorf(planes.CodeHandler, "out of luck"), code: planes.CodeHandler, phase: planes.PhaseStarted},
	{name: "an error after items", items: []string{"a", "b"}, err: planes.Errorf(planes.CodeTooLarge, "enough"), code: planes.CodeTooLarge, phase: planes.PhaseStarted},
	{name: "a plain error", items: []string{"a"}, err: errors.New("plain"), code: planes.CodeHandler, phase: planes.PhaseStarted},
	{name: "a refusal", err: &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, RetryAfter: 1500 * time.Millisecond},
		code: planes.CodeOverloaded, phase: planes.PhaseNotStarted},
	{name: "a refusal after an item is none", items: []string{"a"}, err: &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted},
		code: planes.CodeOverloaded, phase: planes.PhaseStarted},
	{name: "a panic", panic: true, code: planes.CodeInternal, phase: planes.PhaseStarted},
	{name: "a panic after an item", items: []string{"a"}, panic: true, code: planes.CodeInternal, phase: planes.PhaseStarted},
}

func TestAnswersArriveAsTheyWereSent(t *testing.T) {
	w := &worker{handlers: map[string]planes.HandlerFunc{}}
	for _, c := range answers {
		w.handlers["demo/"+c.name] = func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
			for _, item := range c.items {
				if err := out.Send([]byte(item)); err != nil {
					return err
				}
			}
			if c.panic {
				panic("oops")
			}
			return c.err
		}
	}
	each(t, func(t *testing.T, on wire, format itemstream.Format) {
		x := serve(t, on, w, httpplane.ServerConfig{})
		client := x.client(format, httpplane.ClientConfig{})
		for _, c := range answers {
			items, err := exchange(t, client, x.at("demo/"+c.name), &planes.Request{Route: "demo/" + c.name})
			if !reflect.DeepEqual(items, c.items) && len(items)+len(c.items) > 0 {
				t.Errorf("%s: got %d items %.100q\nwant %d %.100q", c.name, len(items), items, len(c.items), c.items)
			}
			if c.code == planes.CodeOK {
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Phase != c.phase || e.Items != uint64(len(c.items)) {
				t.Errorf("%s: %v; want %v, %v, %d items", c.name, err, c.code, c.phase, len(c.items))
			} else if e.Code == planes.CodeOverloaded && len(c.items) == 0 && e.RetryAfter != 1500*time.Millisecond {
				t.Errorf("%s: retry after %v", c.name, e.RetryAfter)
			}
		}
		testenv.Eventually(t, wait, "no answer is left", func() bool { return client.Stat().Live == 0 && x.server.Stat().Calls == 0 })
		if n := client.Stat().Dialed; n > 4 {
			t.Errorf("%d connections for %d calls one after another", n, len(answers))
		}
		if n := x.server.Stat().Panics; n != 2 {
			t.Errorf("%d panics", n)
		}
	})
}

// exchange returns copies of all items, and nil for a clean end.
func exchange(t *testing.T, c *httpplane.Client, to planes.Address, req *planes.Request) ([]string, error) {
	t.Helper()
	ctx := testenv.Context(t, wait)
	r, err := c.Exchange(ctx, to, req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	var items []string
	for {
		item, err := r.Recv(ctx)
		if errors.Is(err, io.EOF) {
			if _, again := r.Recv(ctx); !errors.Is(again, io.EOF) {
				t.Errorf("after the end: %v", again)
			}
			return items, nil
		}
		if err != nil {
			return items, err
		}
		items = append(items, string(item))
	}
}

// All of a request arrives but what the plane itself uses.
func TestRequestsArriveWhole(t *testing.T) {
	want := planes.Request{
		Route: "demo/backend/gen erate", Payload: bytes.Repeat([]byte{0, 1, 255}, 100_000), Timeout: 4 * time.Second,
		Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1}, TraceState: "a=b",
		CallID: [16]byte{9, 8}, Class: planes.ClassBulk,
		Headers: []planes.Header{{Name: "Model", Value: "tiny"}, {Name: "b", Value: ""}, {Name: "a=b\n", Value: "ü\x00=, ;"}},
	}
	w := &worker{handlers: map[string]planes.HandlerFunc{want.Route: func(_ context.Context, req *planes.Request, out planes.ResponseWriter) error {
		if !reflect.DeepEqual(*req, want) {
			return planes.Errorf(planes.CodeHandler, "got %+v", req.Headers)
		}
		return out.Send([]byte("ok"))
	}}}
	each(t, func(t *testing.T, on wire, format itemstream.Format) {
		x := serve(t, on, w, httpplane.ServerConfig{})
		items, err := exchange(t, x.client(format, httpplane.ClientConfig{}), x.at(want.Route), &want)
		if err != nil || len(items) != 1 {
			t.Errorf("%q %v", items, err)
		}
	})
}

func TestEnvelopesAreTaken(t *testing.T) {
	for _, on := range wires {
		t.Run(on.name, func(t *testing.T) {
			w := &worker{handlers: map[string]planes.HandlerFunc{"demo/backend/generate": nil}}
			x := serve(t, on, w, httpplane.ServerConfig{})
			c := x.client(itemstream.SSE, httpplane.ClientConfig{})
			env := &planes.Envelope{ID: "id-1", Reply: planes.ConnectionInfo{Transport: "tcp_server", Info: `{}`}, Request: &planes.Request{
				Route: "demo/backend/generate", Payload: []byte("hello"), TraceState: "a=b", Trace: planes.TraceContext{TraceID: [16]byte{1}, SpanID: [8]byte{2}},
			}}
			for _, route := range []string{"demo/backend/generate", "generate"} {
				if err := c.Send(testenv.Context(t, wait), x.at(route), env); err != nil {
					t.Fatal(err)
				}
			}
			if len(w.taken) != 2 || !reflect.DeepEqual(&w.taken[0], env) || !reflect.DeepEqual(&w.taken[1], env) {
				t.Errorf("%+v", w.taken)
			}
			w.deny = &planes.Error{Code: planes.CodeOverloaded, Phase: planes.PhaseNotStarted, RetryAfter: time.Second, Reason: "full"}
			err := c.Send(testenv.Context(t, wait), x.at("generate"), env)
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != planes.CodeOverloaded || e.RetryAfter != time.Second || !planes.SafeToRetry(err) {
				t.Errorf("denied: %v", err)
			}
			w.deny = nil
			if err := c.Send(testenv.Context(t, wait), x.at("nobody"), env); err != nil {
				t.Errorf("the route of the envelope counts where the path says nothing: %v", err)
			}
			env.Request.Route = ""
			err = c.Send(testenv.Context(t, wait), x.at("nobody"), env)
			if planes.CodeOf(err) != planes.CodeNotFound || !planes.SafeToRetry(err) {
				t.Errorf("unknown route: %v", err)
			}
		})
	}
}
