// Package testenv is what the tests of every package share: the leak check for
// TestMain, the gates on allocations and memory, loopback sockets and waiting
// with a bound.
//
// A gate is an ordinary test whose figure must not grow. Its name contains
// Alloc, Gate, Size, Budget, Cost or Deps, so that "make gates" finds it, and it says
// its figure with Figure. Figures about allocations mean a build without -race;
// there the gate runs its function once and compares nothing.
//
// Nothing here skips a test. Only test files import this package.
package testenv
