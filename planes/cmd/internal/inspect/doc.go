// Package inspect takes captured bytes apart with the codecs that are generated
// from the project's specs, and writes what it finds field by field.
//
// A capture is what one side of a connection sent, from its start or from the
// start of any frame. Which spec and which frame it holds may be given or guessed:
// a guess decodes the bytes with everything that is built in and takes what fits.
// The parameters of a frame, such as whether a mux frame carries checksums, are
// found in the same way unless they are given.
//
// Decoding stops at the first frame that is refused or incomplete, and the result
// says at which byte and why.
package inspect
