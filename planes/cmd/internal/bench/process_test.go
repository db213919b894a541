package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

// TestMain lets the test binary be its own child process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench-peer" {
		if bench.Peer(context.Background(), contenders(), os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

// contenders are a pair that works, and some that fail at one point each.
func contenders() []bench.Contender {
	server := func(string, bench.Workload) (bench.Server, error) { return &byteServer{}, nil }
	client := func(ctx context.Context, addr, _ string, w bench.Workload) (bench.Client, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		return &byteClient{c: c, items: w.Items()}, err
	}
	both := []string{bench.Inline, bench.Goroutine}
	return []bench.Contender{
		{Name: "bytes", Handlers: []string{bench.Inline}, NewServer: server, NewClient: client},
		{Name: "wireplane", Handlers: both, StreamHandlers: both[1:], NewServer: server, NewClient: client},
		{Name: "no-server", Handlers: both, NewClient: client, NewServer: func(string, bench.Workload) (bench.Server, error) {
			return nil, errors.New("this server does not start")
		}},
		{Name: "no-client", Handlers: both, NewServer: server, NewClient: func(context.Context, string, string, bench.Workload) (bench.Client, error) {
			return nil, errors.New("this client does not connect")
		}},
		{Name: "hangs-up", Handlers: both, NewServer: func(string, bench.Workload) (bench.Server, error) {
			return &byteServer{after: 100}, nil
		}, NewClient: client},
		{Name: "dies", Handlers: both, NewServer: server, NewClient: func(context.Context, string, string, bench.Workload) (bench.Client, error) {
			_, _ = os.Stderr.WriteString("last words\n")
			os.Exit(3)
			return nil, nil
		}},
	}
}

// byteServer answers each byte by itself; with after set, only so many of them.
type byteServer struct {
	after int

	mu     sync.Mutex
	open   []io.Closer
	closed bool
}

// own closes c with the server.
func (s *byteServer) own(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, c)
	if s.closed {
		_ = c.Close()
	}
}

func (s *byteServer) Serve(ln net.Listener) error {
	s.own(ln)
	c, err := ln.Accept()
	if err != nil {
		return nil
	}
	s.own(c)
	if s.after > 0 {
		_, _ = io.CopyN(c, c, int64(s.after))
		return c.Close()
	}
	_, _ = io.Copy(c, c)
	return nil
}

func (s *byteServer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.open {
		_ = c.Close()
	}
	return nil
}

func (s *byteServer) Syscalls() int64 { return 7 }

type byteClient struct {
	c     net.Conn
	items int
}

func (c *byteClient) Run(_ context.Context, m *bench.Meter) error {
	b := []byte{1}
	return m.Loop(func() (int, error) {
		if _, err := c.c.Write(b); err != nil {
			return 0, err
		}
		_, err := io.ReadFull(c.c, b)
		return c.items, err
	})
}

func (c *byteClient) Close() error { return c.c.Close() }

func config(t *testing.T, names ...string) bench.Config {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each child under -race takes a second to end
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := contenders()
	cfg := bench.Config{
		Floor: all[0], Workloads: bench.FloorSuite()[:1], Rounds: 2,
		WarmUp: 5 * time.Millisecond, Window: 100 * time.Millisecond, Command: []string{self, "bench-peer"},
	}
	for _, name := range names {
		c, err := bench.Find(all, name)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Contenders = append(cfg.Contenders, c)
	}
	return cfg
}

