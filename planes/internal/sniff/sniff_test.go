package sniff_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/sniff"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// plain hides that a connection has a descriptor.
type plain struct{ net.Conn }

func pairs(t *testing.T) map[string][2]net.Conn {
	c1, s1 := testenv.Pair(t)
	c2, s2 := testenv.Pair(t)
	return map[string][2]net.Conn{"kernel": {c1, s1}, "portable": {c2, plain{s2}}}
}

func TestPeekedBytesAreReadAgain(t *testing.T) {
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			go func() {
				_, _ = p[0].Write([]byte("a"))
				runtime.Gosched() // the second piece may come while Peek waits
				_, _ = p[0].Write([]byte("bcdef"))
				_ = p[0].Close()
			}()
			b, nc, err := sniff.Peek(testenv.Context(t, 5*time.Second), p[1], 3)
			if err != nil || string(b) != "abc" {
				t.Fatalf("%q, %v", b, err)
			}
			all, err := io.ReadAll(nc)
			if err != nil || string(all) != "abcdef" {
				t.Errorf("%q, %v", all, err)
			}
			if name == "kernel" && nc != p[1] {
				t.Error("another connection is returned though the bytes stayed in the kernel")
			}
		})
	}
}

func TestPeekEndsWithItsContextAndTheConnectionGoesOn(t *testing.T) {
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			ctx := testenv.Context(t, 20*time.Millisecond)
			if b, _, err := sniff.Peek(ctx, p[1], 1); !errors.Is(err, context.DeadlineExceeded) || len(b) > 0 {
				t.Fatalf("%q, %v", b, err)
			}
			if _, _, err := sniff.Peek(ctx, p[1], 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			_, _ = p[0].Write([]byte("x"))
			if b, _, err := sniff.Peek(testenv.Context(t, 5*time.Second), p[1], 1); err != nil || string(b) != "x" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

func TestPeekTellsOfAPeerThatClosed(t *testing.T) {
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			_ = p[0].Close()
			if _, _, err := sniff.Peek(testenv.Context(t, 5*time.Second), p[1], 1); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}

func TestPeekRefusesSizesBeyondItsBound(t *testing.T) {
	_, s := testenv.Pair(t)
	for _, n := range []int{-1, 0, sniff.Max + 1} {
		if _, _, err := sniff.Peek(t.Context(), s, n); err == nil {
			t.Errorf("%d bytes are accepted", n)
		}
	}
}
