package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"time"
)

// serve is the part of a server: ready with its address, then usage as asked.
func (p *peer) serve(c Contender) error {
	srv, err := c.NewServer(p.spec.Handler, p.spec.Workload)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = srv.Close()
		return fmt.Errorf("bench: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	err = p.commands(srv, ln.Addr().String())
	if cerr := srv.Close(); err == nil {
		err = cerr
	}
	if serr := <-served; err == nil {
		err = serr
	}
	return err
}

func (p *peer) commands(srv Server, addr string) error {
	if err := p.send(event{Event: evReady, Addr: addr}); err != nil {
		return err
	}
	for {
		cmd, err := p.next()
		if err != nil {
			return err
		}
		switch cmd {
		case cmdStop:
			return nil
		case cmdUsage:
			u := usage(srv)
			if err := p.send(event{Event: evUsage, Usage: &u}); err != nil {
				return err
			}
		default:
			return fmt.Errorf("bench: a server knows no command %q", cmd)
		}
	}
}

// drive is the part of a client: ready when connected, then one run.
func (p *peer) drive(ctx context.Context, c Contender) error {
	cl, err := c.NewClient(ctx, p.spec.Addr, p.spec.Handler, p.spec.Workload)
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	if err := p.send(event{Event: evReady}); err != nil {
		return err
	}
	cmd, err := p.next()
	if err != nil || cmd == cmdStop {
		return err
	}
	if cmd != cmdRun {
		return fmt.Errorf("bench: a client knows no command %q", cmd)
	}
	return p.run(ctx, cl)
}

// run measures once: warm up, open the window, close it, report.
func (p *peer) run(ctx context.Context, cl Client) error {
	m := NewMeter(p.spec.Workload.Inflight)
	ran := make(chan error, 1)
	go func() { ran <- cl.Run(ctx, m) }()
	if err := pause(ctx, p.spec.WarmUp, ran); err != nil {
		return err
	}
	m.Begin()
	start, before := m.Now(), usage(cl)
	if err := p.send(event{Event: evBegin}); err != nil {
		return err
	}
	if err := pause(ctx, p.spec.Window-(m.Now()-start), ran); err != nil {
		return err
	}
	m.Stop()
	seconds, used := (m.Now() - start).Seconds(), usage(cl).Sub(before)
	if err := p.send(event{Event: evEnd}); err != nil {
		return err
	}
	select {
	case err := <-ran:
		if err != nil {
			return err
		}
	case <-time.After(stuckAfter):
		return fmt.Errorf("bench: the client is stuck: it has not ended %v after its window", stuckAfter)
	}
	requests, items, hist := m.Totals()
	return p.send(event{Event: evResult, Seconds: seconds, Requests: requests, Items: items, Hist: hist, Usage: &used})
}

// stuckAfter is how long a client may take to end the calls that it has in flight.
const stuckAfter = 10 * time.Second

// pause waits for d, or fails when the client ends by itself or ctx does.
func pause(ctx context.Context, d time.Duration, ran <-chan error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case err := <-ran:
		if err == nil {
			err = fmt.Errorf("bench: the client ended before its window did")
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// startProfile writes a CPU profile to path until stop is called. An empty path
// means none.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("bench: profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("bench: profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
