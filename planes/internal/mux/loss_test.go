package mux_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// mux-end-2: a frame that something on the way lost, doubled or moved never makes a
// call end cleanly with other items than were sent.
func TestLostDoubledAndMovedFrames(t *testing.T) {
	for _, x := range exchanges(t, true) {
		frames := cut(t, x.rest)
		want := x.results(frames)
		for i := range frames {
			lost := slices.Delete(slices.Clone(frames), i, i+1)
			doubled := slices.Insert(slices.Clone(frames), i, frames[i])
			for j := range frames {
				moved := slices.Insert(slices.Clone(lost), min(j, len(lost)), frames[i])
				for what, mutated := range map[string][][]byte{"lost": lost, "doubled": doubled, fmt.Sprint("moved to ", j): moved} {
					for id, got := range x.results(mutated) {
						if got.clean && !slices.Equal(got.items, want[id].items) {
							t.Errorf("%s, frame %d %s: call %d ended cleanly with %q, want %q", x.name, i, what, id, got.items, want[id].items)
						}
						if piece(frames[i]) {
							continue // a piece has no number of its own: what is lost shows in the totals
						}
						if n := min(len(got.items), len(want[id].items)); !slices.Equal(got.items[:n], want[id].items[:n]) || got.ends > 1 {
							t.Errorf("%s, frame %d %s: call %d got %q and %d ends", x.name, i, what, id, got.items, got.ends)
						}
					}
				}
			}
		}
	}
}

// piece reports whether b is one of the pieces of item 2.
func piece(b []byte) bool { return muxwire.FrameType(b[3]) == muxwire.FrameTypeData && b[11] == 2 }

// cut returns the frames of b.
func cut(t *testing.T, b []byte) (frames [][]byte) {
	for len(b) > 0 {
		n, _, err := muxwire.FrameLen(b, nil, true)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		frames, b = append(frames, b[:n]), b[n:]
	}
	return frames
}

// result is what one call came to.
type result struct {
	items []string
	ends  int
	clean bool
}

func (x *exchange) results(frames [][]byte) map[uint32]result {
	e := newEnd(mux.Config{Role: x.role, WindowBytes: 4096, WindowItems: 8}, time.Hour)
	e.receive(time.Hour, x.hello)
	x.setup(e.s)
	for _, f := range frames {
		e.receive(time.Hour, f)
	}
	all := make(map[uint32]result)
	for _, ev := range e.evs {
		r := all[ev.ID]
		if ev.Kind == mux.EvItem || ev.HasItem {
			r.items = append(r.items, string(ev.Data))
		}
		if ev.Kind == mux.EvEnd {
			r.ends++
			r.clean = ev.Code == muxwire.CodeOk
		}
		all[ev.ID] = r
	}
	return all
}
