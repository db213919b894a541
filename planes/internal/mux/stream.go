package mux

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// stream is one call. All counters are cumulative, so that a repeated or merged
// credit is harmless ([mux-credit-1]).
type stream struct {
	id    uint32
	flags streamFlags
	phase muxwire.Phase
	class muxwire.Class
	owner any

	// what this side sends
	sentBytes, byteLimit uint64
	sentItems, itemLimit uint32
	openEnd              uint64 // output offset after OPEN: taken beyond it means that the peer may know the call

	// what this side receives
	recvBytes, recvLimit, consumed      uint64
	recvItems, recvItemLimit, consumedI uint32
	window                              uint32 // bytes granted ahead of the consumer
	windowItems                         uint32
	partial                             []byte // pieces of an unfinished item
	total                               uint32 // announced size of the request message
	meta                                uint32 // accepter: bytes of headers and state, which the owner keeps
	reserved                            uint64 // bytes of the budget: at least recvLimit-consumed, or the request while its handler runs

	pend     []byte // a last item that waits for credit (End)
	pendOff  int
	deadline time.Duration // 0: none

	nextCredit, nextStart, nextOut *stream // intrusive lists
}

type streamFlags uint16

const (
	local       streamFlags = 1 << iota // opened by this side
	requestDone                         // accepter: the request message is complete
	sendOpen                            // inside an item that was begun
	cancelled                           // the peer or the deadline ended it; the handler still holds the slot
	finPending                          // dialer: FIN goes with the last piece of the request
	endPending                          // END goes out when pend has
	wantCredit                          // waits for credit
	inCredits                           // is in Session.credits
	inStarts                            // is in Session.starts
	inOuts                              // is in Session.outs
	answered                            // an item or END went out, which implies STARTED
	started                             // the handler runs
	stopped                             // STOP was sent: asking again says nothing new
)

func (st *stream) is(f streamFlags) bool { return st.flags&f != 0 }

// table maps stream ids to streams: open addressing with linear probing, at most
// three quarters full. Ids are scattered first: they come in runs, and a run of neighbours
// would have to be walked to its end by every deletion.
type table struct {
	slots   []entry
	scatter uint32 // Config.Scatter
	shift   uint8  // 32 less the bits of an index
	n       int
}

type entry struct {
	id uint32 // 0: free
	st *stream
}

func (t *table) home(id uint32) uint32 { return id * (t.scatter | 1) >> t.shift }

func (t *table) get(id uint32) *stream {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint32(len(t.slots) - 1)
	for i := t.home(id); ; i = (i + 1) & mask {
		if e := &t.slots[i&mask]; e.id == id || e.id == 0 {
			return e.st
		}
	}
}

func (t *table) put(st *stream) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.grow()
	}
	mask := uint32(len(t.slots) - 1)
	i := t.home(st.id) & mask
	for t.slots[i].id != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = entry{st.id, st}
	t.n++
}

func (t *table) grow() {
	old := t.slots
	size := max(4, 2*len(old))
	t.slots = make([]entry, size)
	t.shift = uint8(33 - bits.Len(uint(size)))
	t.n = 0
	for _, e := range old {
		if e.id != 0 {
			t.put(e.st)
		}
	}
}

// del removes id and moves later entries of the probe chain back.
func (t *table) del(id uint32) {
	mask := uint32(len(t.slots) - 1)
	i := t.home(id) & mask
	for t.slots[i].id != id {
		i = (i + 1) & mask
	}
	t.n--
	for j := i; ; {
		t.slots[i] = entry{}
		for {
			j = (j + 1) & mask
			if t.slots[j].id == 0 {
				return
			}
			if (j-t.home(t.slots[j].id))&mask >= (j-i)&mask {
				break
			}
		}
		t.slots[i] = t.slots[j]
		i = j
	}
}

// sorted returns the streams, lowest id first, so that what a fault does to many
// calls does not depend on where they stand.
func (t *table) sorted() []*stream {
	list := make([]*stream, 0, t.n)
	for _, e := range t.slots {
		if e.id != 0 {
			list = append(list, e.st)
		}
	}
	byID(list)
	return list
}

func byID(list []*stream) {
	slices.SortFunc(list, func(a, b *stream) int { return cmp.Compare(a.id, b.id) })
}
