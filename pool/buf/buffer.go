package buf

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"

	"github.com/wireplane/wireplane/internal/invariants"
)

// Buffer is a growing run of bytes with a reference count. It is made by Get;
// the zero value is not usable.
type Buffer struct {
	mem   *bytebufferpool.ByteBuffer
	class int // index in classes, or unpooled
	refs  atomic.Int32
}

// shells holds Buffers without memory, so that a Get from warm pools allocates
// nothing.
var shells = sync.Pool{New: func() any { return new(Buffer) }}

// Get returns an empty buffer with room for at least n bytes and one reference,
// which the caller releases. A negative n counts as zero.
func Get(n int) *Buffer {
	b := shells.Get().(*Buffer)
	b.mem, b.class = lend(n)
	b.refs.Store(1)
	return b
}

// Bytes returns the content: borrowed until the buffer is changed or released.
// Its capacity beyond the length is free for the holder of the only reference,
// who hands the result back with Set.
func (b *Buffer) Bytes() []byte {
	b.checkHeld("Bytes")
	return b.mem.B
}

// Len returns the number of bytes in the buffer.
func (b *Buffer) Len() int { return len(b.Bytes()) }

// Append adds a copy of p.
func (b *Buffer) Append(p []byte) {
	b.Grow(len(p))
	b.mem.B = append(b.mem.B, p...)
}

// Grow makes room for n more bytes. The content moves to a larger class where
// the present one is too small, at least doubling its room.
func (b *Buffer) Grow(n int) {
	b.checkHeld("Grow")
	have := b.mem.B
	if n <= cap(have)-len(have) {
		return
	}
	mem, class := lend(max(len(have)+n, 2*cap(have)))
	mem.B = append(mem.B, have...)
	take(b.mem, b.class)
	b.mem, b.class = mem, class
}

// Set makes p the content. p is what append made of Bytes; where append moved
// the bytes elsewhere, p is taken and is the garbage collector's in the end.
//
//	dst, err := m.Append(b.Bytes())
//	if err == nil {
//		b.Set(dst)
//	}
func (b *Buffer) Set(p []byte) {
	b.checkHeld("Set")
	if sameArray(p, b.mem.B) {
		b.mem.B = p
		return
	}
	take(b.mem, b.class)
	b.mem, b.class = lendOutside(p), unpooled
}

// sameArray tells whether p starts where held does and may therefore go back to
// held's pool.
func sameArray(p, held []byte) bool {
	return cap(p) == cap(held) && cap(p) > 0 && &p[:1][0] == &held[:1][0]
}

// Truncate keeps the first n bytes. It panics as a slice expression does if
// there are fewer.
func (b *Buffer) Truncate(n int) {
	b.checkHeld("Truncate")
	_ = b.mem.B[:len(b.mem.B):len(b.mem.B)][:n] // n is bounded by the length, not by the room
	b.mem.B = b.mem.B[:n]
}

// Clone returns a copy of the content that the caller owns.
func (b *Buffer) Clone() []byte { return slices.Clone(b.Bytes()) }

// Retain adds a reference, which its holder releases, and returns b.
func (b *Buffer) Retain() *Buffer {
	n := b.refs.Add(1)
	invariants.Check(n > 1, "buf: Retain of a released buffer")
	return b
}

// Release gives a reference back. After the last one the memory is lent to
// others: neither b nor any slice of it may be used.
func (b *Buffer) Release() {
	n := b.refs.Add(-1)
	if n > 0 {
		return
	}
	invariants.Check(n == 0, "buf: Release of a released buffer")
	if n < 0 {
		return // leaking is safer than lending the same memory to two holders
	}
	mem, class := b.mem, b.class
	b.mem = nil
	take(mem, class)
	if !invariants.Enabled {
		// With checks on, a shell is never used twice: its count stays at zero
		// and tells a Release too many from a rightful one.
		shells.Put(b)
	}
}

// Refs returns how many references there are now. It is for tests and
// diagnostics; another goroutine may change it at once.
func (b *Buffer) Refs() int { return int(b.refs.Load()) }

func (b *Buffer) checkHeld(op string) {
	if invariants.Enabled {
		invariants.Check(b.refs.Load() > 0, "buf: %s of a released buffer", op)
	}
}
