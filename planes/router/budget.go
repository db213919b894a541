package router

import "sync"

// budget lets retries be a share of the calls: each call earns a share of a retry, up
// to maxSaved, and each retry costs one.
type budget struct {
	mu    sync.Mutex
	share float64
	saved float64
}

const maxSaved, savedAtStart = 100, 10

func (b *budget) init(share float64) { b.share, b.saved = share, savedAtStart }

func (b *budget) earn() {
	b.mu.Lock()
	b.saved = min(b.saved+b.share, maxSaved)
	b.mu.Unlock()
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}
