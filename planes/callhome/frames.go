package callhome

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/wireplane/wireplane/codec/twopart"
)

const (
	prefixBytes = 24
	maxHeader   = 16 << 10 // of handshake, prologue, end and control
	readBytes   = 16 << 10 // one read, and the first buffer
	keepBytes   = 256 << 10
)

var errFrame = errors.New("not a frame of a response socket")

// frames takes two-part messages from a stream. It can go on after a read that a
// deadline ended. The buffer grows to at most twice what has come, and never beyond
// the largest frame and one read.
type frames struct {
	maxItem  int
	buf      []byte
	from, to int
}

// next returns the next frame, borrowed until the next call. io.EOF means an end
// between frames, io.ErrUnexpectedEOF one within.
func (f *frames) next(r io.Reader) (header, body []byte, err error) {
	for {
		want := prefixBytes
		if b := f.buf[f.from:f.to]; len(b) >= 16 {
			h, n := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
			if h > maxHeader || n > uint64(f.maxItem) {
				return nil, nil, fmt.Errorf("callhome: %w: header of %d bytes, item of %d; want at most %d and %d", errFrame, h, n, maxHeader, f.maxItem)
			}
			want += int(h) + int(n)
			if len(b) >= want {
				var m twopart.TwoPart
				lim := twopart.Limits{MaxMessage: uint64(want)}
				if _, err := m.Decode(b, &lim); err != nil {
					return nil, nil, fmt.Errorf("callhome: %w: %w", errFrame, err)
				}
				f.from += want
				return m.Header, m.Body, nil
			}
		}
		if err := f.fill(r, want); err != nil {
			return nil, nil, err
		}
	}
}

// fill reads once, for a frame of want bytes of which some are there.
func (f *frames) fill(r io.Reader, want int) error {
	have := f.to - f.from
	switch {
	case have == 0 && len(f.buf) > keepBytes && want <= readBytes, f.buf == nil:
		f.buf = make([]byte, readBytes)
	case f.from > 0:
		copy(f.buf, f.buf[f.from:f.to])
	}
	f.from, f.to = 0, have
	if have == len(f.buf) {
		f.buf = append(f.buf, make([]byte, min(len(f.buf), max(want, readBytes+have)-have))...)
	}
	n, err := r.Read(f.buf[f.to:])
	f.to += n
	switch {
	case n > 0:
		return nil // an error comes again
	case err == io.EOF && have > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// rest makes f wait for a frame without an item, with a small buffer: before it the
// peer is nobody, and may send nothing for long.
func (f *frames) rest() {
	f.maxItem = 0
	if f.buffered() == 0 && len(f.buf) > readBytes {
		f.buf, f.from, f.to = nil, 0, 0
	}
}

// buffered returns how many bytes were read and not yet taken.
func (f *frames) buffered() int { return f.to - f.from }

func appendFrame(dst, header, body []byte) []byte {
	m := twopart.TwoPart{Header: header, Body: body}
	dst, _ = m.Append(dst) // lengths of slices always fit
	return dst
}
