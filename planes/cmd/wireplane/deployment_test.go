package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
)

// output collects what a command that goes on writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs a command until the test ends, or stop is called, which returns its exit
// code.
func start(t *testing.T, environ []string, args ...string) (said *output, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said = new(output)
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: said, environ: environ}
	code := make(chan int, 1)
	go func() { code <- a.run(ctx, args) }()
	var once sync.Once
	got := -1
	stop = func() int {
		once.Do(func() {
			cancel()
			select {
			case got = <-code:
			case <-time.After(20 * time.Second):
				t.Errorf("%v does not end:\n%s", args, said)
			}
		})
		return got
	}
	t.Cleanup(func() { stop() })
	return said, stop
}

// local are settings that put every server on a free port of the loopback.
var local = []string{
	"WIREPLANE_ADVERTISE_HOST=127.0.0.1", "DYN_TCP_REQUEST_HOST=127.0.0.1", "DYN_TCP_REQUEST_PORT=0", "DYN_HTTP_RPC_HOST=127.0.0.1", "DYN_HTTP_RPC_PORT=0",
	"DYN_HTTP_RESPONSE_HOST=127.0.0.1", "DYN_HTTP_RESPONSE_PORT=0", "DYN_TCP_RESPONSE_STREAM_HOST=127.0.0.1", "DYN_WORKER_GRACEFUL_SHUTDOWN_TIMEOUT=2", "DYN_TCP_POOL_ENABLED=true",
}

func await(t *testing.T, said *output, what string) string {
	t.Helper()
	re := regexp.MustCompile(what)
	var m []string
	testenv.Eventually(t, 10*time.Second, what, func() bool { m = re.FindStringSubmatch(said.String()); return m != nil })
	return m[len(m)-1]
}

