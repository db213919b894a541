package rawfloor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	// HeaderBytes is the size of a frame header.
	HeaderBytes = 20
	// BodyBytes is the size of the fixed part between header and payload: about
	// what the multiplexed protocol spends on a route or on totals.
	BodyBytes = 10
	// MaxFrameBytes bounds a frame: a header that announces more is refused.
	MaxFrameBytes = 1 << 20

	typeOpen = 3
	typeData = 7
	flagFin  = 2
)

// ErrUnsupported says that this operating system has no epoll.
var ErrUnsupported = errors.New("rawfloor: needs epoll (Linux)")

// ErrFrame says that a peer sent a header that announces too large a frame.
var ErrFrame = errors.New("rawfloor: frame larger than the limit")

// Shape is what both sides agree on before the first byte.
type Shape struct {
	Payload     int // bytes of payload in a request, and of one item in a stream
	StreamItems int // items in the answer to each request; 0 is a unary echo
}

// Validate reports whether the shape fits the limits of this package.
func (s Shape) Validate() error {
	if s.Payload < 0 || s.Payload > MaxFrameBytes-HeaderBytes-BodyBytes {
		return fmt.Errorf("rawfloor: payload of %d bytes is outside 0..%d", s.Payload, MaxFrameBytes-HeaderBytes-BodyBytes)
	}
	if s.StreamItems < 0 || s.StreamItems > 1<<16 {
		return fmt.Errorf("rawfloor: %d stream items are outside 0..%d", s.StreamItems, 1<<16)
	}
	return nil
}

// RequestBytes is the size of one request on the wire.
func (s Shape) RequestBytes() int {
	if s.StreamItems > 0 {
		return HeaderBytes + BodyBytes
	}
	return HeaderBytes + BodyBytes + s.Payload
}

// AnswerBytes is the size of the whole answer to one request on the wire.
func (s Shape) AnswerBytes() int {
	if s.StreamItems > 0 {
		return s.StreamItems * (HeaderBytes + s.Payload)
	}
	return s.RequestBytes()
}

// AppendHeader appends the header of a frame whose body and payload together are
// size bytes. stream and arg are carried as they are.
func AppendHeader(dst []byte, size int, typ, flags byte, stream, arg uint32) []byte {
	dst = append(dst, byte(size>>16), byte(size>>8), byte(size), typ, flags, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, stream)
	dst = binary.BigEndian.AppendUint32(dst, arg)
	return append(dst, 0, 0, 0, 0)
}

// AppendRequest appends one request of shape s on the given stream; the payload
// bytes are a pattern of the stream number, so that a test can tell them apart.
func AppendRequest(dst []byte, s Shape, stream uint32) []byte {
	size := s.RequestBytes() - HeaderBytes
	dst = AppendHeader(dst, size, typeOpen, flagFin, stream, 0)
	for i := range size {
		dst = append(dst, byte(stream)+byte(i))
	}
	return dst
}

// AppendAnswer appends the blob that answers one stream request of shape s. The
// last item has the FIN flag.
func AppendAnswer(dst []byte, s Shape, stream uint32) []byte {
	for i := range s.StreamItems {
		var flags byte
		if i == s.StreamItems-1 {
			flags = flagFin
		}
		dst = AppendHeader(dst, s.Payload, typeData, flags, stream, uint32(i))
		for j := range s.Payload {
			dst = append(dst, byte(i)+byte(j))
		}
	}
	return dst
}

// FrameLen returns the size in bytes of the frame that b begins with, header
// included. b must hold a whole header.
func FrameLen(b []byte) int {
	_ = b[HeaderBytes-1]
	return HeaderBytes + (int(b[0])<<16 | int(b[1])<<8 | int(b[2]))
}

// Stream returns the stream number of the frame that b begins with. b must hold
// a whole header.
func Stream(b []byte) uint32 { return binary.BigEndian.Uint32(b[8:12]) }

// SetStream overwrites the stream number of the frame that b begins with. b must
// hold a whole header.
func SetStream(b []byte, stream uint32) { binary.BigEndian.PutUint32(b[8:12], stream) }

// Last reports whether the frame that b begins with has the FIN flag. b must hold
// a whole header.
func Last(b []byte) bool { return b[4]&flagFin != 0 }

// Walk counts the whole frames at the start of b: n frames in used bytes. It
// fails with ErrFrame when a header announces more than MaxFrameBytes.
func Walk(b []byte) (n, used int, err error) {
	for used+HeaderBytes <= len(b) {
		size := FrameLen(b[used:])
		if size > MaxFrameBytes {
			return n, used, ErrFrame
		}
		if used+size > len(b) {
			break
		}
		used += size
		n++
	}
	return n, used, nil
}

// Observer is told what the client loop does. It is called on the loop's thread
// and must neither block nor allocate.
type Observer interface {
	// Running reports whether the loop should go on. It is asked once per wake-up.
	Running() bool
	// Done reports n answered requests that were sent latency ago.
	Done(n int, latency time.Duration)
}
