//go:build nginx

package httpplane_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

// nginx starts one that passes everything on to upstream, with its default settings,
// buffering included, and returns its URL.
func nginx(t *testing.T, upstream string) string {
	t.Helper()
	dir := t.TempDir()
	ln := testenv.Listen(t)
	addr := ln.Addr().String()
	_ = ln.Close()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  server { listen %[2]s; location / { proxy_pass http://%[3]s; proxy_http_version 1.1; } }
}
`, dir, addr, upstream)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err) // no skip: who asks for the tag wants the test
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	testenv.Eventually(t, wait, "nginx listens", func() bool {
		c, err := net.Dial("tcp", addr) //nolint:noctx // a test
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return "http://" + addr
}

// Through nginx the first item arrives while the handler still holds the second, and a
// client that leaves ends the handler.
func TestNginxPassesItemsOnAtOnce(t *testing.T) {
	for _, format := range itemstream.Formats {
		ended, next := make(chan error, 1), make(chan struct{})
		w := &worker{handlers: map[string]planes.HandlerFunc{
			"x": held(1, ended),
			"two": func(_ context.Context, _ *planes.Request, out planes.ResponseWriter) error {
				if err := out.Send([]byte("first")); err != nil {
					return err
				}
				<-next
				return out.Send([]byte("second"))
			},
		}}
		x := serve(t, wires[0], w, httpplane.ServerConfig{})
		upstream, err := url.Parse(x.at("").URL)
		if err != nil {
			t.Fatal(err)
		}
		front := nginx(t, upstream.Host)
		client := x.client(format, httpplane.ClientConfig{})
		to := func(route string) planes.Address {
			return planes.Address{Kind: planes.AddressHTTP, URL: front + "/v1/rpc/" + route}
		}
		ctx := testenv.Context(t, wait)
		r, err := client.Exchange(ctx, to("two"), &planes.Request{Route: "two"})
		if err != nil {
			t.Fatal(err)
		}
		if item, err := r.Recv(ctx); err != nil || string(item) != "first" {
			t.Fatalf("%v: %q %v", format, item, err)
		}
		close(next)
		if items, err := planes.Collect(ctx, r, 100); err != nil || len(items) != 1 || string(items[0]) != "second" {
			t.Errorf("%v: %q %v", format, items, err)
		}
		if r, err = client.Exchange(ctx, to("x"), &planes.Request{Route: "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Recv(ctx); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		select {
		case <-ended:
		case <-ctx.Done():
			t.Fatalf("%v: the handler goes on", format)
		}
	}
}

// What curl shows, through nginx.
func TestNginxTranscript(t *testing.T) {
	w := &worker{handlers: map[string]planes.HandlerFunc{"demo/backend/test": func(_ context.Context, r *planes.Request, out planes.ResponseWriter) error {
		return out.Send(r.Payload)
	}}}
	x := serve(t, wires[0], w, httpplane.ServerConfig{})
	upstream, err := url.Parse(x.at("").URL)
	if err != nil {
		t.Fatal(err)
	}
	front := nginx(t, upstream.Host) + "/v1/rpc/test"
	resp, err := http.Post(front, "text/plain", strings.NewReader("hello")) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	var lines []string
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if got := strings.Join(lines, "|"); resp.StatusCode != 200 || got != `id: 0|data: hello||event: end|data: {"items":1,"bytes":5}|` {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
}
