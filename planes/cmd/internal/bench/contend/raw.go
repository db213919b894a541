package contend

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// Raw is the floor: see package rawfloor.
func Raw() bench.Contender {
	return bench.Contender{
		Name:     "raw",
		About:    "the floor: epoll, read and write by raw system calls, one thread a side",
		Handlers: []string{bench.Inline},
		NewServer: func(_ string, w bench.Workload) (bench.Server, error) {
			setUpForLoop()
			return rawfloor.NewServer(shapeOf(w))
		},
		NewClient: newRawClient,
	}
}

// setUpForLoop prepares a process for a loop that keeps its P while it waits:
// somebody else must be able to run, and the collector must not try to stop it.
func setUpForLoop() {
	runtime.GOMAXPROCS(max(3, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(-1)
}

type rawClient struct {
	*rawfloor.Client
	items int
}

func newRawClient(ctx context.Context, addr, _ string, w bench.Workload) (bench.Client, error) {
	setUpForLoop()
	conns, err := dial(ctx, addr, w.Conns)
	if err != nil {
		return nil, err
	}
	c, err := rawfloor.NewClient(shapeOf(w), w.Inflight, conns...)
	if err != nil {
		return nil, err
	}
	return &rawClient{Client: c, items: w.Items()}, nil
}

// Run drives the loop on the calling goroutine.
func (c *rawClient) Run(_ context.Context, m *bench.Meter) error {
	obs := observer{m: m, w: m.Worker(), items: c.items}
	defer obs.w.Flush()
	return c.Client.Run(obs)
}

// observer lets the floor's client record in a meter.
type observer struct {
	m     *bench.Meter
	w     *bench.Worker
	items int
}

func (o observer) Running() bool { return o.m.Running() }

func (o observer) Done(n int, latency time.Duration) { o.w.Done(n, n*o.items, latency) }
