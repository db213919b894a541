package mux

import "sync"

// Output buffers are shared by all sessions of the process, because most
// connections are idle most of the time. A large one is left to the collector.
const maxPooled = 512 << 10

type buffer struct{ b []byte }

var (
	buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}
	boxes   = sync.Pool{New: func() any { return new(buffer) }} // empty, so that putBuffer does not allocate
)

func getBuffer() []byte {
	box := buffers.Get().(*buffer)
	b := box.b[:0]
	box.b = nil
	boxes.Put(box)
	return b
}

func putBuffer(b []byte) {
	if cap(b) > maxPooled {
		return
	}
	box := boxes.Get().(*buffer)
	box.b = b
	buffers.Put(box)
}
