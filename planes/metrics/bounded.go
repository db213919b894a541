package metrics

import (
	"sync"
	"unicode/utf8"
)

// other stands for every value beyond a bound.
const other = "other"

// bounded is the set of values of a label: room of them, then "other". Series are made
// under its lock, so that none is made for a value that has just been removed.
type bounded struct {
	mu   sync.RWMutex
	room int
	have map[string]struct{}
}

func newBounded(room int, known ...string) *bounded {
	b := &bounded{room: room + len(known), have: make(map[string]struct{}, len(known))}
	for _, k := range known {
		b.have[k] = struct{}{}
	}
	return b
}

// maxLabel bounds a value in bytes.
const maxLabel = 256

// with calls f with the value that stands for v. A text that Prometheus does not take,
// or a long one, is "other".
func (b *bounded) with(v string, f func(label string)) {
	if len(v) > maxLabel || !utf8.ValidString(v) {
		v = other
	}
	b.mu.RLock()
	if _, ok := b.have[v]; ok {
		f(v)
		b.mu.RUnlock()
		return
	}
	if len(b.have) >= b.room || v == other {
		f(other)
		b.mu.RUnlock()
		return
	}
	b.mu.RUnlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.have[v]; !ok {
		if len(b.have) >= b.room {
			f(other)
			return
		}
		b.have[v] = struct{}{}
	}
	f(v)
}

// label returns the value that stands for v, where values are never removed.
func (b *bounded) label(v string) (label string) {
	b.with(v, func(l string) { label = l })
	return label
}

// sweep removes the values that keep does not want, if there is no room left, and calls
// gone for each.
func (b *bounded) sweep(keep func(string) bool, gone func(string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.have) < b.room {
		return
	}
	for v := range b.have {
		if !keep(v) {
			delete(b.have, v)
			gone(v)
		}
	}
}
