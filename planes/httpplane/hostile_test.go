package httpplane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

// raw sends bytes to a server and closes the connection at the end of the test.
func raw(t *testing.T, addr, b string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(nc, b); err != nil {
		t.Fatal(err)
	}
	return nc
}

// A body that is announced and does not come holds neither an answer that needs none
// nor the connection.
func TestABodyThatNeverComesHoldsNoConnection(t *testing.T) {
	ln := testenv.Listen(t)
	serve(t, wires[0], &worker{}, httpplane.ServerConfig{Listener: ln, BodyTimeout: 100 * time.Millisecond})
	rl, err := httpplane.NewResponseListener(httpplane.ListenerConfig{Addr: "127.0.0.1:0", StallTimeout: 100 * time.Millisecond, AttachTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rl.Close() })
	answers := strings.TrimPrefix(rl.Address("").URL, "http://")
	answers, _, _ = strings.Cut(answers, "/")
	for _, c := range []struct{ addr, line string }{
		{ln.Addr().String(), "GET /v1/rpc"}, {ln.Addr().String(), "DELETE /v1/rpc/x"}, {ln.Addr().String(), "PUT /v1/rpc/x"},
		{ln.Addr().String(), "POST /elsewhere"}, {ln.Addr().String(), "POST /v1/rpc/x"},
		{answers, "GET /v1/rpc/response/x"}, {answers, "DELETE /v1/rpc/response/x"}, {answers, "POST /v1/rpc/response/x"},
	} {
		for _, length := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			t.Run(c.line+" "+length, func(t *testing.T) {
				t.Parallel()
				nc := raw(t, c.addr, c.line+" HTTP/1.1\r\nHost: h\r\n"+length+"\r\n\r\n")
				r := bufio.NewReader(nc)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Errorf("%d: %v", resp.StatusCode, err)
				}
				if _, err := r.ReadByte(); err != io.EOF {
					t.Errorf("%d: the connection stays: %v", resp.StatusCode, err)
				}
			})
		}
	}
}

// Who asks on and reads nothing is let go.
func TestAskingWithoutReadingHoldsNoConnection(t *testing.T) {
	ln := testenv.Listen(t)
	serve(t, wires[0], &worker{}, httpplane.ServerConfig{Listener: ln, StallTimeout: 100 * time.Millisecond})
	nc := raw(t, ln.Addr().String(), "")
	one := []byte(strings.Repeat("GET /v1/rpc HTTP/1.1\r\nHost: h\r\n\r\n", 100))
	_ = nc.SetDeadline(time.Now().Add(8 * time.Second))
	for {
		if _, err := nc.Write(one); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // of this package's own
				t.Fatal("the server still holds the connection")
			}
			return
		}
	}
}

// A connection may rest for longer than a reader may stall.
func TestARestIsNoStall(t *testing.T) {
	ln := testenv.Listen(t)
	w := &worker{handlers: map[string]planes.HandlerFunc{"a/b": func(context.Context, *planes.Request, planes.ResponseWriter) error { return nil }}}
	serve(t, wires[0], w, httpplane.ServerConfig{Listener: ln, StallTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond})
	nc := raw(t, ln.Addr().String(), "")
	r := bufio.NewReader(nc)
	for range 3 {
		for _, ask := range []string{"POST /v1/rpc/a/b", "GET /v1/rpc", "DELETE /v1/rpc"} {
			_, _ = fmt.Fprintf(nc, "%s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", ask)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%s: %v", ask, err)
			}
			if _, err = io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatalf("%s: %v", ask, err)
			}
			<-time.After(120 * time.Millisecond)
		}
	}
}

