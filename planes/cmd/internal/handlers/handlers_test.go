package handlers_test

import (
	"context"
	"errors"
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
	if w, err := run(t.Context(), "a\nb", "cat"); err != nil || strings.Join(w, "|") != "a|b" {
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
