package netpoll_test

import (
	"testing"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/netpoll/netpolltest"
)

func TestLoopDriverConforms(t *testing.T) { netpolltest.Run(t, newGroup(netpoll.DriverLoop)) }

func TestTwoLoopsConform(t *testing.T) {
	one := newGroup(netpoll.DriverLoop)
	netpolltest.Run(t, func(tb testing.TB, config netpoll.Config) *netpoll.Group {
		config.Loops = 2
		return one(tb, config)
	})
}
