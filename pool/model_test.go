package pool_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/internal/invariants"
	"github.com/wireplane/wireplane/pool"
)

var seeds = flag.Int("pool.seeds", 2000, "schedules of the simulation")

// chooser decides what a schedule does next: a random source or a fuzz input.
type chooser interface {
	pick(n int) int // in [0, n)
	more() bool
}

type randomChooser struct {
	r    *rand.Rand
	left int
}

func (c *randomChooser) pick(n int) int { return c.r.IntN(n) }
func (c *randomChooser) more() bool     { c.left--; return c.left >= 0 }

type byteChooser struct{ b []byte }

func (c *byteChooser) more() bool { return len(c.b) > 0 }
func (c *byteChooser) pick(n int) int {
	if len(c.b) == 0 {
		return 0
	}
	v := int(c.b[0])
	c.b = c.b[1:]
	return v % n
}

// call is an Acquire or Warm of the schedule.
type call struct {
	id     int
	key    int
	warm   bool
	cancel context.CancelFunc
	ended  bool // its context was
	done   chan struct{}
	lease  *pool.Lease[*simConn]
	err    error
}

type simConn struct {
	key     int
	bad     bool // the next check fails
	leased  bool
	closing bool
	gone    bool
}

// simDial is a dial that waits for the schedule to decide about it.
type simDial struct {
	key    int
	result chan error
}

// simClose is a Close that waits for the schedule.
type simClose struct {
	c    *simConn
	done chan struct{}
}

// world knows from the calls of the pool's functions alone how many values there
// are in which state.
type world struct {
	mu    sync.Mutex // of dials, ends, conns and the counts, while a step runs
	cfg   pool.Config[int, *simConn]
	p     *pool.Pool[int, *simConn]
	dials []*simDial  // in flight
	ends  []*simClose // in flight
	conns []*simConn  // dialled and not closed
	calls []*call     // waiting, in order of arrival
	held  []*call
	stale []*call // released

	opened, closed uint64
	blockClose     bool
	nextID         int
	shut           bool
	step           int
}

var errRefused = errors.New("refused")

func newWorld(t testing.TB, c chooser) *world {
	w := &world{}
	w.cfg = pool.Config[int, *simConn]{
		Dial: w.dial, Close: w.close,
		MaxPerKey: 1 + c.pick(4), MaxDials: 1 + c.pick(4), MaxWaiters: 1 + c.pick(8), MaxKeys: 2 + c.pick(3),
		IdleTimeout: 10 * time.Second, MaxLifetime: 30 * time.Second, DialTimeout: 5 * time.Second,
		FIFO: c.pick(2) == 1,
	}
	w.cfg.MaxIdlePerKey = 1 + c.pick(w.cfg.MaxPerKey)
	w.cfg.MinIdle = c.pick(w.cfg.MaxIdlePerKey + 1)
	if c.pick(2) == 1 {
		w.cfg.Check, w.cfg.CheckAfter = w.check, -1
	}
	w.blockClose = c.pick(2) == 1
	p, err := pool.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.p = p
	return w
}

