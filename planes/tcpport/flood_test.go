package tcpport_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpport"
)

// Who connects and says nothing keeps nobody else out, and is let go.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	s, _, log := start(t, tcpport.Config{MaxPeeking: 4, PeekTimeout: time.Minute})
	to := s.Address("ns/gen", 1)
	var silent []net.Conn
	for range 12 {
		nc, err := net.Dial("tcp", to.HostPort())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		silent = append(silent, nc)
	}
	testenv.Eventually(t, 5*time.Second, "the first were let go", func() bool { return log.has("limit=4") })
	for wire, c := range clients(t) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := c.Send(ctx, to, &planes.Envelope{ID: "id", Reply: planes.ConnectionInfo{Transport: "t", Info: "{}"}, Request: &planes.Request{Route: "ns/gen"}})
		if err != nil {
			t.Errorf("%s: %v", wire, err)
		}
		cancel()
	}
	for i, nc := range silent[:8] {
		_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := nc.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("silent connection %d stays: %v", i, err)
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error) //nolint:errorlint // bare
	return ok && ne.Timeout()
}
