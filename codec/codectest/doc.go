// Package codectest holds generated codecs to their promises: what is decoded
// encodes to the same bytes, every truncation gets an answer, nothing allocates.
// The test files that wiregen writes call it, in this module and in others.
package codectest