func (w *world) dial(ctx context.Context, key int) (*simConn, error) {
	d := &simDial{key: key, result: make(chan error)}
	w.mu.Lock()
	w.dials = append(w.dials, d)
	w.opened++
	w.mu.Unlock()
	var err error
	select {
	case err = <-d.result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = slices.DeleteFunc(w.dials, func(o *simDial) bool { return o == d })
	if err != nil {
		w.closed++
		return nil, err
	}
	c := &simConn{key: key}
	w.conns = append(w.conns, c)
	return c, nil
}

func (w *world) close(c *simConn) {
	w.mu.Lock()
	if c.closing || c.leased {
		w.mu.Unlock()
		panic(fmt.Sprintf("step %d: Close of a value that is closing (%v) or leased (%v)", w.step, c.closing, c.leased))
	}
	c.closing = true
	e := &simClose{c: c, done: make(chan struct{})}
	block := w.blockClose
	if block {
		w.ends = append(w.ends, e)
	}
	w.mu.Unlock()
	if block {
		<-e.done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.gone = true
	w.closed++
	w.conns = slices.DeleteFunc(w.conns, func(o *simConn) bool { return o == c })
}

func (w *world) check(_ context.Context, c *simConn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.bad {
		return errors.New("stale")
	}
	return nil
}

// do runs one step and lets everything that it causes happen.
func (w *world) do(c chooser) {
	w.step++
	switch op := c.pick(16); op {
	case 0, 1, 2, 3:
		w.start(c.pick(4), false)
	case 4:
		if c.pick(3) == 0 {
			w.start(c.pick(4), true)
		}
	case 5, 6, 7:
		w.endDial(c, nil)
	case 8:
		w.endDial(c, errRefused)
	case 9, 10:
		w.giveBack(c, false)
	case 11:
		w.giveBack(c, c.pick(2) == 0)
	case 12:
		if len(w.calls) > 0 {
			o := w.calls[c.pick(len(w.calls))]
			o.ended = true
			o.cancel()
		}
	case 13:
		time.Sleep([]time.Duration{time.Millisecond, time.Second, 4 * time.Second, 11 * time.Second}[c.pick(4)])
	case 14:
		w.endClose(c)
		w.mu.Lock()
		if len(w.conns) > 0 && c.pick(2) == 0 {
			w.conns[c.pick(len(w.conns))].bad = true
		}
		w.mu.Unlock()
	case 15:
		w.rare(c)
	}
}

func (w *world) rare(c chooser) {
	switch c.pick(3) {
	case 0:
		key := c.pick(4)
		go w.p.Evict(key) // it may wait for a Close
	case 1: // a lease that is over must not hit the next one
		if len(w.stale) > 0 && !invariants.Enabled {
			l := w.stale[c.pick(len(w.stale))].lease
			if c.pick(2) == 0 {
				l.Release()
			} else {
				l.Destroy(nil)
			}
		}
	case 2:
		w.endClose(c)
	}
}

func (w *world) start(key int, warm bool) {
	ctx, cancel := context.WithCancel(context.Background())
	w.nextID++
	o := &call{id: w.nextID, key: key, warm: warm, cancel: cancel, done: make(chan struct{})}
	w.calls = append(w.calls, o)
	go func() {
		defer close(o.done)
		if warm {
			o.err = w.p.Warm(ctx, key)
			return
		}
		o.lease, o.err = w.p.Acquire(ctx, key)
	}()
}

func (w *world) endDial(c chooser, err error) {
	w.mu.Lock()
	var d *simDial
	if len(w.dials) > 0 {
		d = w.dials[c.pick(len(w.dials))]
	}
	w.mu.Unlock()
	if d != nil {
		d.result <- err
	}
}

func (w *world) endClose(c chooser) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ends) > 0 {
		i := c.pick(len(w.ends))
		close(w.ends[i].done)
		w.ends = slices.Delete(w.ends, i, i+1)
	}
}

func (w *world) giveBack(c chooser, destroy bool) {
	if len(w.held) == 0 {
		return
	}
	i := c.pick(len(w.held))
	o := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	w.stale = append(w.stale, o)
	w.mu.Lock()
	o.lease.Value().leased = false
	w.mu.Unlock()
	go func() { // it may wait for a Close
		if destroy {
			o.lease.Destroy(errRefused)
		} else {
			o.lease.Release()
		}
	}()
}

// observe takes in what the step caused, and says what is wrong with it.
func (w *world) observe() error {
	stat, keys := w.p.Stat(), w.perKey()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.collect(); err != nil {
		return err
	}
	return w.compare(stat, keys)
}

func (w *world) perKey() map[int]pool.KeyStat {
	m := map[int]pool.KeyStat{}
	w.p.Each(func(k int, s pool.KeyStat) { m[k] = s })
	return m
}