// Worker, caller and front as in the README: three processes that share a directory.
func TestWorkerCallRoute(t *testing.T) {
	store := "file:" + t.TempDir()
	all := "tcp+exchange,http+exchange,tcp+tcp,http+http,dynamo-tcp+tcp"
	said, stop := start(t, local, "worker", "--discovery", store, "--transports", all, "--metrics", "127.0.0.1:0", "demo/backend/generate")
	await(t, said, `serving +path=demo/backend/generate instance=([0-9a-f]+)`)
	metrics := await(t, said, `metrics +address=(\S+)`)

	for _, pair := range strings.Split(all, ",") {
		got := runCommand(t, &app{environ: local}, "", "call", "--discovery", store, "--transports", pair, "demo/backend/generate", "hello wire over "+pair)
		if got.code != exitOK || got.out != "hello wire over "+pair+"\n" || !strings.Contains(got.errOut, "items=4") {
			t.Errorf("%s: %+v", pair, got)
		}
	}
	got := runCommand(t, &app{environ: local}, "from stdin", "call", "--json", "--discovery", store, "demo/backend/generate")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	var end struct {
		OK    bool
		Items int
		Bytes int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || got.code != exitOK || len(lines) != 3 || !end.OK || end.Items != 2 || end.Bytes != 10 {
		t.Errorf("%v: %+v", err, got)
	}

	front, stopFront := start(t, local, "route", "--discovery", store, "--metrics", "127.0.0.1:0")
	url := strings.Replace(await(t, front, `routing +url=(\S+)`), "NAMESPACE/COMPONENT/ENDPOINT", "demo/backend/generate", 1)
	resp, err := http.Post(url, "text/plain", strings.NewReader("hello front"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") ||
		!strings.Contains(string(body), "data: hello \n") || !strings.Contains(string(body), "event: end\n") {
		t.Errorf("%v %v: %s", err, resp.Header, body)
	}
	if resp, err = http.Get(await(t, front, `metrics +address=(\S+)`)); err != nil {
		t.Fatal(err)
	}
	body, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	for _, re := range []string{`discovery_discoveries_total 1`, `discovery_cache_(hits|misses)_total [1-9]`, `discovery_cache_age_seconds [0-9.e-]*[1-9]`} {
		if !regexp.MustCompile(`(?m)^` + re).Match(body) {
			t.Errorf("after a call /metrics of the front has no %s", re)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code := stopFront(); code != exitOK {
		t.Errorf("route ends with %d: %s", code, front)
	}

	resp, err = http.Get(metrics)
	if err != nil {
		t.Fatal(err)
	}
	body, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	for _, name := range metricNames {
		if !regexp.MustCompile(`(?m)^` + name + `(_bucket)?[{ ]`).Match(body) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	if !regexp.MustCompile(`(?m)^transport_requests_total\{plane="request",transport="tcp"\} [1-9]`).Match(body) {
		t.Errorf("no requests counted:\n%s", regexp.MustCompile(`(?m)^transport_requests.*$`).FindAll(body, -1))
	}
	// --transports is a choice, not a preference: call-home was used where it was named.
	if !regexp.MustCompile(`(?m)^tcp_pool_connections_created_total\{target="127\.0\.0\.1:\d+"\} [1-9]`).Match(body) {
		t.Errorf("no call-home connection counted:\n%s", regexp.MustCompile(`(?m)^tcp_pool_conn.*$`).FindAll(body, -1))
	}
	if code := stop(); code != exitOK || !strings.Contains(said.String(), "ended ") {
		t.Errorf("worker ends with %d: %s", code, said)
	}
	gone := runCommand(t, &app{environ: local}, "", "call", "--wait", "100ms", "--discovery", store, "demo/backend/generate", "x")
	if gone.code != exitFailed || !strings.Contains(gone.errOut, "NOT_FOUND") {
		t.Errorf("after the worker has left: %+v", gone)
	}
}

// metricNames are those of the founding document, and discovery's.
var metricNames = []string{
	"tcp_pool_connections_created_total", "tcp_pool_connections_reused_total", "tcp_pool_active_connections", "tcp_pool_idle_connections",
	"tcp_pool_acquisition_latency_seconds", "tcp_pool_validation_failures_total", "transport_requests_total", "transport_request_latency_seconds",
	"transport_errors_total", "transport_active_streams", "discovery_registrations_total", "discovery_discoveries_total", "discovery_etcd_latency_seconds",
	"discovery_cache_hits_total", "discovery_cache_misses_total", "discovery_cache_age_seconds",
}

// A bad setting is named with its value and what was wanted, all of them at once,
// before anything is started.
func TestWorkerRefusesBadSettings(t *testing.T) {
	for setting, want := range map[string]string{
		"DYN_TCP_POOL_MAX_PER_TARGET=lots": "lots", "DYN_REQUEST_PLANE=udp": "udp", "DYN_RESPONSE_PLANE=quic": "quic", "WIREPLANE_LIVENESS_PROBE=3": "3",
		"DYN_HTTP_RPC_PORT=99999": "99999",
	} {
		name, _, _ := strings.Cut(setting, "=")
		got := runCommand(t, &app{environ: []string{setting}}, "", "worker", "demo/backend/generate")
		if got.code != exitUsage || !strings.Contains(got.errOut, name) || !strings.Contains(got.errOut, want) || !strings.Contains(got.errOut, "want") {
			t.Errorf("%s: %+v", setting, got)
		}
	}
	got := runCommand(t, &app{environ: []string{"DYN_REQUEST_PLANE=udp", "DYN_HTTP_RPC_PORT=x"}}, "", "call", "a/b/c", "x")
	if got.code != exitUsage || !strings.Contains(got.errOut, "DYN_REQUEST_PLANE") || !strings.Contains(got.errOut, "DYN_HTTP_RPC_PORT") || !strings.Contains(got.errOut, "2 mistakes") {
		t.Errorf("%+v", got)
	}
}

func TestDeploymentUsage(t *testing.T) {
	for args, want := range map[string]string{
		"worker":                                   "no PATH",
		"worker a/b/c --":                          "no COMMAND",
		"worker a/b/c --echo --tokens 3":           "not several",
		"worker a/b/c --tokens -1":                 "--tokens -1",
		"worker a/b/c -- no-such-command-at-all":   "no-such-command-at-all",
		"worker a/b/c --transports nats+exchange":  "carries no answers",
		"worker a/b/c --transports carrier+pigeon": `no request transport "carrier"`,
		"worker a/b/c --transports tcp":            "REQUEST+RESPONSE",
		"worker a/b":                               "NAMESPACE/COMPONENT/ENDPOINT",
		"call":                                     "no PATH",
		"call a/b/c x y":                           "one REQUEST",
		"call a/b/c x --policy best":               "--policy",
		"call a/b/c x --instance zz":               "--instance",
		"call a/b/c x --header nothing":            "NAME=VALUE",
		"call a/b/c x --discovery zoo":             `discovery "zoo"`,
		"route x":                                  "unexpected argument",
	} {
		got := runCommand(t, &app{environ: append([]string{"DYN_REQUEST_PLANE=tcp"}, local...)}, "", append(strings.Fields(args), "--metrics", "off")...)
		if strings.Contains(args, "--") && strings.HasSuffix(args, "--") || strings.Contains(args, "-- ") {
			got = runCommand(t, &app{}, "", strings.Fields(args)...)
		}
		if got.code == exitOK || !strings.Contains(got.errOut, want) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
}

// What can be known to be wrong before anything is opened is wrong usage, and says what
// was wanted.
func TestWrongArgumentsAreWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"worker --discovery etc:x a/b/c", "want mem, file:DIR or etcd:URL"},
		{"worker --discovery file: a/b/c", "want mem, file:DIR or etcd:URL"},
		{"worker --discovery mem:x a/b/c", "want mem, file:DIR or etcd:URL"},
		{"worker --discovery etcd: a/b/c", "HOST:PORT"},
		{"worker --discovery etcd:nonsense a/b/c", "HOST:PORT"},
		{"worker --discovery etcd:ftp://h:1 a/b/c", "want http or https"},
		{"call --discovery etcd:http://h a/b/c x", "HOST:PORT"},
		{"worker --discovery mem a/b", "want NAMESPACE/COMPONENT/ENDPOINT"},
		{"worker --discovery mem A/b/c", `namespace "A"`},
		{"worker --discovery mem a/b/", "endpoint"},
		{"worker --discovery mem a/b/c a/b/c", "twice"},
		{"worker --metrics nowhere a/b/c", "want HOST:PORT, or off"},
		{"worker --metrics :99999 a/b/c", "want 0 to 65535"},
		{"route --discovery file:/x --listen nowhere", "want HOST:PORT"},
		{"route --discovery mem --listen 127.0.0.1:0 --metrics off", "this process alone"},
		{"call --discovery mem a/b/c x", "this process alone"},
		{"call --json --discovery mem a/b/c x", "this process alone"},
		{"call --discovery file:/x a/b x", "want NAMESPACE/COMPONENT/ENDPOINT"},
	} {
		got := runCommand(t, &app{environ: local}, "", strings.Fields(c.args)...)
		if got.code != exitUsage || !strings.Contains(got.errOut, c.says) || got.out != "" {
			t.Errorf("%s: %+v; want %q", c.args, got, c.says)
		}
	}
}

// With --json the last line tells of every failure, of a router that cannot be built too,
// and nowhere is a password.
func TestCallThatCannotBeginSaysSo(t *testing.T) {
	environ := append([]string{"NATS_SERVER=nats://me:secret@127.0.0.1:1"}, local...)
	args := []string{"call", "--discovery", "file:" + t.TempDir(), "--transports", "nats+tcp", "a/b/c", "x"}
	got := runCommand(t, &app{environ: environ}, "", args...)
	if got.code != exitFailed || got.out != "" || !strings.Contains(got.errOut, "nats-server") || strings.Contains(got.errOut, "secret") {
		t.Errorf("%+v", got)
	}
	got = runCommand(t, &app{environ: environ}, "", append(args, "--json")...)
	var end struct {
		OK    *bool
		Error string
	}
	if err := json.Unmarshal([]byte(got.out), &end); err != nil || got.code != exitFailed || end.OK == nil || *end.OK ||
		!strings.Contains(end.Error, "nats-server") || strings.Contains(got.out+got.errOut, "secret") {
		t.Errorf("%v: %+v", err, got)
	}
}

// The first Ctrl-C ends a call whose request is still being typed.
func TestCallEndsWhileItReadsItsRequest(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	a := &app{environ: local, stdin: r, stdout: io.Discard, stderr: io.Discard}
	go func() { code <- a.run(ctx, []string{"call", "--discovery", "file:" + t.TempDir(), "a/b/c"}) }()
	cancel()
	select {
	case got := <-code:
		if got != exitFailed {
			t.Errorf("exit code %d", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("it reads on")
	}
	_ = w.Close()
}

// Who waits for an instance hears what for.
func TestCallThatWaitsSaysSo(t *testing.T) {
	got := runCommand(t, &app{environ: local}, "", "call", "--wait", "2500ms", "--discovery", "file:"+t.TempDir(), "a/b/c", "x")
	if got.code != exitFailed || got.out != "" || !strings.Contains(got.errOut, "waiting   path=a/b/c") || !strings.Contains(got.errOut, "NOT_FOUND") {
		t.Errorf("%+v", got)
	}
}

// A failure is told on standard error where standard output takes nothing.
func TestCallWhoseOutputIsFullSaysSo(t *testing.T) {
	for _, flag := range []string{"--count=1", "--json"} {
		store := "file:" + t.TempDir()
		said, stop := start(t, local, "worker", "--discovery", store, "--transports", "tcp+exchange", "--metrics", "off", "demo/t/echo")
		await(t, said, `reached +path=(demo/t/echo)`)
		var errOut bytes.Buffer
		a := &app{environ: local, stdin: strings.NewReader(""), stdout: full{}, stderr: &errOut}
		if code := a.run(t.Context(), []string{"call", flag, "--discovery", store, "demo/t/echo", "hi"}); code != exitFailed || !strings.Contains(errOut.String(), "disk is full") {
			t.Errorf("%s: %d, %s", flag, code, &errOut)
		}
		stop()
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// The items of an answer are printed as they are; only an open line is closed.
func TestCallPrintsLinesAsTheyAre(t *testing.T) {
	store := "file:" + t.TempDir()
	said, stop := start(t, local, "worker", "--discovery", store, "--transports", "tcp+exchange", "--metrics", "off", "demo/tools/cat", "--", "cat")
	await(t, said, `reached +path=(demo/tools/cat)`)
	for in, want := range map[string]string{"": "", "a": "a\n", "a\nb\n": "a\nb\n", "a\r\n\nb": "a\r\n\nb\n"} {
		if got := runCommand(t, &app{environ: local}, in, "call", "--discovery", store, "demo/tools/cat"); got.code != exitOK || got.out != want {
			t.Errorf("%q: %+v; want %q", in, got, want)
		}
	}
	if code := stop(); code != exitOK {
		t.Errorf("worker ends with %d: %s", code, said)
	}
}
