// Package benchwire holds the messages of bench.wire twice: as generated code
// (bench_wire.go) and written by hand with the same checks (floor.go). The
// benchmark in codec/internal/benchcodec compares the two.
package benchwire