// collect ends the calls that returned. Those of a key return in the order they
// came, except for those whose context ended or that found a bound.
func (w *world) collect() error {
	waiting := map[int]int{} // key: id of the first that still waits
	var left []*call
	for _, o := range w.calls {
		select {
		case <-o.done:
		default:
			left = append(left, o)
			if !o.warm && waiting[o.key] == 0 {
				waiting[o.key] = o.id
			}
			continue
		}
		first := waiting[o.key]
		switch {
		case o.err == nil && o.warm:
		case o.err == nil:
			c := o.lease.Value()
			if c.leased || c.closing || c.key != o.key {
				return fmt.Errorf("call %d got a value that is leased (%v), closing (%v) or of key %d", o.id, c.leased, c.closing, c.key)
			}
			if first != 0 {
				return fmt.Errorf("call %d was served before %d", o.id, first)
			}
			c.leased = true
			w.held = append(w.held, o)
		case errors.Is(o.err, pool.ErrExhausted), o.ended && errors.Is(o.err, context.Canceled), w.shut && errors.Is(o.err, pool.ErrClosed):
		case errors.Is(o.err, errRefused), errors.Is(o.err, context.DeadlineExceeded):
			if first != 0 && !o.warm {
				return fmt.Errorf("call %d was failed before %d", o.id, first)
			}
		default:
			return fmt.Errorf("call %d: %w", o.id, o.err)
		}
		o.cancel()
	}
	for _, o := range left {
		if o.ended || w.shut {
			return fmt.Errorf("call %d still waits", o.id)
		}
	}
	w.calls = left
	return nil
}

// compare holds the pool's figures against the world.
func (w *world) compare(s pool.Stat, keys map[int]pool.KeyStat) error {
	want := pool.Counts{Opened: w.opened, Dialing: uint64(len(w.dials)), Busy: uint64(len(w.held)), Closed: w.closed}
	per := map[int]*pool.Counts{}
	at := func(key int) *pool.Counts {
		if per[key] == nil {
			per[key] = new(pool.Counts)
		}
		return per[key]
	}
	for _, d := range w.dials {
		at(d.key).Dialing++
	}
	for _, c := range w.conns {
		switch {
		case c.closing:
			want.Closing++
			at(c.key).Closing++
		case c.leased:
			at(c.key).Busy++
		default:
			want.Idle++
			at(c.key).Idle++
		}
	}
	if err := sums(s.Counts); err != nil {
		return err
	}
	if w.queuedCloses() == 0 && s.Counts != want {
		return fmt.Errorf("total is %+v, want %+v", s.Counts, want)
	}
	if s.Opened != want.Opened || s.Dialing != want.Dialing || s.Busy != want.Busy || s.Closed != want.Closed ||
		s.Idle+s.Closing != want.Idle+want.Closing {
		return fmt.Errorf("total is %+v, want %+v", s.Counts, want)
	}
	if s.Waiting != len(w.calls) || s.Keys != len(keys) || s.Keys > w.cfg.MaxKeys || s.Dialing > uint64(w.cfg.MaxDials) {
		return fmt.Errorf("%d wait, %d keys: %+v", len(w.calls), len(keys), s)
	}
	wait, warms := map[int]int{}, map[int]int{}
	for _, o := range w.calls {
		wait[o.key]++
		if o.warm {
			warms[o.key]++
		}
	}
	for key := range 4 {
		k := keys[key]
		if err := w.compareKey(k, *at(key), wait[key], warms[key], s); err != nil {
			return fmt.Errorf("key %d: %w", key, err)
		}
	}
	return nil
}

func (w *world) compareKey(k pool.KeyStat, want pool.Counts, wait, warms int, s pool.Stat) error {
	if err := sums(k.Counts); err != nil {
		return err
	}
	live := int(k.Idle + k.Busy + k.Dialing + k.Closing)
	switch {
	case k.Dialing != want.Dialing || k.Busy != want.Busy || k.Idle > want.Idle || k.Closing > want.Idle+want.Closing:
		return fmt.Errorf("%+v, want %+v", k.Counts, want)
	case live > w.cfg.MaxPerKey || int(k.Idle) > w.cfg.MaxIdlePerKey:
		return fmt.Errorf("above its bounds: %+v", k.Counts)
	case k.Waiting != wait || wait > w.cfg.MaxWaiters:
		return fmt.Errorf("%d wait, it says %d", wait, k.Waiting)
	case wait == 0:
		return nil
	}
	if k.Dialing == 0 && live < w.cfg.MaxPerKey && s.Dialing < uint64(w.cfg.MaxDials) {
		return fmt.Errorf("%d wait for nothing: %+v", wait, k.Counts)
	}
	if acquires := wait - warms; acquires > 0 && k.Idle > 0 {
		return fmt.Errorf("%d wait beside an idle value: %+v", acquires, k.Counts)
	}
	return nil
}

