package netpoll_test

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
)

func TestZeroConfigIsValid(t *testing.T) {
	if err := (netpoll.Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	c := netpoll.Config{
		Driver: 9, Loops: -1, ReadBufferBytes: -1, MaxUnreadBytes: 1<<30 + 1, MaxConns: -5, IdleTimeout: -time.Second,
		HighWaterBytes: 100, LowWaterBytes: 200, MaxQueueBytes: 50,
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"Driver:", "Loops:", "ReadBufferBytes:", "MaxUnreadBytes:", "MaxConns:", "IdleTimeout:", "LowWaterBytes:", "HighWaterBytes:",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not reported in:\n%v", name, err)
		}
	}
	if _, err := netpoll.New(c); err == nil {
		t.Error("New accepts it")
	}
}

func TestDriverNames(t *testing.T) {
	for d, want := range map[netpoll.Driver]string{
		netpoll.DriverAuto: "auto", netpoll.DriverLoop: "loop", netpoll.DriverNet: "net", 7: "Driver(7)",
	} {
		if d.String() != want {
			t.Errorf("got %q, want %q", d.String(), want)
		}
	}
}

func TestConnectionThatIsNoSocket(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c, err := newGroup(netpoll.DriverAuto)(t, netpoll.Config{}).Attach(here, &note{ended: make(chan error, 1)})
	if err != nil || c.Driver() != netpoll.DriverNet {
		t.Errorf("automatic driver: %v, %v", c.Driver(), err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	here, there = net.Pipe()
	defer there.Close()
	g := newGroup(netpoll.DriverLoop)(t, netpoll.Config{})
	if _, err := g.Attach(here, &note{ended: make(chan error, 1)}); !errors.Is(err, netpoll.ErrNotPollable) {
		t.Errorf("event loop only: %v", err)
	}
	if _, err := here.Write([]byte("x")); err == nil {
		t.Error("the refused connection is still open")
	}
}
