package pool_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/pool"
)

func TestIdleValueTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, func(c *config) { c.IdleTimeout = 10 * time.Second })
		take(t, p, "a").Release()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if tg.closes.Load() != 0 {
			t.Error("closed too early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := p.Stat(); tg.closes.Load() != 1 || s.Keys != 0 || s.Closed != 1 {
			t.Errorf("%d closed: %+v", tg.closes.Load(), s)
		}
		finish(t, p)
	})
}

func TestValuesBornTogetherDoNotDieTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, mean = 1000, 80 * time.Second
		tg := &target{}
		p := open(t, tg, func(c *config) {
			c.MaxPerKey, c.MaxLifetime, c.IdleTimeout = n, mean, time.Hour
		})
		start := time.Now()
		var held []*pool.Lease[*conn]
		for range n {
			held = append(held, take(t, p, "a"))
		}
		for _, l := range held {
			l.Release()
		}
		time.Sleep(2 * mean)
		synctest.Wait()
		perSecond := map[int]int{}
		for _, at := range tg.closedAt {
			age := at.Sub(start)
			if age < mean*3/4 || age > mean*5/4+time.Second {
				t.Errorf("closed at the age of %v", age)
			}
			perSecond[int(age/time.Second)]++
		}
		for s, k := range perSecond {
			if k > 2*n/40 { // the spread is 40 s wide
				t.Errorf("second %d: %d closed, want at most %d", s, k, 2*n/40)
			}
		}
		if tg.closes.Load() != n {
			t.Errorf("%d of %d closed", tg.closes.Load(), n)
		}
		finish(t, p)
	})
}

func TestBusyValueOutlivesItsLifetimeUntilItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, func(c *config) { c.MaxLifetime = time.Minute })
		l := take(t, p, "a")
		time.Sleep(time.Hour)
		if l.Value().closed.Load() != 0 {
			t.Error("closed under its holder")
		}
		l.Release()
		if tg.closes.Load() != 1 {
			t.Error("an expired value was kept")
		}
		finish(t, p)
	})
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &target{}, func(c *config) { c.MaxPerKey = 1 })
		first := take(t, p, "a")
		var order []int
		for i := range 20 {
			go func() {
				l, err := p.Acquire(context.Background(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				l.Release()
			}()
			synctest.Wait()
		}
		first.Release()
		synctest.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("served in the order %v", order)
			}
		}
		if len(order) != 20 {
			t.Errorf("%d of 20 served", len(order))
		}
		finish(t, p)
	})
}

func TestTenThousandCallersOfAColdKey(t *testing.T) {
	for name, dialErr := range map[string]error{"that answers": nil, "that is dead": errors.New("refused")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tg := &target{takes: 20 * time.Millisecond, err: dialErr}
				p := open(t, tg, nil)
				const deadline = 2 * time.Second
				var served, told atomic.Int64
				var wg sync.WaitGroup
				start := time.Now()
				for range 10_000 {
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), deadline)
						defer cancel()
						l, err := p.Acquire(ctx, "a")
						if late := time.Since(start) - deadline; late > 5*time.Millisecond {
							t.Errorf("answered %v after the deadline", late)
						}
						if err != nil {
							told.Add(1)
							return
						}
						time.Sleep(time.Millisecond)
						l.Release()
						served.Add(1)
					})
				}
				wg.Wait()
				if most := tg.mostInFlight.Load(); most > 50 {
					t.Errorf("%d dials in flight, want at most 50", most)
				}
				if dialErr == nil && served.Load() != 10_000 || dialErr != nil && told.Load() != 10_000 {
					t.Errorf("%d served, %d told", served.Load(), told.Load())
				}
				if took := time.Since(start); dialErr != nil && (took > 20*time.Millisecond || tg.dials.Load() > 50) {
					t.Errorf("a dead target: told after %v and %d dials, want one round of 20ms", took, tg.dials.Load())
				}
				finish(t, p)
			})
		})
	}
}

func TestDialBudgetIsSharedByKeysInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{takes: time.Second}
		p := open(t, tg, func(c *config) { c.MaxDials, c.MaxPerKey = 2, 10 })
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { take(t, p, "greedy").Destroy(nil) })
		}
		synctest.Wait()
		start := time.Now()
		wg.Go(func() {
			take(t, p, "modest").Destroy(nil)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("the modest key waited %v for its turn", took)
			}
		})
		wg.Wait()
		if tg.mostInFlight.Load() != 2 {
			t.Errorf("%d dials in flight", tg.mostInFlight.Load())
		}
		finish(t, p)
	})
}

func TestCallerThatGivesUpLeavesItsDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{takes: time.Second}
		p := open(t, tg, nil)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_, err := p.Acquire(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a dial") {
			t.Errorf("got %v", err)
		}
		time.Sleep(2 * time.Second)
		l := take(t, p, "a")
		if tg.dials.Load() != 1 || !l.Reused() {
			t.Errorf("%d dials, reused %v", tg.dials.Load(), l.Reused())
		}
		l.Release()
		finish(t, p)
	})
}

func TestContextEndsAnAcquireInEachState(t *testing.T) {
	for what, set := range map[string]struct {
		wants string
		cfg   func(*config)
		held  string // a key whose only value is busy
	}{
		"dialing":                {"a dial", nil, ""},
		"waiting for a turn":     {"a turn to dial", func(c *config) { c.MaxDials = 1 }, ""},
		"waiting for a release":  {"a release", func(c *config) { c.MaxPerKey = 1 }, "a"},
		"before it came to wait": {"anything", nil, ""},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tg := &target{}
				p := open(t, tg, set.cfg)
				var l *pool.Lease[*conn]
				if set.held != "" {
					l = take(t, p, set.held)
				}
				tg.takes = time.Second
				if set.wants == "a turn to dial" {
					go func() { _ = p.Warm(context.Background(), "other") }()
					synctest.Wait()
				}
				cause := errors.New("the user left")
				ctx, cancel := context.WithCancelCause(context.Background())
				if set.wants == "anything" {
					cancel(cause)
				} else {
					time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
				}
				_, err := p.Acquire(ctx, "a")
				if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) || !strings.Contains(err.Error(), set.wants) {
					t.Errorf("got %v, want one about %q", err, set.wants)
				}
				if l != nil {
					l.Release()
				}
				time.Sleep(2 * time.Second)
				finish(t, p)
			})
		})
	}
}

func TestFailedCheckTriesTheNextValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		failed := 0
		p := open(t, tg, func(c *config) {
			c.Check = func(_ context.Context, v *conn) error {
				if v.broken.Load() {
					return net.ErrClosed
				}
				return nil
			}
			c.Observer.CheckFailed = func(string, error) { failed++ }
		})
		a, b := take(t, p, "a"), take(t, p, "a")
		b.Value().broken.Store(true)
		a.Release()
		b.Release()
		l := take(t, p, "a")
		if l.Value().nr != 2 {
			t.Error("a value was checked though it was used just before")
		}
		l.Release()
		time.Sleep(2 * time.Second)
		l = take(t, p, "a")
		if l.Value().nr != 1 || failed != 1 {
			t.Errorf("got value %d after %d failed checks", l.Value().nr, failed)
		}
		l.Release()
		finish(t, p)
	})
}

func TestCloseServesWaitersAndClosesBusyOnRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, func(c *config) { c.MaxPerKey = 1 })
		l := take(t, p, "a")
		got := make(chan error, 1)
		go func() { _, err := p.Acquire(context.Background(), "a"); got <- err }()
		synctest.Wait()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, pool.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("the waiter got %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 busy") {
			t.Errorf("Shutdown with a busy value: %v", err)
		}
		l.Release()
		if tg.closes.Load() != 1 {
			t.Error("not closed on release")
		}
		finish(t, p)
	})
}

func TestLeakReportNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		p := open(t, &target{}, func(c *config) {
			c.LeakAfter = time.Minute
			c.OnLeak = func(key string, held time.Duration, stack []byte) {
				reports = append(reports, key+" "+held.String()+"\n"+string(stack))
			}
		})
		forgotten := forgetful(t, p)
		take(t, p, "b").Release()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(reports) != 1 || !strings.HasPrefix(reports[0], "a 1m0s\n") || !strings.Contains(reports[0], "pool_test.forgetful") {
			t.Errorf("reports: %q", reports)
		}
		forgotten.Release()
		finish(t, p)
	})
}

//go:noinline
func forgetful(t *testing.T, p *pool.Pool[string, *conn]) *pool.Lease[*conn] { return take(t, p, "a") }

func TestWarmKeepsMinIdleWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &target{takes: time.Millisecond}, func(c *config) { c.MinIdle, c.IdleTimeout = 3, time.Minute })
		if err := p.Warm(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		l := take(t, p, "a")
		time.Sleep(10 * time.Millisecond)
		if k, _ := p.StatOf("a"); k.Idle != 3 || k.Busy != 1 {
			t.Errorf("in use: %+v", k)
		}
		l.Release()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if s := p.Stat(); s.Keys != 0 {
			t.Errorf("a key that nobody uses: %+v", s)
		}
		finish(t, p)
	})
}

func TestBoundsFailAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, func(c *config) { c.MaxPerKey, c.MaxWaiters, c.MaxKeys = 1, 1, 2 })
		a := take(t, p, "a")
		go func() { take(t, p, "a").Release() }()
		synctest.Wait()
		if _, err := p.Acquire(context.Background(), "a"); !errors.Is(err, pool.ErrExhausted) {
			t.Errorf("a second waiter: %v", err)
		}
		take(t, p, "b").Release()
		c := take(t, p, "c") // in the place of b
		synctest.Wait()
		if tg.closes.Load() != 1 {
			t.Error("the idle key was not evicted")
		}
		if _, err := p.Acquire(context.Background(), "d"); !errors.Is(err, pool.ErrExhausted) {
			t.Errorf("a key too many: %v", err)
		}
		a.Release()
		c.Release()
		synctest.Wait()
		finish(t, p)
	})
}

func TestStaleLeaseDoesNotHitTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, &target{}, nil)
		stale := take(t, p, "a")
		stale.Release()
		l := take(t, p, "a")
		func() {
			defer func() {
				if got := recover() != nil; got != invariants.Enabled {
					t.Errorf("panicked: %v", got)
				}
			}()
			stale.Destroy(nil)
		}()
		if k, _ := p.StatOf("a"); k.Busy != 1 || l.Value().closed.Load() != 0 {
			t.Errorf("the next lease was hit: %+v", k)
		}
		l.Release()
		finish(t, p)
	})
}

func TestEvictRetiresBusyAndIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := &target{}
		p := open(t, tg, nil)
		a, b := take(t, p, "a"), take(t, p, "a")
		a.Release()
		p.Evict("a")
		if tg.closes.Load() != 1 {
			t.Error("the idle value was not closed")
		}
		b.Release()
		if tg.closes.Load() != 2 {
			t.Error("the busy value was not closed when it came back")
		}
		finish(t, p)
	})
}

func TestValidateReportsEveryMistake(t *testing.T) {
	err := config{MaxPerKey: -1, MinIdle: 9, MaxIdlePerKey: 3, DialTimeout: -1}.Validate()
	for _, want := range []string{"Dial is nil", "Close is nil", "MaxPerKey is -1", "MinIdle is 9", "DialTimeout is -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: lacks %q", err, want)
		}
	}
}

func TestAllocsOfAWarmPool(t *testing.T) {
	p := open(t, &target{}, nil)
	ctx := context.Background()
	testenv.Allocs(t, 0, func() {
		l, err := p.Acquire(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		l.Release()
	})
	finish(t, p)
}

func BenchmarkAcquireRelease(b *testing.B) {
	p := open(b, &target{}, nil)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		l, err := p.Acquire(ctx, "a")
		if err != nil {
			b.Fatal(err)
		}
		l.Release()
	}
	finish(b, p)
}
