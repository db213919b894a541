package main

import (
	"testing"
	"time"
)

func TestParseTakesTheLastReport(t *testing.T) {
	out := "fuzz: elapsed: 0s, gathering baseline coverage: 0/8 completed\n" +
		"fuzz: elapsed: 3s, execs: 100 (33/sec), new interesting: 2 (total: 10)\n" +
		"fuzz: elapsed: 5s, execs: 32108 (9000/sec), new interesting: 7 (total: 15)\nPASS\n"
	if got, want := parse(out), (result{execs: 32108, fresh: 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parse("fuzz: elapsed: 0s, gathering baseline coverage: 0/8 completed\nPASS\n"); got != (result{}) {
		t.Errorf("a run without inputs gave %+v", got)
	}
}

func TestOnlyTimeUp(t *testing.T) {
	const head = "fuzz: elapsed: 3s, execs: 16096 (5364/sec), new interesting: 3 (total: 76)\n--- FAIL: FuzzRequest (3.87s)\n"
	for out, want := range map[string]bool{
		head + "    context deadline exceeded\nFAIL\n": true,
		head + "    --- FAIL: FuzzRequest (0.00s)\n        x_test.go:9: broken\n    Failing input written to testdata/fuzz/FuzzRequest/1\nFAIL\n": false,
		head + "    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzRequest/1\nFAIL\n":                                  false,
		"panic: boom\n": false,
		"":              false,
	} {
		if got := onlyTimeUp(out); got != want {
			t.Errorf("%q: %v, want %v", out, got, want)
		}
	}
}

func TestShareKeepsTheTotal(t *testing.T) {
	for _, c := range []struct {
		each, left time.Duration
		n          int
		capped     bool
		want       time.Duration
	}{
		{20 * time.Second, 0, 5, false, 20 * time.Second},
		{20 * time.Second, 3 * time.Minute, 5, true, 20 * time.Second},
		{20 * time.Second, 40 * time.Second, 5, true, 8 * time.Second},
		{20 * time.Second, -time.Second, 5, true, leastTime},
	} {
		if got := share(c.each, c.left, c.n, c.capped); got != c.want {
			t.Errorf("share(%v, %v, %d, %v) = %v, want %v", c.each, c.left, c.n, c.capped, got, c.want)
		}
	}
}
