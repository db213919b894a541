// Package framing cuts a stream of bytes into frames, without I/O.
//
// A [Splitter] is given the length function that wiregen wrote for a frame (or any
// function of that form) and applies it to bytes as they arrive, in whatever
// pieces. It hands out frames that lie in the caller's buffer, uncopied, and keeps
// a copy of at most one unfinished frame.
//
//	s := framing.New(func(b []byte) (int, int, error) { return muxwire.FrameLen(b, lim, sums) }, limit)
//	err := s.Push(chunk, func(frame []byte) error { ... })
//
// Nothing here starts a goroutine or reads a clock.
package framing
