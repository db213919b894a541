package callhome_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
)

type nilError struct{ text *string }

func (e *nilError) Error() string { return *e.text }

// What a handler returns may panic when it is read; the caller is told so, and nothing
// else breaks.
func TestAnErrorThatPanicsWhenItIsReadIsContained(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		for _, begun := range []bool{false, true} {
			r, err := answer(t, l, d, m, func(w planes.StreamWriter) error {
				if begun {
					_ = w.Begin()
				}
				return &nilError{}
			})
			if begun && err == nil {
				_, err = collect(t, r)
			}
			want := planes.CodeInternal
			switch {
			case m == "" && begun:
				want = planes.CodeTransport // the released end says no more
			case m == "":
				want = planes.CodeHandler
			}
			if planes.CodeOf(err) != want || m != "" && !strings.Contains(err.Error(), "panics when it is read") {
				t.Errorf("begun %v: %v", begun, err)
			}
		}
	})
}

func TestConnectionsAboveTheBoundAreClosedAtOnce(t *testing.T) {
	l := listen(t, callhome.Config{MaxConns: 2})
	for range 2 {
		call(t, l.Addr(), nil)
	}
	testenv.Eventually(t, limit, "two are held", func() bool { return l.Stat().Conns == 2 })
	nc := call(t, l.Addr(), nil)
	_ = nc.SetReadDeadline(time.Now().Add(limit))
	if _, err := nc.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the third stays open: %v", err)
	}
	testenv.Eventually(t, limit, "it is counted", func() bool { s := l.Stat(); return s.Conns == 2 && s.Rejected["full"] == 1 })
}

// A router that never answers the end of a response costs the worker EndTimeout.
func TestAnEndThatIsNotAnsweredEndsTheConnection(t *testing.T) {
	for _, modes := range []string{"", "pooled"} {
		ln := testenv.Listen(t)
		d := dialer(t, callhome.DialerConfig{EndTimeout: 30 * time.Millisecond})
		rest := ""
		if modes != "" {
			rest = fmt.Sprintf(`,"modes":%q,"token":"t"`, modes)
		}
		env := &planes.Envelope{ID: "r", Reply: planes.ConnectionInfo{Transport: "tcp_server",
			Info: fmt.Sprintf(`{"address":%q,"subject":"s","context":"r","stream_type":"response"%s}`, ln.Addr(), rest)}}
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		hi(t, w)
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetReadDeadline(time.Now().Add(limit))
		for err == nil {
			_, err = nc.Read(make([]byte, 512))
		}
		if os.IsTimeout(err) {
			t.Errorf("%q: the connection stays open", modes)
		}
		_ = nc.Close()
	}
}

// What a reader that takes nothing makes both sides hold is bounded, however much the
// handler has: 16 responses, each with 64 MiB to say.
func TestASlowReadersHeapGate(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		before := testenv.LiveHeap()
		const n = 16
		var wg sync.WaitGroup
		stalled := make(chan struct{}, n)
		end := make(chan struct{})
		item := make([]byte, 64<<10)
		var readers []planes.StreamReader
		for range n {
			p, env := expect(t, l, m)
			a := accepting(t, p)
			w := open(t, d, env)
			_ = w.Begin()
			got := <-a
			if got.err != nil {
				t.Fatal(got.err)
			}
			readers = append(readers, got.r)
			wg.Go(func() {
				var err error
				sent := 0
				for ; err == nil && sent < 1024; sent++ {
					ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
					err = w.Send(ctx, item)
					cancel()
				}
				if err == nil {
					t.Error("64 MiB were taken for a reader that takes nothing")
				}
				stalled <- struct{}{}
				<-end
				_ = w.End(nil)
			})
		}
		for range n {
			<-stalled
		}
		held := testenv.LiveHeap()
		mib := float64(held-min(before, held)) / (1 << 20)
		if testenv.Figure(t, "heap held for 16 responses that nobody reads", mib, 16, "MiB"); mib > 16 {
			t.Errorf("%.1f MiB", mib)
		}
		for _, r := range readers {
			_ = r.Close()
		}
		close(end)
		wg.Wait()
	})
}

// After many responses, losses and refusals no descriptor is left.
func TestNoDescriptorIsLeft(t *testing.T) {
	fds := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Log(err) // not this system
		}
		return len(all)
	}
	before := fds()
	t.Run("use", func(t *testing.T) {
		onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
			for range 5 {
				d := dialer(t, cfg)
				r := relayTo(t, l.Addr(), false)
				for i := range 10 {
					p, env := expect(t, l, allModes)
					a := accepting(t, p)
					w := open(t, d, via(t, env, r.addr))
					if i == 9 {
						r.cut()
						_ = w.End(planes.Errorf(planes.CodeDenied, "no"))
						p.Cancel()
						continue
					}
					hi(t, w)
					wantHi(t, <-a)
				}
				_ = d.Close()
			}
		})
	})
	testenv.Eventually(t, limit, "the descriptors are closed", func() bool { return fds() <= before })
}
