package demo

import (
	"strings"
	"testing"
	"time"
)

func TestScreenShowsTheTextAndNothingElseOfIt(t *testing.T) {
	src := source(t, "Watch this: \x1b[2J\x07\u009b31m caf\u00e9\r\n\ttab\n")
	var out strings.Builder
	mustRun(t, Config{Source: src, Streams: 4, View: NewScreen(&out, false)})
	got := strip(out.String())
	if want := "Watch this: .[2J..31m caf\u00e9\n\ttab\n"; !strings.Contains(got, "as it arrives:\n\n"+want) {
		t.Errorf("%q lacks %q", got, want)
	}
	if !strings.Contains(got, "worker  on 127.0.0.1:") || !strings.Contains(got, "no broker, registry or configuration") {
		t.Errorf("no introduction: %q", got)
	}
}

// strip takes a Screen's own control sequences and status lines away.
func strip(s string) string {
	for {
		before, rest, found := strings.Cut(s, statusAbove)
		if !found {
			return strings.ReplaceAll(s, eraseBelow, "")
		}
		_, after, _ := strings.Cut(rest, statusBehind)
		s = before + after
	}
}

func TestScreenColoursEveryOtherToken(t *testing.T) {
	var out strings.Builder
	mustRun(t, Config{Source: source(t, "one two"), Streams: 1, View: NewScreen(&out, true)})
	if want := "one" + tokenColor + " two" + plainColor; !strings.Contains(strip(out.String()), want) {
		t.Errorf("%q lacks %q", out.String(), want)
	}
}

func TestScreenStopsShowingLongTexts(t *testing.T) {
	var out strings.Builder
	mustRun(t, Config{Source: source(t, strings.Repeat("0123456789abcde ", 10_000)), Streams: 1, View: NewScreen(&out, false)})
	if n := len(strip(out.String())); n < maxShown || n > maxShown+1000 || !strings.Contains(out.String(), "not shown]") {
		t.Errorf("%d bytes shown", n)
	}
}

func TestScreenDrawsTheStatusBelow(t *testing.T) {
	var out strings.Builder
	s := NewScreen(&out, false)
	s.Start(Intro{Worker: "here", Source: source(t, "x"), Streams: 1})
	s.Token([]byte("text"))
	s.Progress(Progress{Items: 1, TotalItems: 4, Streams: 2, Elapsed: time.Second})
	s.Stop()
	got := out.String()
	if !strings.Contains(got, statusAbove+"2 streams: 25%, 1 of 4 items, 1/s, 3s left"+statusBehind) || !strings.HasSuffix(got, eraseBelow+"\n\n") {
		t.Errorf("%q", got)
	}
}

func TestLineView(t *testing.T) {
	at := func(d time.Duration) Progress {
		return Progress{Items: 1500, TotalItems: 3000, Ended: 1, Streams: 256, Elapsed: d}
	}
	const line = "256 streams: 50%, 1,500 of 3,000 items, "
	for _, c := range []struct {
		terminal bool
		times    []time.Duration
		want     string
	}{
		{false, []time.Duration{time.Second, 1900 * time.Millisecond}, ""},
		{false, []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second}, line + "750/s, 1 done, 2s left\n" + line + "375/s, 1 done, 4s left\n"},
		{true, []time.Duration{900 * time.Millisecond}, ""},
		{true, []time.Duration{2 * time.Second}, "\r" + line + "750/s, 1 done, 2s left\x1b[K\r\x1b[K"},
	} {
		var out strings.Builder
		v := &LineView{W: &out, Terminal: c.terminal}
		v.Start(Intro{})
		v.Token([]byte("x"))
		for _, d := range c.times {
			v.Progress(at(d))
		}
		v.Stop()
		if out.String() != c.want {
			t.Errorf("%v at %v: %q, want %q", c.terminal, c.times, out.String(), c.want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 9_999: "9,999 B", 10_000: "10.0 kB", 999_600: "1.00 MB", 1_234_567: "1.23 MB", 5e11: "500 GB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 us", 42 * time.Microsecond: "42 us", 1234567: "1.23 ms", 12 * time.Second: "12.00 s"} {
		if got := short(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
