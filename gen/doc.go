// Package gen writes Go from a checked .wire file: for every frame and struct a
// type with Append, Size, Decode and the rest, and a test file that holds the
// output to the spec's own vectors.
//
// [Generate] is a pure function: no disk, no clock, no environment. The same
// file gives the same bytes. Command wiregen (in gen/cmd/wiregen) wraps it.
//
// # Phases
//
//  1. names.go gives every declaration and field its Go name.
//  2. plan.go cuts each message into steps: blocks of fixed size that need one
//     bounds test, contents whose size is read from the wire, optional parts.
//  3. decode.go, length.go, encode.go, size.go and trace.go walk the steps, each
//     writing one function; expr.go turns expressions of the spec into Go.
//  4. tests.go and sample.go write the test file.
package gen