// queuedCloses is how many values wait behind a Close that blocks.
func (w *world) queuedCloses() int { return len(w.ends) }

func sums(c pool.Counts) error {
	if c.Opened != c.Dialing+c.Idle+c.Busy+c.Closing+c.Closed {
		return fmt.Errorf("opened is not the sum of the states: %+v", c)
	}
	return nil
}

// run plays one schedule to its end and returns the first thing that was wrong.
func run(t testing.TB, c chooser) (err error) {
	w := newWorld(t, c)
	for err == nil && c.more() {
		w.do(c)
		synctest.Wait()
		if err = w.observe(); err != nil {
			err = fmt.Errorf("step %d: %w", w.step, err)
		}
	}
	if e := w.finish(); err == nil {
		err = e
	}
	return err
}

// finish gives everything back and shuts down.
func (w *world) finish() error {
	w.mu.Lock()
	w.blockClose, w.shut = false, true
	w.mu.Unlock()
	for len(w.ends) > 0 {
		w.endClose(&byteChooser{})
		synctest.Wait()
	}
	_ = w.p.Close()
	synctest.Wait()
	err := w.collect()
	for len(w.held) > 0 {
		w.giveBack(&byteChooser{}, false)
		synctest.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if e := w.p.Shutdown(ctx); err == nil && e != nil {
		err = e
	}
	synctest.Wait()
	if err == nil {
		err = w.compare(w.p.Stat(), w.perKey())
	}
	if s := w.p.Stat(); err == nil && (s.Opened != s.Closed || s.Keys != 0 || len(w.conns) != 0) {
		err = fmt.Errorf("something is left: %+v", s)
	}
	for _, o := range w.calls {
		o.cancel()
	}
	return err
}

func TestEveryScheduleKeepsTheBooks(t *testing.T) {
	for seed := range uint64(*seeds) {
		synctest.Test(t, func(t *testing.T) {
			if err := run(t, &randomChooser{rand.New(rand.NewPCG(seed, 7)), 60}); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
		if t.Failed() {
			return
		}
	}
}

func FuzzScheduleKeepsTheBooks(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 9))
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		program = program[:min(len(program), 600)]
		synctest.Test(t, func(t *testing.T) {
			if err := run(t, &byteChooser{program}); err != nil {
				t.Error(err)
			}
		})
	})
}

// The model is worth something only if it sees each figure that is wrong.
func TestModelSeesEveryWrongFigure(t *testing.T) {
	for name, spoil := range map[string]func(*pool.Stat){
		"an idle value too many": func(s *pool.Stat) { s.Idle++; s.Opened++ },
		"a leaked busy value":    func(s *pool.Stat) { s.Busy++; s.Idle-- },
		"a dial not counted":     func(s *pool.Stat) { s.Opened--; s.Closed-- },
		"a broken sum":           func(s *pool.Stat) { s.Opened++ },
		"a lost waiter":          func(s *pool.Stat) { s.Waiting++ },
		"a key too many":         func(s *pool.Stat) { s.Keys++ },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &byteChooser{})
				w.start(1, false)
				synctest.Wait()
				w.endDial(&byteChooser{}, nil)
				synctest.Wait()
				if err := w.observe(); err != nil {
					t.Fatal(err)
				}
				w.giveBack(&byteChooser{}, false)
				synctest.Wait()
				s := w.p.Stat()
				if err := w.compare(s, w.perKey()); err != nil {
					t.Fatal(err)
				}
				if spoil(&s); w.compare(s, w.perKey()) == nil {
					t.Error("went unnoticed")
				}
				if err := w.finish(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
