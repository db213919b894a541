package testenv_test

import (
	"io"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// spy records whether a gate failed, so that the gates themselves are tested. Its
// figures mean nothing to anybody and are not shown.
type spy struct {
	testing.TB
	failed bool
}

func (s *spy) Errorf(string, ...any) { s.failed = true }

func (s *spy) Logf(string, ...any) {}

var sink any

func TestAllocsGate(t *testing.T) {
	for _, c := range []struct {
		name string
		want float64
		f    func()
		fail bool
	}{
		{"nothing allocated", 0, func() {}, false},
		{"one allocation where none is allowed", 0, func() { sink = new([64]byte) }, true},
		{"one allocation where one is allowed", 1, func() { sink = new([64]byte) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &spy{TB: t}
			testenv.Allocs(s, c.want, c.f)
			if want := c.fail && !testenv.Race; s.failed != want {
				t.Errorf("failed = %v, want %v", s.failed, want)
			}
		})
	}
}

func TestAllocsGateSeesAFraction(t *testing.T) {
	n := 0
	everyTenth := func() {
		if n++; n%10 == 0 {
			sink = new([64]byte)
		}
	}
	s := &spy{TB: t}
	testenv.Allocs(s, 0, everyTenth)
	if s.failed == testenv.Race {
		t.Errorf("failed = %v under race = %v", s.failed, testenv.Race)
	}
	s = &spy{TB: t}
	if testenv.Allocs(s, 0.1, everyTenth); s.failed {
		t.Error("a tenth failed a gate of a tenth")
	}
}

func TestHeapGates(t *testing.T) {
	keep := func() any { return make([]byte, 1<<20) }
	s := &spy{TB: t}
	testenv.CheckRetained(s, 1, 1<<10, keep)
	if s.failed == testenv.Race {
		t.Error("1 MiB passed a gate of 1 KiB")
	}
	s = &spy{TB: t}
	if testenv.CheckRetained(s, 1, 2<<20, keep); s.failed {
		t.Error("1 MiB failed a gate of 2 MiB")
	}

	s = &spy{TB: t}
	if testenv.CheckHeap(s, 1); !s.failed {
		t.Error("a heap of one byte passed")
	}
	s = &spy{TB: t}
	if testenv.CheckHeap(s, 1<<30); s.failed {
		t.Error("the heap failed a gate of 1 GiB")
	}
}

func TestSizeGate(t *testing.T) {
	s := &spy{TB: t}
	if testenv.CheckSize(s, "pair", 16, 15); !s.failed {
		t.Error("16 bytes passed a limit of 15")
	}
	s = &spy{TB: t}
	if testenv.CheckSize(s, "pair", 16, 16); s.failed {
		t.Error("16 bytes failed a limit of 16")
	}
}

func TestPairIsOneConnection(t *testing.T) {
	client, server := testenv.Pair(t)
	go func() {
		_, _ = client.Write([]byte("ping"))
		_ = client.Close()
	}()
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "ping" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEventuallyReturnsOnceTrue(t *testing.T) {
	n := 0
	testenv.Eventually(t, 10*time.Second, "third look", func() bool { n++; return n == 3 })
	if ctx := testenv.Context(t, time.Hour); ctx.Err() != nil {
		t.Error(ctx.Err())
	}
}