// A worker that says its status and then nothing more does not hold a caller.
func TestAnAnswerWhoseBodyNeverEnds(t *testing.T) {
	for _, head := range []string{"202 Accepted", "200 OK", "503 Service Unavailable", "404 Not Found", "302 Found"} {
		t.Run(head, func(t *testing.T) {
			to := trickle(t, "HTTP/1.1 "+head+"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
			c, err := httpplane.NewClient(httpplane.ClientConfig{Timeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			over := make(chan struct{})
			go func() {
				defer close(over)
				err := c.Send(context.Background(), to, &planes.Envelope{ID: "1", Reply: planes.ConnectionInfo{Transport: "t"}, Request: &planes.Request{Route: "a/b"}})
				if (err == nil) != (head[0] == '2') {
					t.Errorf("send: %v", err)
				}
				if r, err := c.Exchange(context.Background(), to, &planes.Request{Route: "a/b"}); err == nil {
					_ = r.Close()
					t.Error("it is an answer")
				}
			}()
			select {
			case <-over:
			case <-time.After(5 * time.Second):
				t.Error("the caller is held")
				_ = c.Close()
				<-over
			}
		})
	}
}

// trickle answers every connection with head and then holds it.
func trickle(t *testing.T, head string) planes.Address {
	ln := testenv.Listen(t)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = nc.Close() })
			go func() {
				if req, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(nc, head)
				}
			}()
		}
	}()
	return planes.Address{Kind: planes.AddressHTTP, URL: "http://" + ln.Addr().String() + "/v1/rpc/a/b"}
}

// An answer in the exchange is not the word that an envelope was taken.
func TestAnEnvelopeThatIsAnsweredInPlaceWasNotTaken(t *testing.T) {
	for _, f := range itemstream.Formats {
		to := trickle(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "+f.MediaType()+"\r\n\r\n")
		c, err := httpplane.NewClient(httpplane.ClientConfig{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Send(t.Context(), to, &planes.Envelope{ID: "1", Reply: planes.ConnectionInfo{Transport: "t"}, Request: &planes.Request{Route: "a/b"}})
		if planes.CodeOf(err) != planes.CodeProtocol {
			t.Errorf("%v: %v", f, err)
		}
		_ = c.Close()
	}
}

// A large item may take longer than a reader may stall, as long as it moves.
func TestAnItemThatMovesIsNoStall(t *testing.T) {
	ln := testenv.Listen(t)
	const size = 12 << 20
	w := &worker{handlers: map[string]planes.HandlerFunc{"a/b": func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
		return out.Send(make([]byte, size))
	}}}
	serve(t, wires[0], w, httpplane.ServerConfig{Listener: ln, StallTimeout: 300 * time.Millisecond})
	nc := raw(t, ln.Addr().String(), "POST /v1/rpc/a/b HTTP/1.1\r\nHost: h\r\nAccept: application/octet-stream\r\nContent-Length: 0\r\n\r\n")
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	total, tick := int64(0), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		n, err := io.CopyN(io.Discard, resp.Body, 192<<10)
		total += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
		<-tick.C
	}
	if total < size {
		t.Errorf("%d bytes", total)
	}
}

// A router whose first try broke off before the worker has noticed asks again.
func TestAnAttachThatBreaksOffIsTriedAgain(t *testing.T) {
	ln := testenv.Listen(t)
	go func() {
		for n := 0; ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = nc.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(nc)); err != nil {
					return
				}
				switch n {
				case 0: // cut off
				case 1:
					_, _ = io.WriteString(nc, "HTTP/1.1 409 Conflict\r\nContent-Length: 104\r\n\r\n"+
						`{"error":{"code":"EPOCH","origin":"PEER","phase":"MAYBE","reason":"somebody waits","items":0,"bytes":0}}`)
				default:
					_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"+
						`{"index":0,"text":"x"}`+"\n"+`{"end":{"items":1,"bytes":1}}`+"\n")
				}
			}()
		}
	}()
	a, err := httpplane.NewAttacher(httpplane.ClientConfig{Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	ctx := testenv.Context(t, 10*time.Second)
	p, err := a.Expect(ctx, planes.Expectation{ID: "1", Route: "a/b", Response: planes.Endpoint{
		Transport: planes.HTTP, Address: planes.Address{Kind: planes.AddressHTTP, URL: "http://" + ln.Addr().String() + "/x"}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if item, err := r.Recv(ctx); err != nil || string(item) != "x" {
		t.Errorf("%q, %v", item, err)
	}
}
