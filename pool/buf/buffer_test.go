package buf_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/wireplane/wireplane/internal/invariants"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/pool/buf"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestGetHasRoomOfItsClass(t *testing.T) {
	for _, c := range []struct{ ask, room int }{
		{-1, 256}, {0, 256}, {256, 256}, {257, 512}, {65536, 65536}, {65537, 131072},
		{buf.MaxClassBytes, buf.MaxClassBytes}, {buf.MaxClassBytes + 1, buf.MaxClassBytes + 1},
	} {
		b := buf.Get(c.ask)
		if got := cap(b.Bytes()); got != c.room || b.Len() != 0 {
			t.Errorf("Get(%d): room %d and %d bytes, want room %d and none", c.ask, got, b.Len(), c.room)
		}
		b.Release()
	}
}

func TestAppendKeepsEveryByteAcrossClasses(t *testing.T) {
	b := buf.Get(0)
	defer b.Release()
	var want []byte
	for i := range 3000 {
		piece := bytes.Repeat([]byte{byte(i)}, i)
		b.Append(piece)
		want = append(want, piece...)
	}
	if !bytes.Equal(b.Bytes(), want) || !bytes.Equal(b.Clone(), want) {
		t.Fatal("content differs from what was appended")
	}
	b.Truncate(10)
	if b.Len() != 10 || !bytes.Equal(b.Bytes(), want[:10]) {
		t.Errorf("after Truncate(10): %x", b.Bytes())
	}
}

func TestTruncateDoesNotReachBeyondTheContent(t *testing.T) {
	b := buf.Get(100)
	defer b.Release()
	b.Append([]byte("abc"))
	defer func() {
		if recover() == nil {
			t.Error("Truncate(4) of 3 bytes did not panic")
		}
	}()
	b.Truncate(4)
}

func TestSetTakesWhatAppendMade(t *testing.T) {
	before := buf.Read()
	b := buf.Get(256)
	b.Set(append(b.Bytes(), "in place"...))
	if string(b.Bytes()) != "in place" || buf.Read().LiveBytes-before.LiveBytes != 256 {
		t.Errorf("in place: %q, %+v", b.Bytes(), buf.Read())
	}
	moved := append(b.Bytes(), make([]byte, 300)...)
	b.Set(moved)
	if got := buf.Read().LiveBytes - before.LiveBytes; b.Len() != 308 || got != int64(cap(moved)) {
		t.Errorf("moved: %d bytes held, %d live, want 308 and %d", b.Len(), got, cap(moved))
	}
	b.Release()
	after := buf.Read()
	if after.Live != before.Live || after.LiveBytes != before.LiveBytes {
		t.Errorf("books before %+v, after %+v", before, after)
	}
}

func TestLastReleaseEndsTheLoan(t *testing.T) {
	before := buf.Read()
	b := buf.Get(1000)
	b.Append([]byte("kept"))
	b.Retain().Retain()
	for left := 2; left >= 1; left-- {
		b.Release()
		if b.Refs() != left || string(b.Bytes()) != "kept" {
			t.Fatalf("%d references, %q; want %d", b.Refs(), b.Bytes(), left)
		}
	}
	if s := buf.Read(); s.Live != before.Live+1 || s.LiveBytes != before.LiveBytes+1024 {
		t.Errorf("one buffer is out: before %+v, now %+v", before, s)
	}
	b.Release()
	if s := buf.Read(); s.Live != before.Live || s.Releases != before.Releases+1 {
		t.Errorf("none is out: before %+v, now %+v", before, s)
	}
}

func TestConcurrentHoldersSeeTheirOwnBytes(t *testing.T) {
	before := buf.Read()
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 300 {
				holdOne(t, r, byte(seed))
			}
		})
	}
	wg.Wait()
	if after := buf.Read(); after.Live != before.Live || after.LiveBytes != before.LiveBytes {
		t.Errorf("books before %+v, after %+v", before, after)
	}
}

func holdOne(t *testing.T, r *rand.Rand, mark byte) {
	want := bytes.Repeat([]byte{mark}, r.IntN(5000))
	b := buf.Get(r.IntN(len(want) + 1))
	b.Append(want)
	done := make(chan struct{})
	other := b.Retain()
	go func() {
		defer close(done)
		defer other.Release()
		if !bytes.Equal(other.Bytes(), want) {
			t.Errorf("holder %d sees foreign bytes", mark)
		}
	}()
	b.Release()
	<-done
}

func TestMisuseIsFoundWhereChecksAreOn(t *testing.T) {
	released := func() *buf.Buffer { b := buf.Get(10); b.Release(); return b }
	for name, misuse := range map[string]func(){
		"second release":      func() { released().Release() },
		"retain after it":     func() { released().Retain() },
		"read after release":  func() { released().Bytes() },
		"write after release": writeAfterRelease,
	} {
		t.Run(name, func(t *testing.T) {
			if !invariants.Enabled {
				return // a release build promises nothing here, and the misuse could hurt the other tests
			}
			defer func() {
				if recover() == nil {
					t.Error("went unnoticed")
				}
			}()
			misuse()
		})
	}
}

// writeAfterRelease uses the largest class, which no other test touches, and
// looks until the pool hands out the very memory that was written to: under
// -race a pool drops and reorders some at random.
func writeAfterRelease() {
	for range 100 {
		b := buf.Get(buf.MaxClassBytes)
		stale := append(b.Bytes(), "stale"...)
		b.Release()
		stale[0] = 1
	}
}

func TestReleasedBytesArePoisoned(t *testing.T) {
	b := buf.Get(buf.MinClassBytes)
	b.Append([]byte("secret"))
	stale := b.Bytes()
	b.Release()
	if !invariants.Enabled {
		return // see above
	}
	if want := bytes.Repeat([]byte{invariants.PoisonByte}, 6); !bytes.Equal(stale, want) {
		t.Errorf("stale bytes are %x", stale)
	}
}

func TestAllocsOfAWarmPool(t *testing.T) {
	if invariants.Enabled {
		return // shells are then never used twice; make gates runs without
	}
	payload := make([]byte, 4000)
	testenv.Allocs(t, 0, func() {
		b := buf.Get(100)
		b.Append(payload)
		b.Retain().Release()
		b.Release()
	})
}

func BenchmarkGetAppendRelease(b *testing.B) {
	payload := make([]byte, 1000)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		x := buf.Get(1024)
		x.Append(payload)
		x.Release()
	}
}
