package buf

import (
	"bytes"
	"math/bits"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"

	"github.com/wireplane/wireplane/internal/invariants"
)

// Bounds of the size classes, in bytes.
const (
	MinClassBytes = 1 << minShift
	MaxClassBytes = 1 << maxShift

	minShift = 8
	maxShift = 21
	unpooled = -1
)

// class is one size class: its pool and its books.
type class struct {
	pool   bytebufferpool.Pool
	lent   atomic.Uint64 // all told
	missed atomic.Uint64 // of lent, those that had to be allocated
	back   atomic.Uint64 // all told
	_      [24]byte      // keeps the counters of two classes off one cache line
}

var (
	classes      [maxShift - minShift + 1]class
	outside      class        // larger than any class, or adopted by Set; its pool is not used
	outsideBytes atomic.Int64 // capacity of those that are lent now
)

// classOf returns the smallest class that holds n bytes, or unpooled.
func classOf(n int) int {
	if n <= MinClassBytes {
		return 0
	}
	if n > MaxClassBytes {
		return unpooled
	}
	return bits.Len(uint(n-1)) - minShift
}

// lend returns empty memory with room for n bytes and the class it belongs to.
func lend(n int) (*bytebufferpool.ByteBuffer, int) {
	i := classOf(n)
	if i == unpooled {
		return lendOutside(make([]byte, 0, n)), unpooled
	}
	c, size := &classes[i], MinClassBytes<<i
	mem := c.pool.Get()
	if cap(mem.B) < size {
		c.missed.Add(1)
		mem.B = make([]byte, 0, size)
	}
	c.lent.Add(1)
	checkUntouched(mem.B[:cap(mem.B)])
	return mem, i
}

// lendOutside enters memory that no class will take back.
func lendOutside(p []byte) *bytebufferpool.ByteBuffer {
	outside.lent.Add(1)
	outside.missed.Add(1)
	outsideBytes.Add(int64(cap(p)))
	return &bytebufferpool.ByteBuffer{B: p}
}

// take is the end of a loan.
func take(mem *bytebufferpool.ByteBuffer, i int) {
	all := mem.B[:cap(mem.B)]
	invariants.Poison(all)
	if i == unpooled {
		outside.back.Add(1)
		outsideBytes.Add(-int64(len(all)))
		return
	}
	classes[i].back.Add(1)
	// The pool learns which sizes are usual from the lengths that come back and
	// drops what is larger. With the whole room as length, it keeps them all.
	mem.B = all
	classes[i].pool.Put(mem)
}

// checkUntouched finds who wrote to memory after giving it back: it must hold
// nothing but poison, or nothing but the zeros of a fresh allocation.
func checkUntouched(b []byte) {
	if !invariants.Enabled {
		return
	}
	poison := bytes.Count(b, []byte{invariants.PoisonByte})
	zeros := bytes.Count(b, []byte{0})
	invariants.Check(poison == len(b) || zeros == len(b), "buf: bytes were written to after their release")
}
