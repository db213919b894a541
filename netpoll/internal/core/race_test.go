package core_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// sink is a connection whose transport takes everything, for tests with real goroutines. Posted flushes run on a
// goroutine of their own.
type sink struct {
	conn  core.Conn
	sh    core.Shared
	sent  atomic.Int64
	shut  chan bool
	posts sync.WaitGroup
}

func (*sink) Opened()                    {}
func (*sink) Data(b []byte) (int, error) { return len(b), nil }
func (*sink) Output() []byte             { return nil }
func (*sink) Drained()                   {}
func (*sink) Closed(error)               {}
func (*sink) Stalled()                   {}
func (*sink) Unacked() int               { return 0 }
func (s *sink) Shut(flushed bool)        { s.shut <- flushed }
func (s *sink) Kick()                    { s.posts.Go(s.conn.RunDue) }
func (s *sink) WriteSome(p []byte) (int, error) {
	s.sent.Add(int64(len(p)))
	return len(p), nil
}

func (s *sink) Arm() error {
	s.posts.Go(s.conn.Resume)
	return nil
}

// TestDrainLosesNothingWhateverFlushItMeets has flushes end on other goroutines while the last bytes are queued and the
// drain begins.
func TestDrainLosesNothingWhateverFlushItMeets(t *testing.T) {
	const rounds = 10_000
	for round := range rounds {
		s := &sink{shut: make(chan bool, 1)}
		s.sh.Limits = limits
		s.conn.Init(s, &s.sh)
		s.conn.Bind(s, true)
		s.conn.Opened()
		s.conn.RunDue()
		var flushers sync.WaitGroup
		var stop atomic.Bool
		flushers.Go(func() {
			for !stop.Load() {
				s.conn.FlushNow()
				runtime.Gosched()
			}
		})
		total := int64(0)
		for i := range 1 + round%7 {
			if err := s.conn.Write(make([]byte, 10+i)); err != nil {
				t.Fatal(err)
			}
			total += int64(10 + i)
		}
		s.conn.Drain(nil)
		flushed := <-s.shut
		stop.Store(true)
		flushers.Wait()
		s.posts.Wait()
		if n := s.sent.Load(); !flushed || n != total {
			t.Fatalf("round %d: closed after %d of %d bytes, flushed %v", round, n, total, flushed)
		}
		s.conn.Finish(nil)
	}
}
