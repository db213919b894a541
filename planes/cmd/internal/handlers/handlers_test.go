package handlers_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/handlers"
)

func TestMain(m *testing.M) { testenv.Main(m) }

type items []string

func (w *items) Send(item []byte) error {
	*w = append(*w, string(item))
	return nil
}

func TestEchoJoinsToTheRequest(t *testing.T) {
	for _, s := range []string{"", "one", "two words", " spaces  kept ", "\x00\xff bytes"} {
		var w items
		if err := handlers.Echo().ServeCall(t.Context(), &planes.Request{Payload: []byte(s)}, &w); err != nil || strings.Join(w, "") != s {
			t.Errorf("%q: %q, %v", s, w, err)
		}
	}
}

func TestTokens(t *testing.T) {
	var w items
	if err := handlers.Tokens(3, 0).ServeCall(t.Context(), &planes.Request{}, &w); err != nil || strings.Join(w, "") != "token-0 token-1 token-2 " {
		t.Errorf("%q, %v", w, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w = nil
	if err := handlers.Tokens(3, 0.001).ServeCall(ctx, &planes.Request{}, &w); !errors.Is(err, context.Canceled) || len(w) != 1 {
		t.Errorf("%q, %v", w, err)
	}
}

func TestExec(t *testing.T) {
	run := func(ctx context.Context, payload string, argv ...string) (items, error) {
		t.Helper()
		h, err := handlers.Exec(argv)
		if err != nil {
			t.Fatal(err)
		}
		var w items
		err = h.ServeCall(ctx, &planes.Request{Payload: []byte(payload)}, &w)
		return w, err
	}
	if w, err := run(t.Context(), "a\nb", "cat"); err != nil || strings.Join(w, "|") != "a\n|b" {
		t.Errorf("%q, %v", w, err)
	}
	w, err := run(t.Context(), "", "sh", "-c", "echo out; echo bad >&2; exit 3")
	if planes.CodeOf(err) != planes.CodeHandler || !strings.Contains(err.Error(), "exit status 3: bad") || len(w) != 1 {
		t.Errorf("%q, %v", w, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := run(ctx, "", "sleep", "60"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := handlers.Exec([]string{"no-such-command-anywhere"}); err == nil {
		t.Error("a command that is not there is taken")
	}
	if w, err := run(t.Context(), strings.Repeat("x", 2<<20), "cat"); planes.CodeOf(err) != planes.CodeTooLarge {
		t.Errorf("%d items, %v", len(w), err)
	}
}

// What a command has started dies with it when the caller leaves.
func TestExecKillsTheChildrenOfTheCommand(t *testing.T) {
	h, err := handlers.Exec([]string{"sh", "-c", "sleep 60 & echo $!; wait"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	pid := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		done <- h.ServeCall(ctx, &planes.Request{}, send(func(item []byte) error { pid <- string(item); return nil }))
	}()
	child, err := strconv.Atoi(strings.TrimSpace(<-pid))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that the caller has left", err)
	}
	testenv.Eventually(t, 5*time.Second, "the child is gone", func() bool { return !runs(child) })
}

type send func(item []byte) error

func (f send) Send(item []byte) error { return f(item) }

// The items joined are what the command wrote, whatever it was.
func TestExecCarriesOutputAsItIs(t *testing.T) {
	for _, out := range []string{"", "no end", "a\n", "a\r\nb\r\n", "\n\n\n", "\x00\xff\n\x80", strings.Repeat("long ", 40_000) + "\n", strings.Repeat("y\n", 20_000)} {
		h, err := handlers.Exec([]string{"cat"})
		if err != nil {
			t.Fatal(err)
		}
		var w items
		if err := h.ServeCall(t.Context(), &planes.Request{Payload: []byte(out)}, &w); err != nil || strings.Join(w, "") != out {
			t.Errorf("%.20q (%d bytes): %d items, %v", out, len(out), len(w), err)
		}
	}
}

// A command may ignore a large request.
func TestExecOfACommandThatReadsNothing(t *testing.T) {
	h, err := handlers.Exec([]string{"echo", "ok"})
	if err != nil {
		t.Fatal(err)
	}
	var w items
	if err := h.ServeCall(t.Context(), &planes.Request{Payload: make([]byte, 4<<20)}, &w); err != nil || strings.Join(w, "") != "ok\n" {
		t.Errorf("%q, %v", w, err)
	}
}
