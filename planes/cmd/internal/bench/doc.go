// Package bench measures contenders beside the raw floor: how many requests or
// stream items a second one side gets through to the other, how long one takes,
// and what it costs both in CPU.
//
// A contender is a pair of a Server and a Client for one Workload. Each
// measurement runs them as two fresh processes (this program again, by a hidden
// command), because one process would hide what it costs to wake the other. The
// parent drives both by JSON lines over their standard input and output; nothing
// of that happens inside the measured window except one question for resource
// usage at either end.
//
// A machine that is shared or virtual gives different figures from one minute to
// the next, so a rate alone says little. Run therefore interleaves: in every
// round the floor is measured first and then each contender, and what counts is
// the median over the rounds of the contender's rate by the floor's rate of the
// same round.
//
// Meters and workers are safe for concurrent use as their comments say; the rest
// of the package belongs to one goroutine.
package bench
