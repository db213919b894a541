package core

import (
	"math/bits"
	"sync"
)

// Buffers are powers of two from 1 KiB to 2 MiB, pooled by size, so that a connection which is idle holds none. A queue
// is made of pieces of at most 64 KiB; the larger ones hold unread tails.
const (
	minChunkShift  = 10
	maxChunkShift  = 21
	maxQueuedBytes = 64 << 10
)

// chunk is a pooled piece of an outbound queue or an unread tail.
type chunk struct {
	next *chunk
	b    []byte
}

var chunkPools [maxChunkShift - minChunkShift + 1]sync.Pool

// getChunk returns an empty chunk with room for at least n bytes; above 2 MiB it is not pooled.
func getChunk(n int) *chunk {
	if n > 1<<maxChunkShift {
		return &chunk{b: make([]byte, 0, n)}
	}
	class := 0
	if n > 1<<minChunkShift {
		class = bits.Len(uint(n-1)) - minChunkShift
	}
	if k, ok := chunkPools[class].Get().(*chunk); ok {
		return k
	}
	return &chunk{b: make([]byte, 0, 1<<(class+minChunkShift))}
}

// putChunk gives a chunk back; the caller must hold no slice of it any more.
func putChunk(k *chunk) {
	size := cap(k.b)
	if size > 1<<maxChunkShift || size < 1<<minChunkShift || size&(size-1) != 0 {
		return
	}
	k.next, k.b = nil, k.b[:0]
	chunkPools[bits.Len(uint(size))-1-minChunkShift].Put(k)
}
