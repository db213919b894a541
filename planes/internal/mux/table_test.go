package mux

import (
	"math/rand/v2"
	"testing"
)

// The table agrees with a map over any sequence of insertions and deletions, with
// ids in runs and far apart.
func TestTableAgreesWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		tab := table{scatter: rng.Uint32()}
		want := map[uint32]*stream{}
		next := uint32(1)
		var live []uint32
		for range 2000 {
			if len(live) == 0 || rng.IntN(100) < 55 {
				next += 2 * uint32(1+rng.IntN(1+round*round))
				st := &stream{id: next}
				tab.put(st)
				want[next] = st
				live = append(live, next)
				continue
			}
			i := rng.IntN(len(live))
			tab.del(live[i])
			delete(want, live[i])
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		if tab.n != len(want) {
			t.Fatalf("round %d: %d streams, want %d", round, tab.n, len(want))
		}
		// Every id where they are dense, else those that are there and their neighbours.
		for id := uint32(1); id <= min(next+2, 10000); id++ {
			if tab.get(id) != want[id] {
				t.Fatalf("round %d: get(%d) = %p, want %p", round, id, tab.get(id), want[id])
			}
		}
		for _, live := range live {
			for id := max(live-1, 1); id <= live+2; id++ {
				if tab.get(id) != want[id] {
					t.Fatalf("round %d: get(%d) = %p, want %p", round, id, tab.get(id), want[id])
				}
			}
		}
	}
}

// Runs of neighbouring ids, as calls make them, cost a few probes each.
func BenchmarkTable(b *testing.B) {
	tab := table{scatter: 0x9e3779b1}
	sts := make([]stream, 256)
	for i := range sts {
		sts[i].id = uint32(2*i + 1)
		tab.put(&sts[i])
	}
	next := uint32(2*len(sts) + 1)
	for i := 0; b.Loop(); i++ {
		st := &sts[i%len(sts)]
		tab.del(st.id)
		st.id = next
		next += 2
		tab.put(st)
		if tab.get(st.id) != st {
			b.Fatal("lost")
		}
	}
}
