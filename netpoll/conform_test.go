package netpoll_test

import (
	"testing"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/netpoll/netpolltest"
)

// newGroup returns a maker of groups with driver d, for the conformance suite.
func newGroup(d netpoll.Driver) netpolltest.NewGroup {
	return func(tb testing.TB, config netpoll.Config) *netpoll.Group {
		tb.Helper()
		config.Driver = d
		g, err := netpoll.New(config)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { g.Close() })
		return g
	}
}

func TestNetDriverConforms(t *testing.T) { netpolltest.Run(t, newGroup(netpoll.DriverNet)) }
