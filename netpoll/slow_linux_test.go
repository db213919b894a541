package netpoll_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
)

// TestAcknowledgedBytesAreProgress has a peer read so slowly that the kernel reports no room for longer than the
// timeout, since it waits until a third of its buffer is free, while the peer acknowledges bytes all the time.
func TestAcknowledgedBytesAreProgress(t *testing.T) {
	const timeout = 320 * time.Millisecond
	g := newGroup(netpoll.DriverLoop)(t, netpoll.Config{WriteTimeout: timeout})
	peer, nc := testenv.Pair(t)
	n := &note{ended: make(chan error, 1)}
	c, err := g.Attach(nc, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 20<<10)
	queued := c.Queued()
	start, quiet, longest := time.Now(), time.Now(), time.Duration(0)
	rest := time.NewTicker(timeout / 16)
	defer rest.Stop()
	for time.Since(start) < 4*timeout {
		<-rest.C
		if _, err := io.ReadFull(peer, piece); err != nil {
			t.Fatal(err)
		}
		if q := c.Queued(); q != queued {
			queued, quiet = q, time.Now()
		}
		longest = max(longest, time.Since(quiet))
	}
	select {
	case err := <-n.ended:
		t.Fatalf("closed: %v", err)
	default:
	}
	t.Logf("the kernel took nothing for %v, timeout %v", longest, timeout)
	c.Close()
	if err := <-n.ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
}
