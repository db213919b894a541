package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/pool"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// conn is what the tests pool.
type conn struct {
	key    string
	nr     int64
	born   time.Time
	closed atomic.Int32
	broken atomic.Bool
}

// target is the far end of every key.
type target struct {
	dials, inFlight, mostInFlight, closes atomic.Int64
	takes                                 time.Duration // of a dial
	err                                   error         // of a dial
	mu                                    sync.Mutex
	closedAt                              []time.Time
}

func (tg *target) dial(ctx context.Context, key string) (*conn, error) {
	nr := tg.dials.Add(1)
	now := tg.inFlight.Add(1)
	defer tg.inFlight.Add(-1)
	for most := tg.mostInFlight.Load(); now > most && !tg.mostInFlight.CompareAndSwap(most, now); most = tg.mostInFlight.Load() {
	}
	select {
	case <-time.After(tg.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if tg.err != nil {
		return nil, tg.err
	}
	return &conn{key: key, nr: nr, born: time.Now()}, nil
}

func (tg *target) close(c *conn) {
	if c.closed.Add(1) != 1 {
		panic(fmt.Sprintf("value %d closed twice", c.nr))
	}
	tg.closes.Add(1)
	tg.mu.Lock()
	tg.closedAt = append(tg.closedAt, time.Now())
	tg.mu.Unlock()
}

type config = pool.Config[string, *conn]

// open returns a pool on tg, which set may change, and is shut down at the end.
func open(t testing.TB, tg *target, set func(*config)) *pool.Pool[string, *conn] {
	t.Helper()
	c := config{Dial: tg.dial, Close: tg.close}
	if set != nil {
		set(&c)
	}
	p, err := pool.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// finish ends a pool whose leases are all back and looks at the books.
func finish(t testing.TB, p *pool.Pool[string, *conn]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := p.Stat(); s.Opened != s.Closed || s.Keys != 0 || s.Waiting != 0 {
		t.Errorf("after Shutdown: %+v", s)
	}
}

func take(t testing.TB, p *pool.Pool[string, *conn], key string) *pool.Lease[*conn] {
	t.Helper()
	l, err := p.Acquire(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReleasedValueIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, nil)
		for i := range 100 {
			l := take(t, p, "a")
			if l.Reused() != (i > 0) || l.Value().nr != 1 {
				t.Fatalf("lease %d: reused %v, value %d", i, l.Reused(), l.Value().nr)
			}
			l.Release()
		}
		if s := p.Stat(); s.Opened != 1 || s.Idle != 1 || s.Reused != 99 || s.Acquired != 100 {
			t.Errorf("%+v", s)
		}
		finish(t, p)
	})
}

func TestDestroyedValueIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, nil)
		l := take(t, p, "a")
		l.Destroy(errors.New("broken"))
		if tg.closes.Load() != 1 {
			t.Error("not closed")
		}
		if _, ok := p.StatOf("a"); ok {
			t.Error("a key without values is tracked")
		}
		l = take(t, p, "a")
		if l.Reused() || l.Value().nr != 2 {
			t.Error("destroyed value came back")
		}
		l.Release()
		finish(t, p)
	})
}

func TestOrderOfReuse(t *testing.T) {
	for fifo, want := range map[bool]int64{false: 3, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, &target{}, func(c *config) { c.FIFO = fifo })
			var held []*pool.Lease[*conn]
			for range 3 {
				held = append(held, take(t, p, "a"))
			}
			for _, l := range held {
				l.Release()
			}
			l := take(t, p, "a")
			if got := l.Value().nr; got != want {
				t.Errorf("FIFO %v: got value %d, want %d", fifo, got, want)
			}
			l.Release()
			finish(t, p)
		})
	}
}
