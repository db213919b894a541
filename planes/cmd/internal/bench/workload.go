package bench

import (
	"errors"
	"fmt"
	"strings"
)

// Handler classes of a server: on the loop that read the request, or on a
// goroutine of its own.
const (
	Inline    = "inline"
	Goroutine = "goroutine"
)

// Workload is what a client does and a server answers.
type Workload struct {
	Name        string `json:"name"`         // as in tables and JSON lines
	Conns       int    `json:"conns"`        // connections
	Inflight    int    `json:"inflight"`     // calls in flight, over all connections
	SizeBytes   int    `json:"size_bytes"`   // payload of a request and of its answer, or of one stream item
	StreamItems int    `json:"stream_items"` // items that answer each request; 0 is a unary call
}

// Items returns how many units one call counts for in a rate: the items of a
// stream, or one for a unary call.
func (w Workload) Items() int { return max(1, w.StreamItems) }

// Unit names what a rate counts.
func (w Workload) Unit() string {
	if w.StreamItems > 0 {
		return "items"
	}
	return "requests"
}

// Limits of a workload.
const (
	maxConns       = 256
	maxInflight    = 1 << 16
	maxSizeBytes   = 512 << 10
	maxStreamItems = 1 << 16
)

// Validate reports everything that is wrong with w.
func (w Workload) Validate() error {
	var errs []error
	check := func(what string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("bench: %s is %d, not in %d..%d", what, v, low, high))
		}
	}
	check("number of connections", w.Conns, 1, maxConns)
	check("number of calls in flight", w.Inflight, 1, maxInflight)
	check("payload size in bytes", w.SizeBytes, 0, maxSizeBytes)
	check("number of stream items", w.StreamItems, 0, maxStreamItems)
	if w.Conns >= 1 && w.Inflight >= 1 && w.Inflight < w.Conns {
		errs = append(errs, fmt.Errorf("bench: %d calls in flight leave some of %d connections idle", w.Inflight, w.Conns))
	}
	return errors.Join(errs...)
}

// WithName returns w named after its parameters, in the manner of the suite:
// unary64-c16, unary4k-c16, stream64x256-x8, and -n4 behind it for 4 connections.
func (w Workload) WithName() Workload {
	var b strings.Builder
	size := fmt.Sprint(w.SizeBytes)
	if w.SizeBytes >= 1024 && w.SizeBytes%1024 == 0 {
		size = fmt.Sprintf("%dk", w.SizeBytes/1024)
	}
	if w.StreamItems > 0 {
		fmt.Fprintf(&b, "stream%sx%d-x%d", size, w.StreamItems, w.Inflight)
	} else {
		fmt.Fprintf(&b, "unary%s-c%d", size, w.Inflight)
	}
	if w.Conns > 1 {
		fmt.Fprintf(&b, "-n%d", w.Conns)
	}
	w.Name = b.String()
	return w
}

// FloorSuite is the fixed list of workloads that the project compares itself by,
// all on one connection.
func FloorSuite() []Workload {
	return []Workload{
		{Name: "unary64-c1", Conns: 1, Inflight: 1, SizeBytes: 64},
		{Name: "unary64-c16", Conns: 1, Inflight: 16, SizeBytes: 64},
		{Name: "unary64-c256", Conns: 1, Inflight: 256, SizeBytes: 64},
		{Name: "unary4k-c16", Conns: 1, Inflight: 16, SizeBytes: 4096},
		{Name: "stream-x1", Conns: 1, Inflight: 1, SizeBytes: 64, StreamItems: 256},
		{Name: "stream-x64", Conns: 1, Inflight: 64, SizeBytes: 64, StreamItems: 256},
	}
}

// Target returns the ratio to the floor that the project asks of the plane for a
// workload of the suite and a handler class, or 0 when it asks for none.
func Target(workload, handler string) float64 {
	targets := map[string][2]float64{ // inline, goroutine
		"unary64-c1":   {0.80, 0.60},
		"unary64-c16":  {0.65, 0.45},
		"unary64-c256": {0.45, 0.28},
		"stream-x1":    {0.18, 0.18},
		"stream-x64":   {0.15, 0.15},
	}
	if handler == Goroutine {
		return targets[workload][1]
	}
	return targets[workload][0]
}
