package discovery_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/testenv"
)

const demoPath = "hello_world/backend/generate"

func newCache(t *testing.T, s discovery.Store, c discovery.CacheConfig) *discovery.Cache {
	t.Helper()
	k, err := discovery.NewCache(s, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if err := k.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

// A lookup among 1,000 instances costs no memory.
func TestLookupAllocs(t *testing.T) {
	s := discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})
	defer s.Close() //nolint:errcheck // always nil
	for n := range 1000 {
		if _, err := s.Register(t.Context(), demo(uint64(n)+1)); err != nil {
			t.Fatal(err)
		}
	}
	k := newCache(t, s, discovery.CacheConfig{})
	path := demoPath
	if n := len(k.Lookup(path)); n != 1000 {
		t.Fatalf("%d instances", n)
	}
	testenv.Allocs(t, 0, func() { k.Lookup(path) })
}

// D4: an instance that comes and goes ten times a second is shown a few times and then
// held until the window is over.
func TestAFlappingInstanceIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := discovery.NewMemory().Open(discovery.Config{})
		defer s.Close() //nolint:errcheck // always nil
		k := newCache(t, s, discovery.CacheConfig{})
		defer k.Close() //nolint:errcheck // always nil
		var changes atomic.Int64
		k.OnChange(func(discovery.Change) { changes.Add(1) })
		var last discovery.Registration
		for range 45 {
			i := demo(7)
			i.Epoch = 1
			r, err := s.Register(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			_ = r.Deregister(t.Context())
			time.Sleep(50 * time.Millisecond)
			last = r
		}
		synctest.Wait()
		if changes.Load() > 6 || k.Stat().Damped == 0 {
			t.Errorf("%d changes shown of 90, %d held", changes.Load(), k.Stat().Damped)
		}
		time.Sleep(6 * time.Second)
		if got := k.Lookup(demoPath); len(got) != 0 || last.Err() == nil {
			t.Errorf("after the window: %+v", got)
		}
	})
}

// An instance whose heart has stopped is dropped, one that does not tell stays, and a
// beat brings it back.
func TestHeartbeatDeadInstancesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := discovery.NewMemory()
		silent, beating := m.Open(discovery.Config{Heartbeat: -1}), m.Open(discovery.Config{})
		defer silent.Close()  //nolint:errcheck // always nil
		defer beating.Close() //nolint:errcheck // always nil
		r, err := silent.Register(t.Context(), demo(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := beating.Register(t.Context(), demo(2)); err != nil {
			t.Fatal(err)
		}
		k := newCache(t, beating, discovery.CacheConfig{HeartbeatTimeout: 30 * time.Second})
		defer k.Close() //nolint:errcheck // always nil
		time.Sleep(time.Minute)
		if got := k.Lookup(demoPath); len(got) != 1 || got[0].ID != 2 {
			t.Errorf("after a minute: %+v", got)
		}
		if err := r.Update(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := k.Lookup(demoPath); len(got) != 2 {
			t.Errorf("after a beat: %+v", got)
		}
	})
}
