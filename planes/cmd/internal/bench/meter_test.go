package bench_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
)

func TestOnlyCallsInsideTheWindowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bench.NewMeter(4)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				err := m.Loop(func() (int, error) {
					<-time.After(10 * time.Millisecond)
					return 3, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		<-time.After(995 * time.Millisecond)
		m.Begin()
		<-time.After(time.Second)
		m.Stop()
		m.Begin() // a window opens once
		wg.Wait()
		requests, items, hist := m.Totals()
		if requests != 400 || items != 1200 {
			t.Errorf("%d requests, %d items in a second of 4 x 100 calls", requests, items)
		}
		if got := hist.Quantile(0.5); (got - 10*time.Millisecond).Abs() > 100*time.Microsecond {
			t.Errorf("median %v of calls of 10 ms", got)
		}
		if hist.Count() != 400 {
			t.Errorf("%d samples of few callers", hist.Count())
		}
	})
}

func TestManyCallersSampleTheirLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bench.NewMeter(32)
		m.Begin()
		n := 0
		err := m.Loop(func() (int, error) {
			<-time.After(time.Millisecond)
			if n++; n == 800 {
				m.Stop()
			}
			return 1, nil
		})
		requests, _, hist := m.Totals()
		if err != nil || requests != 800 || hist.Count() != 100 {
			t.Errorf("%v, %d requests, %d samples; want one sample for 8 calls", err, requests, hist.Count())
		}
	})
}

func TestLoopReportsErrorsUntilTheStop(t *testing.T) {
	broken := errors.New("broken")
	m := bench.NewMeter(1)
	if err := m.Loop(func() (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("Loop = %v", err)
	}
	err := m.Loop(func() (int, error) {
		m.Stop()
		return 0, broken
	})
	if err != nil {
		t.Errorf("Loop = %v for an error after the stop", err)
	}
}

func TestWorkerBatches(t *testing.T) {
	m := bench.NewMeter(256)
	w := m.Worker()
	w.Done(5, 5, time.Millisecond)
	m.Begin()
	for range 1000 {
		w.Done(3, 6, time.Millisecond)
	}
	m.Stop()
	w.Done(5, 5, time.Millisecond)
	w.Flush()
	w.Flush()
	if requests, items, hist := m.Totals(); requests != 3000 || items != 6000 || hist.Count() != 3000 {
		t.Errorf("%d requests, %d items, %d samples", requests, items, hist.Count())
	}
}
