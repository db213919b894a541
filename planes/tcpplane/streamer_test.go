package tcpplane_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// A handler of HandleStream tells a stop, after which it sends on, from an end.
func TestAStreamerTellsAStopFromAnEnd(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c, _ := reversed(t, d)
		ended := make(chan *planes.Error, 1)
		s.HandleStream("soft", planes.HandlerFunc(func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			sw := w.(tcpplane.Streamer) //nolint:forcetypeassert // it says so
			if err := sw.Send([]byte("first")); err != nil || sw.Reason() != nil {
				t.Error(err, sw.Reason())
			}
			<-sw.Stopped()
			if why := sw.Reason(); ctx.Err() != nil || why == nil || why.Scope != planes.ScopeStream {
				t.Errorf("after a stop: %v, %v", ctx.Err(), why)
			}
			if err := sw.Send([]byte("last")); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			ended <- sw.Reason()
			return nil
		}))
		for _, lose := range []bool{false, true} {
			st, err := c.Stream(t.Context(), &planes.Request{Route: "soft"})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{"first", "last"} {
				if b, err := st.Recv(testenv.Context(t, 5*time.Second)); err != nil || string(b) != want {
					t.Fatalf("%q, %v", b, err)
				}
				if i == 0 {
					st.Stop()
				}
			}
			if lose {
				_ = c.Close()
			}
			_ = st.Close()
			if why := <-ended; why == nil || (why.Scope == planes.ScopeConnection) != lose {
				t.Errorf("lost %v: %v", lose, why)
			}
		}
	})
}

// A SendContext that is given up within an item spoils the call: it never looks whole.
func TestAnItemThatIsGivenUpWithinSpoilsTheCall(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c, _ := reversed(t, d)
		gaveUp := make(chan error, 2)
		s.HandleStream("cut", planes.HandlerFunc(func(ctx context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			sw := w.(tcpplane.Streamer) //nolint:forcetypeassert // it says so
			// Time is over as soon as the first piece is sent: the caller's side would take
			// all of the item in a while, though nobody reads.
			over, cancel := context.WithDeadline(ctx, time.Now())
			defer cancel()
			gaveUp <- sw.SendContext(over, make([]byte, 8<<20)) // far above the first credit
			gaveUp <- sw.Send([]byte("more"))
			return nil
		}))
		st, err := c.Stream(t.Context(), &planes.Request{Route: "cut"})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-gaveUp; planes.CodeOf(err) != planes.CodeDeadline {
			t.Error(err)
		}
		if err := <-gaveUp; planes.CodeOf(err) != planes.CodeInternal {
			t.Error(err)
		}
		if b, err := st.Recv(testenv.Context(t, 5*time.Second)); err == nil || err == io.EOF || planes.CodeOf(err) != planes.CodeInternal { //nolint:errorlint // bare
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
}

// A reader that takes nothing holds items above the window back as well as small ones,
// and gets all of them when it goes on.
func TestLargeItemsWaitForAReaderThatTakesNothing(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c, _ := reversed(t, d)
		const n, size = 300, 100_001
		var sent atomic.Int32
		s.HandleFunc("large", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			item := make([]byte, size)
			for range n {
				if err := w.Send(item); err != nil {
					return err
				}
				sent.Add(1)
			}
			return nil
		})
		st, err := c.Stream(t.Context(), &planes.Request{Route: "large"})
		if err != nil {
			t.Fatal(err)
		}
		ctx := testenv.Context(t, 20*time.Second)
		for range 3 { // it stalls again and again
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			<-short.Done()
			cancel()
			if b, err := st.Recv(ctx); err != nil || len(b) != size {
				t.Fatal(len(b), err)
			}
		}
		if got := sent.Load(); got > 30 {
			t.Errorf("%d items of 100 kB were sent to a reader that took 3", got)
		}
		for i := 3; i < n; i++ {
			if b, err := st.Recv(ctx); err != nil || len(b) != size {
				t.Fatalf("item %d: %d bytes, %v", i, len(b), err)
			}
		}
		if _, err := st.Recv(ctx); err != io.EOF { //nolint:errorlint // bare
			t.Error(err)
		}
	})
}
