package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/bench/contend"
)

// TestMain lets the test binary be the child process of a measurement.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == benchPeer {
		os.Exit(runBenchPeer(context.Background(), nil, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestBenchRefusesArgumentsThatMakeNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"--nonsense":                      "nonsense",
		"extra":                           `unexpected argument "extra"`,
		"--suite ceiling":                 `no suite "ceiling"; there are floor and combinations`,
		"--suite combinations --size 3":   "--size cannot be given with --suite combinations",
		"--suite combinations --rounds 0": "--rounds 0; want 1 to 1000",
		"--suite floor --inflight 3":      "--inflight cannot be given with --suite",
		"--suite floor --size 3":          "--size cannot be given with --suite",
		"--size 12parsecs":                "unknown unit",
		"--size k":                        "no size",
		"--size 99999999999":              "no size",
		"--size 3000m":                    "no size",
		"--size 1MiB":                     "payload size in bytes is 1048576, not in 0..524288",
		"--conns 0":                       "number of connections is 0",
		"--conns 8 --inflight 4":          "leave some of 8 connections idle",
		"--inflight 0":                    "calls in flight is 0",
		"--stream -1":                     "stream items is -1",
		"--rounds 0":                      "0 rounds",
		"--procs -1":                      "-1 processors",
		"--duration 1us":                  "window of 1µs",
		"--duration soon":                 "soon",
		"--warmup -1s":                    "warm-up of -1s",
		"--handler outline":               `no handler class "outline"; there are inline, goroutine and all`,
		"--contenders grpc":               `no contender "grpc"; there are raw, wireplane, wireplane-sums, gnet, net`,
		"--contenders wireplane,,gnet":    `no contender ""`,
		"--conns 0 --inflight 0 --pin=x":  "pin",
	} {
		var out, errs bytes.Buffer
		code := runBench(t.Context(), strings.Fields(args), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), want) || out.Len() > 0 {
			t.Errorf("%s: exit %d, %q; want %q", args, code, errs.String(), want)
		}
	}
}

func TestBenchHelpNamesEveryFlagAndContender(t *testing.T) {
	var out, errs bytes.Buffer
	if code := runBench(t.Context(), []string{"--help"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Fatalf("exit %d, %s", code, errs.String())
	}
	for _, want := range []string{"--conns", "--inflight", "--size", "--stream", "--handler", "--suite", "--rounds", "--duration",
		"--warmup", "--pin", "--procs", "--contenders", "--profile", "--json ", "--json-lines", "Examples:", "Exit status"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not name %s", want)
		}
	}
	for _, c := range contend.All() {
		if !strings.Contains(out.String(), c.About) {
			t.Errorf("the help does not name %s", c.Name)
		}
	}
}

func TestBenchFlagsBecomeAConfig(t *testing.T) {
	parse := func(args string) benchOptions {
		t.Helper()
		o, err := parseBenchFlags(strings.Fields(args), contend.All())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := parse("--conns 2 --inflight 8 --size 4KiB --stream 16 --duration 2s --rounds 3 --handler inline --procs 2 --pin=false --contenders net,raw")
	w := o.config.Workloads[0]
	if w != (bench.Workload{Name: "stream4kx16-x8-n2", Conns: 2, Inflight: 8, SizeBytes: 4096, StreamItems: 16}) {
		t.Errorf("workload %+v", w)
	}
	c := o.config
	if c.Window != 2*time.Second || c.Rounds != 3 || c.Pin || c.Procs != 2 || c.Handler != bench.Inline || len(c.Contenders) != 1 || c.Contenders[0].Name != "net" {
		t.Errorf("config %+v", c)
	}
	o = parse("--suite floor --json --json-lines f")
	if len(o.config.Workloads) != 6 || !o.json || o.jsonLines != "f" || o.config.Handler != "" || len(o.config.Contenders) != 4 || o.config.Rounds < 7 {
		t.Errorf("suite: %+v", o)
	}
	for text, want := range map[string]int{"0": 0, "64": 64, "64b": 64, "4k": 4096, "4KiB": 4096, "2m": 2 << 20, "1MiB": 1 << 20, "3 k": 3072} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v", text, got, err)
		}
	}
}

func TestBenchRunsAsProcessesAndWritesBothForms(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each child under -race takes a second to end
	file := filepath.Join(t.TempDir(), "lines.json")
	args := []string{"--inflight", "4", "--rounds", "1", "--duration", "100ms", "--warmup", "10ms",
		"--contenders", "wireplane", "--json", "--json-lines", file}
	var out, errs bytes.Buffer
	if code := runBench(t.Context(), args, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	if !strings.Contains(errs.String(), "unary64-c4") {
		t.Errorf("progress %q", errs.String())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"stdout": {out.String(), "raw inline wireplane inline wireplane goroutine"},
		"file":   {string(data), "wireplane inline wireplane goroutine"},
	} {
		var got []string
		for line := range strings.Lines(test.text) {
			var row bench.Row
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if row.Rate <= 0 || row.Ratio <= 0 || row.P50Micros <= 0 {
				t.Errorf("%s: %+v", name, row)
			}
			got = append(got, row.Contender, row.Handler)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s has %v, want %s", name, got, test.want)
		}
	}
}

func TestBenchFailsWithOneLineAboutTheReason(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"--rounds", "1", "--duration", "20ms", "--contenders", "net", "--json-lines", filepath.Join(t.TempDir(), "no", "dir")}
	if code := runBench(t.Context(), args, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "wireplane bench: ") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

func TestBenchPeerSaysWhatIsWrong(t *testing.T) {
	in := os.Stdin
	defer func() { os.Stdin = in }()
	empty, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = empty.Close() }()
	os.Stdin = empty
	var out, errs bytes.Buffer
	if code := runBenchPeer(t.Context(), nil, &out, &errs); code != exitFailed || !strings.Contains(out.String(), `"event":"error"`) {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