func TestRunMeasuresEveryEntryBesideTheFloor(t *testing.T) {
	cfg := config(t, "wireplane")
	cfg.Workloads = append(cfg.Workloads, bench.Workload{Name: "s", Conns: 1, Inflight: 1, StreamItems: 10})
	cfg.Pin = bench.CanPin()
	cfg.Procs = 2
	cfg.ProfileDir = t.TempDir()
	var said bytes.Buffer
	cfg.Progress = func(format string, args ...any) { said.WriteString(format) }
	rows, err := bench.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5 || said.Len() == 0 {
		t.Fatalf("%d rows, %d bytes of progress", len(rows), said.Len())
	}
	for i, r := range rows {
		if r.Rate <= 0 || r.Ratio <= 0 || r.P50Micros <= 0 || r.P99Micros < r.P50Micros || r.P999Micros < r.P99Micros ||
			r.CPUServer <= 0 || r.CPUClient <= 0 || r.Rounds != 2 || len(r.Rates) != 2 {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	if rows[0].Ratio != 1 || rows[0].Contender != "bytes" || rows[1].Handler != bench.Inline || rows[2].Handler != bench.Goroutine {
		t.Errorf("rows in the wrong order: %+v", rows[:3])
	}
	if rows[4].Workload != "s" || rows[4].Handler != bench.Goroutine {
		t.Errorf("a stream is answered by %+v", rows[4])
	}
	if rows[1].Target != 0.80 || rows[2].Target != 0.60 {
		t.Errorf("targets %v and %v", rows[1].Target, rows[2].Target)
	}
	profiles, err := filepath.Glob(filepath.Join(cfg.ProfileDir, "*.pprof"))
	if err != nil || len(profiles) != 10 {
		t.Errorf("%d profiles, %v", len(profiles), err)
	}
}

func TestAFailureSaysWhoAndWhy(t *testing.T) {
	for name, want := range map[string][]string{
		"no-server": {"unary64-c1", "no-server server", "this server does not start"},
		"no-client": {"no-client client", "this client does not connect"},
		"hangs-up":  {"hangs-up client"},
		"dies":      {"dies client", "ended without a word", "last words"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bench.Run(t.Context(), config(t, name))
			if err == nil {
				t.Fatal("Run = nil")
			}
			for _, w := range want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error does not say %q: %v", w, err)
				}
			}
		})
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	cfg := config(t)
	cfg.Window = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := bench.Run(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run = %v", err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("Run took %v to stop", took)
	}
}

func TestConfigRefusesNonsense(t *testing.T) {
	for name, change := range map[string]func(*bench.Config){
		"no workload":  func(c *bench.Config) { c.Workloads = nil },
		"bad workload": func(c *bench.Config) { c.Workloads = []bench.Workload{{}} },
		"no rounds":    func(c *bench.Config) { c.Rounds = 0 },
		"processors":   func(c *bench.Config) { c.Procs = -1 },
		"no window":    func(c *bench.Config) { c.Window = 0 },
		"warm-up":      func(c *bench.Config) { c.WarmUp = -1 },
		"no command":   func(c *bench.Config) { c.Command = nil },
	} {
		cfg := config(t)
		change(&cfg)
		if _, err := bench.Run(t.Context(), cfg); err == nil {
			t.Errorf("%s: Run = nil", name)
		}
	}
}

func TestPeerRefusesWhatItCannotPlay(t *testing.T) {
	const w = `"workload":{"conns":1,"inflight":1}`
	for in, want := range map[string]string{
		``:     "part to play",
		`nope`: "part to play",
		`{"role":"server","contender":"nobody",` + w + `}`:                     "no contender",
		`{"role":"referee","contender":"bytes",` + w + `}`:                     "no part",
		`{"role":"server","contender":"bytes"}`:                                "connections",
		`{"role":"server","contender":"bytes",` + w + `}{"cmd":"dance"}`:       "dance",
		`{"role":"server","contender":"bytes",` + w + `,"profile":"/nope/x"}`:  "profile",
		`{"role":"server","contender":"bytes",` + w + `} garbage`:              "command",
		`{"role":"client","contender":"bytes",` + w + `,"addr":"127.0.0.1:1"}`: "refused",
	} {
		var out bytes.Buffer
		err := bench.Peer(t.Context(), contenders(), strings.NewReader(in), &out)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want something about %q", in, err, want)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var last struct{ Event, Error string }
		if jerr := json.Unmarshal([]byte(lines[len(lines)-1]), &last); jerr != nil || last.Event != "error" || last.Error != err.Error() {
			t.Errorf("%s: last line %q", in, lines[len(lines)-1])
		}
	}
}

func TestServerPeerSpeaksItsProtocol(t *testing.T) {
	in := `{"role":"server","contender":"bytes","workload":{"conns":1,"inflight":1}}{"cmd":"usage"}{"cmd":"usage"}{"cmd":"stop"}`
	var out bytes.Buffer
	if err := bench.Peer(t.Context(), contenders(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&out)
	for i, want := range []string{"ready", "usage", "usage"} {
		var e struct {
			Event, Addr string
			Usage       *bench.Usage
		}
		if err := dec.Decode(&e); err != nil || e.Event != want {
			t.Fatalf("event %d: %+v, %v; want %s", i, e, err, want)
		}
		if want == "ready" && e.Addr == "" || want == "usage" && (e.Usage == nil || e.Usage.Syscalls != 7) {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}
