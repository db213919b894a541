package matrix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/pool"
)

// ColdResult is what many callers of a target without connections met.
type ColdResult struct {
	Comparison  string  `json:"comparison"`
	Callers     int     `json:"callers"`
	Served      int     `json:"served"`
	Failed      int     `json:"failed"`
	Hung        int     `json:"hung"`
	MostDials   int64   `json:"most_dials_in_flight"`
	DialLimit   int     `json:"dial_limit"`
	Connections uint64  `json:"connections"`
	Seconds     float64 `json:"seconds"`
}

// Cold lets callers acquire a connection to one target at the same moment, all of which
// have the same deadline. Each keeps it for a moment and gives it back.
func Cold(ctx context.Context, callers int, deadline time.Duration) (ColdResult, error) {
	r := ColdResult{Comparison: "cold", Callers: callers, DialLimit: 64}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	var accepted sync.WaitGroup
	accepted.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Go(func() { _, _ = nc.Read(make([]byte, 1)); _ = nc.Close() })
		}
	})
	var now, most atomic.Int64
	p, err := pool.New(pool.Config[string, net.Conn]{
		MaxPerKey: 200, MaxDials: r.DialLimit,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		Close: func(nc net.Conn) { _ = nc.Close() },
	})
	if err != nil {
		return r, errors.Join(err, ln.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	begun := time.Now()
	var served, failed, late atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			l, err := p.Acquire(ctx, ln.Addr().String())
			if time.Since(begun) > deadline+time.Second {
				late.Add(1)
			}
			if err != nil {
				failed.Add(1)
				return
			}
			served.Add(1)
			l.Release()
		})
	}
	wg.Wait()
	r.Seconds = time.Since(begun).Seconds()
	r.Served, r.Failed, r.Hung, r.MostDials = int(served.Load()), int(failed.Load()), int(late.Load()), most.Load()
	r.Connections = p.Stat().Opened
	err = errors.Join(p.Close(), ln.Close())
	accepted.Wait()
	return r, err
}

// String is the result as a line.
func (r ColdResult) String() string {
	return fmt.Sprintf("cold: %d callers of a target without connections: %d served, %d told why not, %d past their deadline; at most %d dials in flight (limit %d), %d connections, %.0f ms\n",
		r.Callers, r.Served, r.Failed, r.Hung, r.MostDials, r.DialLimit, r.Connections, 1000*r.Seconds)
}
