package httpplane_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

func h2frame(kind, flags byte, stream uint32, body []byte) []byte {
	b := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), body...)
}

// Opening and resetting as fast as it goes runs no more handlers than a connection may
// have, and leaves nothing behind.
func TestRapidResetRunsFewHandlers(t *testing.T) {
	ln := testenv.Listen(t)
	var now, most atomic.Int64
	release := make(chan struct{})
	w := &worker{handlers: map[string]planes.HandlerFunc{"a/b": func(context.Context, *planes.Request, planes.ResponseWriter) error {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release // it does not listen to its context
		now.Add(-1)
		return nil
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{Listener: ln, MaxStreamsPerConn: 10})
	before := runtime.NumGoroutine()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	var head bytes.Buffer
	head.WriteString("\x83\x86")            // :method POST, :scheme http
	head.WriteString("\x04\x0b/v1/rpc/a/b") // :path
	head.WriteString("\x01\x01h")           // :authority
	b := append([]byte(http2Preface), h2frame(4, 0, 0, nil)...)
	for i := range uint32(5000) {
		b = append(b, h2frame(1, 5, 2*i+1, head.Bytes())...)
		b = append(b, h2frame(3, 0, 2*i+1, []byte{0, 0, 0, 8})...)
	}
	go func() { _, _ = nc.Write(b) }()
	buf := make([]byte, 64<<10)
	for err == nil {
		_, err = nc.Read(buf)
	}
	if strings.Contains(err.Error(), "timeout") {
		t.Log("the connection is kept")
	}
	if n := most.Load(); n == 0 || n > 10 {
		t.Errorf("%d handlers ran at once; want 1 to 10", n)
	}
	if n := runtime.NumGoroutine() - before; n > 60 {
		t.Errorf("%d goroutines more", n)
	}
	close(release)
	_ = nc.Close()
	testenv.Eventually(t, 5*time.Second, "nothing is left", func() bool { return x.server.Stat().Calls == 0 && now.Load() == 0 })
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Headers count in the budget, too.
func TestManyHeadersCountInTheBudget(t *testing.T) {
	ln := testenv.Listen(t)
	release := make(chan struct{})
	w := &worker{handlers: map[string]planes.HandlerFunc{"a/b": func(context.Context, *planes.Request, planes.ResponseWriter) error {
		<-release
		return nil
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{Listener: ln, BudgetBytes: 1 << 20})
	head := "POST /v1/rpc/a/b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 4000)+"\r\n", 100) + "\r\n"
	for range 2 {
		raw(t, ln.Addr().String(), head)
	}
	testenv.Eventually(t, 5*time.Second, "two run", func() bool { return x.server.Stat().Calls == 2 })
	resp, err := http.ReadResponse(bufio.NewReader(raw(t, ln.Addr().String(), head)), nil)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v, %v", resp, err)
	}
	close(release)
	testenv.Eventually(t, 5*time.Second, "nothing is held", func() bool { return x.server.Stat().BodyBytes == 0 && x.server.Stat().Calls == 0 })
}

// Headers beyond what any request needs are refused before they are kept.
func TestHeadersAreBounded(t *testing.T) {
	rl, err := httpplane.NewResponseListener(httpplane.ListenerConfig{Addr: "127.0.0.1:0", AttachTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rl.Close() })
	req, _ := http.NewRequestWithContext(testenv.Context(t, 3*time.Second), http.MethodGet, rl.Address("x").URL, nil)
	req.Header.Set("X-Filler", strings.Repeat("x", 256<<10))
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("it is kept waiting with %d KiB: %v", 256, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", resp.Status)
	}
}
