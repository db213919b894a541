package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
)

// source returns text as a file.
func source(t *testing.T, text string) *Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustRun(t *testing.T, cfg Config) *Result {
	t.Helper()
	res, err := Run(testenv.Context(t, 30*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestEveryStreamArrivesWhole(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		streams int
		rate    float64
	}{
		"many streams":      {sample, 256, 0},
		"one stream":        {sample, 1, 0},
		"more than a frame": {strings.Repeat(sample, 100), 3, 0},
		"one byte":          {"x", 256, 0},
		"nothing":           {"", 256, 0},
		"any bytes":         {string(bytes.Repeat([]byte{0, 0xff, 0x1b, '\n'}, 500)), 16, 0},
		"paced":             {"a few words, one after the other", 256, 100},
	} {
		t.Run(name, func(t *testing.T) {
			res := mustRun(t, Config{Source: source(t, c.text), Streams: c.streams, Rate: c.rate})
			n, want := int64(c.streams), res.Source.Totals
			switch {
			case !res.OK() || res.Whole != c.streams:
				t.Fatalf("%+v", res)
			case res.Items != n*want.Items || res.Bytes != n*int64(len(c.text)) || len(res.First) != min(c.streams, c.streams*len(c.text)):
				t.Errorf("%d items, %d bytes, %d first items", res.Items, res.Bytes, len(res.First))
			case res.Terminals != c.streams || res.CleanEnds != c.streams || res.PeakOpen != c.streams:
				t.Errorf("%d ends, %d clean, %d at once; want %d", res.Terminals, res.CleanEnds, res.PeakOpen, c.streams)
			case res.Counters.FramesToRouter < uint64(res.Items) || res.Counters.WritesOfWorker == 0:
				t.Errorf("%+v for %d items", res.Counters, res.Items)
			}
			if least := time.Duration(float64(want.Items-1) / max(c.rate, 1e9) * 1e9); res.Elapsed < least {
				t.Errorf("%v at %v tokens a second, want at least %v", res.Elapsed, c.rate, least)
			}
		})
	}
}

// at returns a fault that does something to one item of one stream.
func at(stream int, item int64, f func(tok []byte) ([][]byte, error)) Fault {
	return func(s int, i int64, tok []byte) ([][]byte, error) {
		if s == stream && i == item {
			return f(tok)
		}
		return [][]byte{tok}, nil
	}
}

// after returns a fault that drops the end of one stream.
func after(stream int, item int64) Fault {
	return func(s int, i int64, tok []byte) ([][]byte, error) {
		if s == stream && i >= item {
			return nil, nil
		}
		return [][]byte{tok}, nil
	}
}

func TestFaultsAreFound(t *testing.T) {
	flip := func(tok []byte) ([][]byte, error) {
		tok = bytes.Clone(tok)
		tok[len(tok)-1] ^= 1
		return [][]byte{tok}, nil
	}
	for name, c := range map[string]struct {
		fault Fault
		why   string
	}{
		"a flipped byte":      {at(17, 100, flip), "bytes were changed: all"},
		"in the first item":   {at(17, 0, flip), "bytes were changed: all"},
		"a dropped item":      {at(17, 100, func([]byte) ([][]byte, error) { return nil, nil }), "items are missing"},
		"an item sent twice":  {at(17, 100, func(b []byte) ([][]byte, error) { return [][]byte{b, b}, nil }), "too many items"},
		"a dropped byte":      {at(17, 0, func(b []byte) ([][]byte, error) { return [][]byte{b[1:]}, nil }), "bytes are missing"},
		"an item cut in two":  {at(17, 0, func(b []byte) ([][]byte, error) { return [][]byte{b[:1], b[1:]}, nil }), "too many items"},
		"an early clean end":  {after(17, 100), "items are missing: 100 items of"},
		"an error of the end": {at(17, 100, func([]byte) ([][]byte, error) { return nil, errors.New("model died") }), "model died"},
		"a panic":             {at(17, 100, func([]byte) ([][]byte, error) { panic("planted") }), "panicked"},
	} {
		t.Run(name, func(t *testing.T) {
			res := mustRun(t, Config{Source: source(t, sample), Streams: 32, Fault: c.fault})
			if res.OK() || res.Whole != 31 || len(res.Failures) != 1 {
				t.Fatalf("whole %d, failures %+v", res.Whole, res.Failures)
			}
			if f := res.Failures[0]; f.Stream != 17 || !strings.Contains(f.Why, c.why) {
				t.Errorf("%+v, want %q of stream 17", f, c.why)
			}
			var text strings.Builder
			if err := res.WriteText(&text, false); err != nil || !strings.Contains(text.String(), "  stream 18: ") {
				t.Errorf("%v:\n%s", err, &text)
			}
		})
	}
}

func TestManyFaultsAreListedInPart(t *testing.T) {
	res := mustRun(t, Config{Source: source(t, sample), Streams: 40,
		Fault: func(int, int64, []byte) ([][]byte, error) { return nil, nil }})
	if len(res.Failures) != 40 {
		t.Fatalf("%d failures", len(res.Failures))
	}
	var text strings.Builder
	if err := res.WriteText(&text, false); err != nil || !strings.Contains(text.String(), "  and 20 more\n") {
		t.Errorf("%v:\n%s", err, &text)
	}
	var j struct {
		OK       bool
		Failures []jsonFailure
		InAll    int `json:"failures_in_all"`
	}
	b, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &j); err != nil || j.OK || len(j.Failures) != 20 || j.InAll != 40 || j.Failures[0].Stream != 1 {
		t.Errorf("%v: %+v", err, j)
	}
}

// TestFlippedOnTheWire: a byte that is changed between the sockets is found by the
// protocol's checksum, before any stream could use it.
func TestFlippedOnTheWire(t *testing.T) {
	res := mustRun(t, Config{Source: source(t, sample), Via: func(addr string) (string, error) { return flipper(t, addr, 20_000), nil }})
	if res.OK() || len(res.Failures) == 0 {
		t.Fatalf("%+v", res)
	}
	if f := res.Failures[0]; !strings.Contains(f.Why, "CHECKSUM") {
		t.Errorf("%+v", f)
	}
}

// flipper forwards connections to addr, and flips one bit of what comes back.
func flipper(t *testing.T, addr string, at int64) string {
	t.Helper()
	ln := testenv.Listen(t)
	var conns sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", addr)
			if err != nil {
				_ = c.Close()
				return
			}
			mu.Lock()
			open = append(open, c, s)
			mu.Unlock()
			conns.Go(func() { _, _ = io.Copy(s, c); _ = s.Close() })
			conns.Go(func() {
				_, _ = io.CopyN(c, s, at)
				var b [1]byte
				_, _ = io.ReadFull(s, b[:])
				_, _ = c.Write([]byte{b[0] ^ 0x10})
				_, _ = io.Copy(c, s)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return ln.Addr().String()
}

func TestRunThatStalls(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	res := mustRun(t, Config{Source: source(t, sample), Streams: 4, Stall: 50 * time.Millisecond,
		Fault: at(2, 7, func([]byte) ([][]byte, error) { <-release; return nil, nil })})
	if res.OK() || res.Whole != 3 || res.CleanEnds != 3 {
		t.Fatalf("%+v", res)
	}
	var text strings.Builder
	err := res.WriteText(&text, false)
	for _, want := range []string{"  stream 3: ", "after 7 of ", "nothing arrived for 50ms"} {
		if err != nil || !strings.Contains(text.String(), want) {
			t.Errorf("%v: lacks %q:\n%s", err, want, &text)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(testenv.Context(t, 30*time.Second))
	defer cancel()
	res, err := Run(ctx, Config{Source: source(t, strings.Repeat(sample, 1000)), Streams: 8,
		Fault: at(3, 500, func(b []byte) ([][]byte, error) { cancel(); return [][]byte{b}, nil })})
	if err != nil || !res.Interrupted || res.OK() || len(res.Failures) != 0 {
		t.Fatalf("%v: %+v", err, res)
	}
	var text strings.Builder
	if err := res.WriteText(&text, false); err != nil || !strings.HasPrefix(text.String(), "interrupted  ") {
		t.Errorf("%v:\n%s", err, &text)
	}
}

func TestFileThatChangesIsNamed(t *testing.T) {
	src := source(t, strings.Repeat(sample, 50))
	res := mustRun(t, Config{Source: src, Streams: 8, Fault: at(0, 0, func(b []byte) ([][]byte, error) {
		return [][]byte{b}, os.Truncate(src.Name, 5000)
	})})
	last := res.Failures[len(res.Failures)-1]
	if res.OK() || last.Stream != -1 || !strings.Contains(last.Why, "has changed since it was opened") {
		t.Errorf("%+v", res.Failures)
	}
}

func TestConfigIsChecked(t *testing.T) {
	err := Config{Streams: MaxStreams + 1, Rate: -1, Stall: -1}.Validate()
	for _, want := range []string{"no source", "16385 streams", "a rate of -1", "Stall is"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := Run(t.Context(), Config{}); err == nil {
		t.Error("ran without a source")
	}
	for tokens, want := range map[int64]float64{0: 20, 300: 100, 10_000_000: 0} {
		if got := RateToWatch(tokens, 256); got != want {
			t.Errorf("%d tokens: %v, want %v", tokens, got, want)
		}
	}
}

func TestJSONFields(t *testing.T) {
	res := mustRun(t, Config{Source: source(t, sample)})
	b, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	items := float64(res.Source.Totals.Items)
	for field, want := range map[string]any{
		"ok": true, "interrupted": false, "streams": 256.0, "streams_whole": 256.0, "streams_at_once": 256.0, "terminals": 256.0,
		"clean_ends": 256.0, "items": 256 * items, "items_per_stream": items, "file_bytes": float64(len(sample)),
		"sha256": fmt.Sprintf("%x", res.Source.Totals.Sum), "rate_per_stream": 0.0, "failures_in_all": 0.0,
	} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	for _, field := range []string{"seconds", "first_item_p50_us", "first_item_p99_us", "items_per_second", "items_per_write",
		"syscalls_saved", "frames", "writes", "reads", "wire_bytes"} {
		if n, ok := got[field].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v", field, got[field])
		}
	}
	if list, ok := got["failures"].([]any); !ok || len(list) != 0 {
		t.Errorf("failures is %v", got["failures"])
	}
}
