package framing

import (
	"errors"
	"fmt"
)

// LenFunc finds the end of the frame at the front of b. It returns n > 0, the size
// of the whole frame, which may be more than len(b); or need > 0, how many more
// bytes it wants at least before it can tell; or why the bytes are refused. The
// length functions that wiregen writes have this form once their limits and
// parameters are bound.
type LenFunc func(b []byte) (n, need int, err error)

// ErrTooLong is returned for a frame above the splitter's limit.
var ErrTooLong = errors.New("framing: frame is longer than the limit")

// ErrNoProgress is returned when a length function breaks its contract.
var ErrNoProgress = errors.New("framing: length function gives neither a size nor a need")

// ErrCut is returned by Close when the stream ends inside a frame.
var ErrCut = errors.New("framing: stream ends inside a frame")

// Next cuts one frame off the front of b. frame is a part of b, borrowed from the
// caller for as long as b is; rest is what follows it. When b does not hold a whole
// frame, frame is nil, rest is b, and need says how many more bytes are wanted at
// least (a lower bound, exact once the length is known).
func Next(b []byte, length LenFunc) (frame, rest []byte, need int, err error) {
	n, need, err := length(b)
	switch {
	case err != nil:
		return nil, b, 0, err
	case n > len(b):
		return nil, b, n - len(b), nil
	case n > 0:
		return b[:n:n], b[n:], 0, nil
	case need > 0:
		return nil, b, need, nil
	}
	return nil, b, 0, ErrNoProgress
}

// Splitter cuts a stream that arrives in pieces. The zero Splitter is not ready:
// use [New]. It is for one goroutine.
type Splitter struct {
	length LenFunc
	limit  int
	part   []byte // front of an unfinished frame, a copy
	want   int    // how long part must be before looking at it again
	err    error  // of the stream, for good
}

// New returns a Splitter for frames of up to limit bytes. The memory that it holds
// is bounded by limit, and is given back when a frame above a few KiB is done.
func New(length LenFunc, limit int) *Splitter {
	return &Splitter{length: length, limit: limit}
}

// Buffered is how many bytes of an unfinished frame the splitter holds.
func (s *Splitter) Buffered() int { return len(s.part) }

// keep is the size of the buffer that stays allocated between frames.
const keep = 4 << 10

// Push takes the next piece of the stream and calls take for each frame that is
// complete. The frame is borrowed: it lies in chunk or in the splitter's buffer and
// is valid until take returns. Bytes of an unfinished frame are copied.
//
// An error of the length function or of take ends the stream: Push returns it now
// and ever after.
func (s *Splitter) Push(chunk []byte, take func(frame []byte) error) error {
	if s.err != nil {
		return s.err
	}
	s.err = s.push(chunk, take)
	return s.err
}

func (s *Splitter) push(chunk []byte, take func(frame []byte) error) error {
	for len(s.part) > 0 {
		var done bool
		var err error
		if chunk, done, err = s.finish(chunk, take); err != nil || !done {
			return err
		}
	}
	for len(chunk) > 0 {
		n, need, err := s.length(chunk)
		switch {
		case err != nil:
			return err
		case n > 0 && n <= len(chunk):
			if n > s.limit {
				return tooLong(n, s.limit)
			}
			if err := take(chunk[:n:n]); err != nil {
				return err
			}
			chunk = chunk[n:]
			continue
		}
		return s.hold(chunk, n, need)
	}
	return nil
}

// finish adds to the unfinished frame what it lacks; done says that the frame is
// complete and has been taken, or that its size is now known.
func (s *Splitter) finish(chunk []byte, take func(frame []byte) error) (rest []byte, done bool, err error) {
	n := min(s.want-len(s.part), len(chunk))
	s.part = append(s.part, chunk[:n]...)
	rest = chunk[n:]
	if len(s.part) < s.want {
		return rest, false, nil
	}
	size, need, err := s.length(s.part)
	if err != nil {
		return rest, false, err
	}
	if size != len(s.part) {
		want := size
		if size == 0 {
			want = len(s.part) + need
		}
		return rest, len(rest) > 0, s.expect(want)
	}
	err = take(s.part)
	if cap(s.part) > keep {
		s.part = nil
	}
	s.part = s.part[:0]
	return rest, true, err
}

// hold copies the front of a frame whose size is n, or of which need more bytes
// are wanted.
func (s *Splitter) hold(chunk []byte, n, need int) error {
	want := n
	if n == 0 {
		want = len(chunk) + need
	}
	s.part = append(s.part[:0], chunk...)
	return s.expect(want)
}

// expect sets how many bytes the unfinished frame must have. The buffer is not
// grown for them here: a peer that announces much and sends little costs little.
func (s *Splitter) expect(want int) error {
	if want > s.limit {
		return tooLong(want, s.limit)
	}
	if want <= len(s.part) {
		return ErrNoProgress
	}
	s.want = want
	return nil
}

func tooLong(n, limit int) error {
	return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLong, n, limit)
}

// Close ends the stream. It returns the error of the stream, or [ErrCut] when
// bytes of an unfinished frame are left.
func (s *Splitter) Close() error {
	if s.err == nil && len(s.part) > 0 {
		s.err = ErrCut
	}
	return s.err
}
