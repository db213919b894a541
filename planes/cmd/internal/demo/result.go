package demo

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"
)

// Counters are frames, bytes and system calls of a run, both directions.
type Counters struct {
	FramesToRouter, FramesToWorker       uint64
	WireBytesToRouter, WireBytesToWorker uint64
	WritesOfWorker, WritesOfRouter       uint64 // write system calls
	ReadsOfRouter, ReadsOfWorker         uint64 // reads that returned bytes
}

func (c Counters) minus(b Counters) Counters {
	return Counters{
		FramesToRouter: c.FramesToRouter - b.FramesToRouter, FramesToWorker: c.FramesToWorker - b.FramesToWorker,
		WireBytesToRouter: c.WireBytesToRouter - b.WireBytesToRouter, WireBytesToWorker: c.WireBytesToWorker - b.WireBytesToWorker,
		WritesOfWorker: c.WritesOfWorker - b.WritesOfWorker, WritesOfRouter: c.WritesOfRouter - b.WritesOfRouter,
		ReadsOfRouter: c.ReadsOfRouter - b.ReadsOfRouter, ReadsOfWorker: c.ReadsOfWorker - b.ReadsOfWorker,
	}
}

// Failure says what is wrong with a stream. Streams count from 0; -1 is the run as
// a whole.
type Failure struct {
	Stream int
	Why    string
}

// Result is what a run showed.
type Result struct {
	Worker      string // address
	Source      *Source
	Streams     int
	Rate        float64
	Elapsed     time.Duration
	Interrupted bool

	Whole     int // streams that arrived whole and ended cleanly
	Terminals int // ends that the router saw, of all streams
	CleanEnds int
	PeakOpen  int // most streams open at once, as the worker saw it
	Items     int64
	Bytes     int64 // of items
	First     []time.Duration
	Counters  Counters
	Failures  []Failure
}

// OK reports whether every stream arrived whole.
func (r *Result) OK() bool {
	return len(r.Failures) == 0 && !r.Interrupted && r.Whole == r.Streams
}

func (r *Result) fail(stream int, why string) {
	r.Failures = append(r.Failures, Failure{Stream: stream, Why: why})
}

// add adds up the streams.
func (r *Result) add(outcomes []outcome) {
	for i, o := range outcomes {
		r.Items += o.got.Items
		r.Bytes += o.got.Bytes
		r.Terminals += o.terminals
		if errors.Is(o.end, io.EOF) {
			r.CleanEnds++
		}
		if o.got.Items > 0 {
			r.First = append(r.First, o.first)
		}
		switch why := o.why(r.Source.Totals); {
		case why == "":
			r.Whole++
		case !r.Interrupted:
			r.fail(i, why)
		}
	}
	slices.Sort(r.First)
}

// firstItem returns a percentile of the time to the first item; 0 without any.
func (r *Result) firstItem(percent int) time.Duration {
	if len(r.First) == 0 {
		return 0
	}
	return r.First[(len(r.First)*percent+99)/100-1]
}

func (r *Result) itemsPerSecond() float64 { return float64(r.Items) / max(r.Elapsed.Seconds(), 1e-9) }

// batching returns the items of one write system call of the worker.
func (r *Result) batching() float64 {
	return float64(r.Items) / float64(max(r.Counters.WritesOfWorker, 1))
}

// saved returns the system calls that would have been needed in addition, had
// every frame been a write of its own.
func (r *Result) saved() int64 {
	c := r.Counters
	return int64(c.FramesToRouter+c.FramesToWorker) - int64(c.WritesOfWorker+c.WritesOfRouter)
}

// jsonResult are the fields of --json. Names and units never change.
type jsonResult struct {
	OK             bool          `json:"ok"`
	Interrupted    bool          `json:"interrupted"`
	File           string        `json:"file"`
	FileBytes      int64         `json:"file_bytes"`
	SHA256         string        `json:"sha256"`
	Worker         string        `json:"worker"`
	Streams        int           `json:"streams"`
	StreamsWhole   int           `json:"streams_whole"`
	StreamsAtOnce  int           `json:"streams_at_once"`
	Terminals      int           `json:"terminals"`
	CleanEnds      int           `json:"clean_ends"`
	Items          int64         `json:"items"`
	ItemsPerStream int64         `json:"items_per_stream"`
	Bytes          int64         `json:"bytes"`
	WireBytes      uint64        `json:"wire_bytes"`
	RatePerStream  float64       `json:"rate_per_stream"`
	Seconds        float64       `json:"seconds"`
	FirstItemP50us float64       `json:"first_item_p50_us"`
	FirstItemP99us float64       `json:"first_item_p99_us"`
	ItemsPerSecond float64       `json:"items_per_second"`
	ItemsPerWrite  float64       `json:"items_per_write"`
	Frames         uint64        `json:"frames"`
	Writes         uint64        `json:"writes"`
	WritesWorker   uint64        `json:"writes_worker"`
	WritesRouter   uint64        `json:"writes_router"`
	Reads          uint64        `json:"reads"`
	SyscallsSaved  int64         `json:"syscalls_saved"`
	FailuresInAll  int           `json:"failures_in_all"`
	Failures       []jsonFailure `json:"failures"`
}

type jsonFailure struct {
	Stream int    `json:"stream"` // from 1; 0 is the run as a whole
	Why    string `json:"why"`
}

// maxListed bounds the failures that a report lists.
const maxListed = 20

// MarshalJSON returns the object that "wireplane demo --json" prints.
func (r *Result) MarshalJSON() ([]byte, error) {
	c := r.Counters
	j := jsonResult{
		OK: r.OK(), Interrupted: r.Interrupted, File: r.Source.Name, FileBytes: r.Source.Totals.Bytes,
		SHA256: hex.EncodeToString(r.Source.Totals.Sum[:]), Worker: r.Worker,
		Streams: r.Streams, StreamsWhole: r.Whole, StreamsAtOnce: r.PeakOpen, Terminals: r.Terminals, CleanEnds: r.CleanEnds,
		Items: r.Items, ItemsPerStream: r.Source.Totals.Items, Bytes: r.Bytes, WireBytes: c.WireBytesToRouter + c.WireBytesToWorker,
		RatePerStream: r.Rate, Seconds: r.Elapsed.Seconds(),
		FirstItemP50us: microseconds(r.firstItem(50)), FirstItemP99us: microseconds(r.firstItem(99)),
		ItemsPerSecond: r.itemsPerSecond(), ItemsPerWrite: r.batching(),
		Frames: c.FramesToRouter + c.FramesToWorker, Writes: c.WritesOfWorker + c.WritesOfRouter,
		WritesWorker: c.WritesOfWorker, WritesRouter: c.WritesOfRouter, Reads: c.ReadsOfRouter + c.ReadsOfWorker,
		SyscallsSaved: r.saved(), FailuresInAll: len(r.Failures), Failures: []jsonFailure{},
	}
	for _, f := range r.Failures[:min(len(r.Failures), maxListed)] {
		j.Failures = append(j.Failures, jsonFailure{Stream: f.Stream + 1, Why: f.Why})
	}
	return json.Marshal(j)
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
