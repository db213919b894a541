package callhome

import (
	"io"

	"github.com/wireplane/wireplane/planes"
)

// Play gives bytes to the router's side of a response and returns its items and
// terminal; the response is ours.
func Play(r io.Reader, maxItem int) (items [][]byte, err error) {
	f, a := frames{maxItem: maxItem}, answer{ours: true}
	for {
		h, b, err := f.next(r)
		if err != nil {
			return items, a.cutShort(err)
		}
		item, ok, _, err := a.frame(h, b)
		if ok {
			items = append(items, append([]byte(nil), item...))
		}
		if err != nil {
			return items, err
		}
	}
}

// Bound reports whether the router has opened the stream of w.
func Bound(w planes.StreamWriter) bool {
	m := w.(*muxWriter)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sw != nil
}
