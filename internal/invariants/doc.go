// Package invariants switches on checks that are too dear for a release build.
//
// Enabled is a constant, so that a block guarded by it compiles to nothing in a
// release build. It is true under -tags invariants, which is how the project's
// own tests run by default, and under -race.
//
// A failed check is a bug of this module and never the result of peer bytes; it
// panics, because continuing would hide it.
package invariants
