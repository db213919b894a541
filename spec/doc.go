// Package spec is the wire language of wireplane: it reads a .wire file that
// describes a wire format byte for byte, checks it, and hands a resolved model
// to the back ends (package gen writes Go from it).
//
// # Phases
//
//  1. [Parse] turns source text into a [File]. It reports every mistake of the
//     file that it can find, not only the first, as an [ErrorList].
//  2. [File.Check] resolves names, evaluates limits and constants, computes the
//     size of every field and message, and refuses what is not bounded. Only a
//     File whose Check returned nil may be given to a back end: fields whose
//     comment says "set by Check" are valid from then on.
//  3. [Format] prints source text in the one canonical layout.
//
// Neither phase panics on any input, and none allocates more than a small
// multiple of its input.
//
// # Ownership and concurrency
//
// A File keeps the source slice it was parsed from (borrowed for the life of
// the File: do not change it). Parse, Check and Format may be used from many
// goroutines at once on different files; a checked File is read-only and may be
// shared.
//
// # Units
//
// Offsets and sizes are bytes, bit positions count from the least significant
// bit, lines and columns count from 1, columns in bytes.
//
// The language itself is described in LANGUAGE.md beside this file.
package spec
