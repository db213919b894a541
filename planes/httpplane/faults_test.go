package httpplane_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

// held is a handler that sends some items, and then waits until its call ends.
func held(items int, ended chan<- error) planes.HandlerFunc {
	return func(ctx context.Context, _ *planes.Request, out planes.ResponseWriter) error {
		for range items {
			if err := out.Send([]byte("x")); err != nil {
				return err
			}
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	}
}

// A caller that leaves, before the first item or between items, ends the handler.
func TestACallerThatLeavesEndsTheHandler(t *testing.T) {
	for _, items := range []int{0, 1} {
		each(t, func(t *testing.T, on wire, format itemstream.Format) {
			ended := make(chan error, 1)
			w := &worker{handlers: map[string]planes.HandlerFunc{"x": held(items, ended)}}
			x := serve(t, on, w, httpplane.ServerConfig{})
			client := x.client(format, httpplane.ClientConfig{})
			ctx := testenv.Context(t, wait)
			r, err := client.Exchange(ctx, x.at("x"), &planes.Request{Route: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if items > 0 {
				if _, err := r.Recv(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-ctx.Done():
				t.Fatal("the handler goes on")
			}
			if _, err := r.Recv(ctx); planes.CodeOf(err) != planes.CodeCancelled {
				t.Errorf("after Close: %v", err)
			}
			testenv.Eventually(t, wait, "counted as broken", func() bool { return x.server.Stat().Broken == 1 && client.Stat().Live == 0 })
		})
	}
}

// Stop ends the handler's context; what it sends and its terminal still arrive.
func TestStopLetsTheHandlerFinish(t *testing.T) {
	each(t, func(t *testing.T, on wire, format itemstream.Format) {
		w := &worker{handlers: map[string]planes.HandlerFunc{"x": func(ctx context.Context, _ *planes.Request, out planes.ResponseWriter) error {
			<-ctx.Done()
			return out.Send([]byte("last"))
		}}}
		x := serve(t, on, w, httpplane.ServerConfig{})
		ctx := testenv.Context(t, wait)
		r, err := x.client(format, httpplane.ClientConfig{}).Exchange(ctx, x.at("x"), &planes.Request{Route: "x"})
		if err != nil {
			t.Fatal(err)
		}
		r.Stop()
		item, err := r.Recv(ctx)
		if err != nil || string(item) != "last" {
			t.Fatalf("%q %v", item, err)
		}
		if _, err := r.Recv(ctx); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

// The time of a call is enforced by the worker too, whatever its handler does.
func TestADeadlineEndsTheAnswer(t *testing.T) {
	for _, on := range wires {
		release := make(chan struct{})
		w := &worker{handlers: map[string]planes.HandlerFunc{
			"deaf": func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
				err := out.Send([]byte("x"))
				<-release
				return err
			},
		}}
		x := serve(t, on, w, httpplane.ServerConfig{})
		items, err := exchange(t, x.client(itemstream.SSE, httpplane.ClientConfig{}), x.at("deaf"), &planes.Request{Route: "deaf", Timeout: 100 * time.Millisecond})
		close(release)
		if len(items) != 1 || planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%s: %q %v", on.name, items, err)
		}
	}
}

func TestARecvThatIsGivenUpLosesNothing(t *testing.T) {
	next := make(chan struct{})
	w := &worker{handlers: map[string]planes.HandlerFunc{"x": func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
		<-next
		return out.Send([]byte("late"))
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{})
	ctx := testenv.Context(t, wait)
	r, err := x.client(itemstream.NDJSON, httpplane.ClientConfig{}).Exchange(ctx, x.at("x"), &planes.Request{Route: "x"})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := r.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	close(next)
	if item, err := r.Recv(ctx); err != nil || string(item) != "late" {
		t.Fatalf("%q %v", item, err)
	}
	_ = r.Close()
}

// script is a worker that says the same bytes to everybody and hangs up.
func script(t *testing.T, answer []byte) planes.Address {
	t.Helper()
	ln := testenv.Listen(t)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = c.Write(answer)
			}
			_ = c.Close()
		}
	}()
	return planes.Address{Kind: planes.AddressHTTP, URL: "http://" + ln.Addr().String() + "/x"}
}

// An answer that is cut at any byte is never a clean end, and says that the call may
// have started.
func TestACutAnswerIsNeverAClean(t *testing.T) {
	for _, format := range itemstream.Formats {
		body := itemstream.AppendItem(nil, format, 0, []byte("hello"))
		body = itemstream.AppendItem(body, format, 1, []byte{0xff})
		body = itemstream.AppendEnd(body, format, itemstream.Totals{Items: 2, Bytes: 6})
		whole := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n", format.MediaType()) + string(body))
		c, err := httpplane.NewClient(httpplane.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(whole) + 1 {
			items, err := exchange(t, c, script(t, whole[:n]), &planes.Request{Route: "x"})
			if n == len(whole) {
				if err != nil {
					t.Errorf("%v whole: %v", format, err)
				}
				continue
			}
			var e *planes.Error
			if !errors.As(err, &e) || e.Code != planes.CodeTransport && e.Code != planes.CodeProtocol || e.Phase == planes.PhaseNotStarted || int(e.Items) != len(items) {
				t.Errorf("%v cut to %d of %d: %d items, %v", format, n, len(whole), len(items), err)
			}
		}
		_ = c.Close()
	}
}

func TestWhatWasNotSentHasNotStarted(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	c, err := httpplane.NewClient(httpplane.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	to := planes.Address{Kind: planes.AddressHTTP, URL: "http://" + ln.Addr().String() + "/x"}
	if _, err = exchange(t, c, to, &planes.Request{Route: "x"}); planes.CodeOf(err) != planes.CodeTransport || !planes.SafeToRetry(err) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err = exchange(t, c, script(t, nil), &planes.Request{Route: "x"}); planes.CodeOf(err) != planes.CodeTransport || planes.SafeToRetry(err) {
		t.Errorf("it hung up: %v", err)
	}
	if _, err = c.Exchange(t.Context(), planes.Address{Kind: planes.AddressNATS, Subject: "x"}, &planes.Request{}); planes.CodeOf(err) != planes.CodeUnsupported {
		t.Errorf("a subject: %v", err)
	}
	_ = c.Close()
	if _, err = c.Exchange(t.Context(), to, &planes.Request{}); planes.CodeOf(err) != planes.CodeCancelled {
		t.Errorf("closed: %v", err)
	}
}

// A proxy's answer is told apart from a worker's.
func TestStatusesOfProxies(t *testing.T) {
	for _, c := range []struct {
		status int
		code   planes.Code
		safe   bool
	}{{404, planes.CodeNotFound, true}, {502, planes.CodeTransport, false}, {503, planes.CodeOverloaded, false}, {504, planes.CodeDeadline, false}, {413, planes.CodeTooLarge, false}, {418, planes.CodeRefused, false}, {302, planes.CodeTransport, false}} {
		client, err := httpplane.NewClient(httpplane.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		answer := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 4\r\nRetry-After: 2\r\n\r\nbusy", c.status)
		_, err = exchange(t, client, script(t, []byte(answer)), &planes.Request{Route: "x"})
		var e *planes.Error
		if !errors.As(err, &e) || e.Code != c.code || planes.SafeToRetry(err) != c.safe || e.Origin != planes.OriginProxy || e.RetryAfter != 2*time.Second {
			t.Errorf("%d: %v", c.status, err)
		}
		_ = client.Close()
	}
}

// Every code has a status, and the body brings the code itself back.
func TestEveryCodeTravels(t *testing.T) {
	var code planes.Code
	w := &worker{handlers: map[string]planes.HandlerFunc{"x": func(context.Context, *planes.Request, planes.ResponseWriter) error {
		return planes.Errorf(code, "so")
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{})
	client := x.client(itemstream.Binary, httpplane.ClientConfig{})
	for code = planes.CodeCancelled; code <= planes.CodeUnsupported; code++ {
		if _, err := exchange(t, client, x.at("x"), &planes.Request{Route: "x"}); planes.CodeOf(err) != code {
			t.Errorf("%v became %v", code, err)
		}
		if s := httpplane.StatusOf(code); s < 400 || s > 599 {
			t.Errorf("%v has status %d", code, s)
		}
	}
}

func TestBoundsOfTheServer(t *testing.T) {
	ended := make(chan error, 8)
	w := &worker{handlers: map[string]planes.HandlerFunc{"x": held(0, ended)}}
	for _, c := range []struct {
		name  string
		cfg   httpplane.ServerConfig
		body  int
		holds int
		code  planes.Code
	}{
		{"body", httpplane.ServerConfig{MaxBodyBytes: 100}, 101, 0, planes.CodeTooLarge},
		{"calls", httpplane.ServerConfig{MaxCalls: 1}, 1, 1, planes.CodeOverloaded},
		{"budget", httpplane.ServerConfig{BudgetBytes: 1000}, 600, 1, planes.CodeOverloaded},
	} {
		x := serve(t, wires[0], w, c.cfg)
		client := x.client(itemstream.SSE, httpplane.ClientConfig{})
		req := &planes.Request{Route: "x", Payload: make([]byte, c.body)}
		for range c.holds {
			r, err := client.Exchange(t.Context(), x.at("x"), req)
			if err != nil {
				t.Fatal(c.name, err)
			}
			defer func() { _ = r.Close() }()
		}
		_, err := exchange(t, client, x.at("x"), req)
		if planes.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		_ = client.Close()
		testenv.Eventually(t, wait, "nothing is held", func() bool { s := x.server.Stat(); return s.Calls == 0 && s.BodyBytes == 0 })
	}
}

// A reader that takes nothing ends its own call; the handler cannot run ahead of it.
func TestASlowReaderIsBounded(t *testing.T) {
	result, sent := make(chan error, 1), 0
	w := &worker{handlers: map[string]planes.HandlerFunc{"x": func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
		for {
			if err := out.Send(make([]byte, 10_000)); err != nil {
				result <- err
				return err
			}
			sent++
		}
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{StallTimeout: 300 * time.Millisecond})
	r, err := x.client(itemstream.Binary, httpplane.ClientConfig{}).Exchange(testenv.Context(t, wait), x.at("x"), &planes.Request{Route: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-result; planes.CodeOf(err) != planes.CodeSlowConsumer || sent > 2000 {
		t.Errorf("after %d items: %v", sent, err)
	}
	for err == nil {
		_, err = r.Recv(t.Context())
	}
	if planes.CodeOf(err) != planes.CodeTransport {
		t.Errorf("%v", err)
	}
}

// pipes is a listener within a test, for synthetic time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// Heartbeats come every 15 s, before the first item as well.
func TestHeartbeats(t *testing.T) {
	for format, beat := range map[itemstream.Format]string{itemstream.SSE: ":\n\n", itemstream.NDJSON: "\n", itemstream.Binary: "\x04\x00\x00\x00\x00"} {
		synctest.Test(t, func(t *testing.T) {
			ln := &pipes{make(chan net.Conn), make(chan struct{})}
			s, err := httpplane.NewServer(httpplane.ServerConfig{Listener: ln})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			ended := make(chan error, 1)
			go func() { served <- s.Serve(ctx, &worker{handlers: map[string]planes.HandlerFunc{"x": held(0, ended)}}) }()
			here, there := net.Pipe()
			ln.conns <- there
			start := time.Now()
			_, _ = fmt.Fprintf(here, "POST /v1/rpc/x HTTP/1.1\r\nHost: h\r\nAccept: %s\r\nContent-Length: 0\r\n\r\n", format.MediaType())
			resp, err := http.ReadResponse(bufio.NewReader(here), nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d != 50*time.Millisecond || resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Cache-Control") != "no-store, no-transform" {
				t.Errorf("%v: status after %v, %v", format, d, resp.Header)
			}
			b := make([]byte, len(beat))
			for i := range 4 {
				if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != beat {
					t.Fatalf("%v: %q %v", format, b, err)
				}
				if d := time.Since(start).Round(time.Second); d != time.Duration(i)*15*time.Second {
					t.Errorf("%v: heartbeat %d after %v", format, i, d)
				}
			}
			_ = here.Close()
			<-ended
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// Without Serve, after Shutdown and beside its root, a server says so.
func TestAServerThatIsMounted(t *testing.T) {
	s, err := httpplane.NewServer(httpplane.ServerConfig{Root: "rpc", AdvertiseHost: "h:1"})
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Address("a b/c", 1).URL; u != "http://h:1/rpc/a%20b/c" {
		t.Error(u)
	}
	ask := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if w := ask("POST", "/rpc/x", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("before Serve: %d %s", w.Code, w.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(ctx, &worker{handlers: map[string]planes.HandlerFunc{
			"demo/a/gen": func(_ context.Context, r *planes.Request, out planes.ResponseWriter) error {
				return out.Send(r.Payload)
			},
			"demo/a/x": nil, "demo/b/x": nil,
		}})
	}()
	testenv.Eventually(t, wait, "it serves", func() bool { return ask("GET", "/rpc", "").Code == 200 })
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		has          string
	}{
		{"POST", "/rpc/gen", nil, 200, "id: 0\ndata: hi\n\nevent: end\ndata: {\"items\":1,\"bytes\":2}\n\n"},
		{"POST", "/rpc/demo/a/gen", []string{"Accept", "application/x-ndjson"}, 200, "{\"index\":0,\"text\":\"hi\"}\n{\"end\":{\"items\":1,\"bytes\":2}}\n"},
		{"POST", "/rpc/gen", []string{"Accept", "text/event-stream;q=0.1, application/x-ndjson;q=0.5", "Accept", "image/png"}, 200, `{"index":0`},
		{"POST", "/rpc/gen", []string{"Accept", "text/event-stream;q=0, */*"}, 406, `"code": "UNSUPPORTED"`},
		{"POST", "/rpc/gen", []string{"Accept", "image/png"}, 406, "want one of"},
		{"POST", "/rpc/gen", []string{"Accept", "*/*"}, 200, "id: 0"},
		{"POST", "/rpc/x", nil, 404, `"demo/b/x"`},
		{"POST", "/rpc/none", nil, 404, `"endpoints"`},
		{"POST", "/elsewhere", nil, 404, "below /rpc"},
		{"POST", "/rpcx", nil, 404, "below /rpc"},
		{"PUT", "/rpc/gen", nil, 405, "want POST"},
		{"DELETE", "/rpc/gen", []string{"Wireplane-Stream", "nobody"}, 404, "no such call"},
		{"POST", "/rpc/gen", []string{"Last-Event-ID", "3"}, 415, "cannot be resumed"},
		{"POST", "/rpc/gen", []string{"Wireplane-Timeout", "soon"}, 400, "duration"},
		{"POST", "/rpc/gen", []string{"Request-Timeout", "-1"}, 400, "seconds"},
		{"POST", "/rpc/gen", []string{"Request-Timeout", "1.5"}, 200, "id: 0"},
		{"POST", "/rpc/gen", []string{"Wireplane-Header", "novalue"}, 400, "name=value"},
		{"POST", "/rpc/gen", []string{"Wireplane-Header", "a=%zz"}, 400, "name=value"},
		{"POST", "/rpc/gen", []string{"Wireplane-Call-Id", "zz"}, 400, "32 hex"},
		{"POST", "/rpc/gen", []string{"Wireplane-Class", "999"}, 400, "255"},
		{"GET", "/rpc", nil, 200, `"demo/a/gen"`},
		{"GET", "/rpc/", nil, 200, `"demo/a/gen"`},
		{"GET", "/rpc/gen", nil, 200, "curl -N"},
		{"GET", "/rpc/none", nil, 404, `"endpoints"`},
	} {
		w := ask(c.method, c.path, "hi", c.header...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s %q: %d %s\nwant %d %s", c.method, c.path, c.header, w.Code, w.Body, c.status, c.has)
		}
		if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %s", c.method, c.path, w.Body)
		}
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if w := ask("POST", "/rpc/gen", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "DRAINING") {
		t.Errorf("after Shutdown: %d %s", w.Code, w.Body)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestWrongSettingsAreAllReported(t *testing.T) {
	err := errors.Join(httpplane.ServerConfig{MaxBodyBytes: -1, Heartbeat: -1, Format: 9, Root: "a?b"}.Validate(),
		httpplane.ClientConfig{Spread: -1, Timeout: -1}.Validate(), httpplane.ListenerConfig{Grace: -1, Format: 7}.Validate())
	for _, name := range []string{"ServerConfig.MaxBodyBytes", "ServerConfig.Heartbeat", "ServerConfig.Format", "ServerConfig.Root",
		"ClientConfig.Spread", "ClientConfig.Timeout", "ListenerConfig.Grace", "ListenerConfig.Format"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in: %v", name, err)
		}
	}
	if _, err := httpplane.NewServer(httpplane.ServerConfig{Addr: "nowhere"}); err == nil {
		t.Error("it listens nowhere")
	}
}
