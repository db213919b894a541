package invariants_test

import (
	"bytes"
	"testing"

	"github.com/wireplane/wireplane/internal/invariants"
)

func TestCheckPanicsOnlyWhereEnabled(t *testing.T) {
	defer func() {
		if got := recover() != nil; got != invariants.Enabled {
			t.Errorf("panicked = %v, enabled = %v", got, invariants.Enabled)
		}
	}()
	invariants.Check(true, "never")
	invariants.Check(false, "stream %d", 7)
}

func TestPoisonOverwritesOnlyWhereEnabled(t *testing.T) {
	for n := range 70 {
		b, want := make([]byte, n), make([]byte, n)
		if invariants.Enabled {
			want = bytes.Repeat([]byte{invariants.PoisonByte}, n)
		}
		if invariants.Poison(b); !bytes.Equal(b, want) {
			t.Errorf("%d bytes: got %x, want %x", n, b, want)
		}
	}
}
