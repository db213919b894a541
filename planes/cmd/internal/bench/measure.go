package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Measurement is what one run of one contender showed.
type Measurement struct {
	Rate           float64 // requests or stream items a second
	P50, P99, P999 time.Duration
	CPUServer      float64 // microseconds of CPU for each request or item
	CPUClient      float64
	AllocsServer   float64 // heap objects for each request or item
	AllocsClient   float64
	CallsServer    float64 // system calls for each request or item, where known
	CallsClient    float64
}

// measure runs one contender once, as two processes.
func (r *runner) measure(ctx context.Context, e Entry, w Workload, profile string) (m Measurement, err error) {
	serverCPU, clientCPU := -1, -1
	if r.cfg.Pin {
		serverCPU, clientCPU, _ = pinCPUs()
	}
	spec := peerSpec{Role: roleServer, Contender: e.Name, Handler: e.Handler, Workload: w}
	if profile != "" {
		spec.Profile = profile + "-server.pprof"
	}
	srv, err := startProcess(ctx, r.cfg, serverCPU, spec)
	if err != nil {
		return Measurement{}, err
	}
	defer func() { err = finish(ctx, srv, err) }()
	ready, err := srv.expect(evReady, answerWithin)
	if err != nil {
		return Measurement{}, err
	}
	spec.Role, spec.Addr, spec.WarmUp, spec.Window = roleClient, ready.Addr, r.cfg.WarmUp, r.cfg.Window
	if profile != "" {
		spec.Profile = profile + "-client.pprof"
	}
	cl, err := startProcess(ctx, r.cfg, clientCPU, spec)
	if err != nil {
		return Measurement{}, err
	}
	defer func() { err = finish(ctx, cl, err) }()
	return r.window(srv, cl)
}

// window goes through the client's window with both processes.
func (r *runner) window(srv, cl *process) (Measurement, error) {
	if _, err := cl.expect(evReady, answerWithin); err != nil {
		return Measurement{}, err
	}
	if err := cl.tell(cmdRun); err != nil {
		return Measurement{}, err
	}
	if _, err := cl.expect(evBegin, r.cfg.WarmUp+answerWithin); err != nil {
		return Measurement{}, err
	}
	before, err := srv.usage()
	if err != nil {
		return Measurement{}, err
	}
	if _, err := cl.expect(evEnd, r.cfg.Window+answerWithin); err != nil {
		return Measurement{}, err
	}
	after, err := srv.usage()
	if err != nil {
		return Measurement{}, err
	}
	result, err := cl.expect(evResult, answerWithin)
	if err != nil {
		return Measurement{}, err
	}
	return newMeasurement(result, after.Sub(before))
}

// newMeasurement turns totals into rates and costs.
func newMeasurement(result event, server Usage) (Measurement, error) {
	if result.Items <= 0 || result.Seconds <= 0 || result.Hist == nil || result.Usage == nil {
		return Measurement{}, errors.New("bench: not one call was answered in the window; try a longer --duration")
	}
	items := float64(result.Items)
	return Measurement{
		Rate:         items / result.Seconds,
		P50:          result.Hist.Quantile(0.50),
		P99:          result.Hist.Quantile(0.99),
		P999:         result.Hist.Quantile(0.999),
		CPUServer:    server.CPUMicros / items,
		CPUClient:    result.Usage.CPUMicros / items,
		AllocsServer: float64(server.Allocs) / items,
		AllocsClient: float64(result.Usage.Allocs) / items,
		CallsServer:  float64(server.Syscalls) / items,
		CallsClient:  float64(result.Usage.Syscalls) / items,
	}, nil
}

// finish ends p and adds to err what p complained about. A failure to end matters
// only when nothing failed before.
func finish(ctx context.Context, p *process, err error) error {
	endErr := p.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = endErr
	}
	if err != nil && p.complaint() != "" {
		err = fmt.Errorf("%w\n%s said:\n%s", err, p.name, p.complaint())
	}
	return err
}
