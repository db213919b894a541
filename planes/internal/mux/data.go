package mux

import (
	"fmt"

	"github.com/wireplane/wireplane/codec/muxwire"
)

// over is the error of a command on a stream that has ended.
func (s *Session) over() error {
	if s.err != nil {
		return s.err
	}
	return errOver
}

var errOver = &Refusal{Code: muxwire.CodeCancelled, Reason: "the call is over"}

// Send sends an item on a stream that the peer opened; off bytes of it have gone
// in earlier calls. It returns how many have gone now, all told, and whether the item
// is complete. If it is not, EvWritable or TakeWritable tells when to go on. The item
// is copied.
func (s *Session) Send(id uint32, item []byte, off int) (n int, done bool, err error) {
	st := s.streams.get(id)
	if st == nil || st.is(cancelled|local) || s.err != nil {
		return off, false, s.over()
	}
	if len(item) > s.peer.MaxMessage {
		return off, false, &Refusal{Code: muxwire.CodeTooLarge,
			Reason: fmt.Sprintf("item of %d bytes, the peer takes %d", len(item), s.peer.MaxMessage)}
	}
	if off == 0 && !st.is(sendOpen) {
		if st.sentItems == st.itemLimit {
			st.flags |= wantCredit
			return 0, false, nil
		}
		if len(s.out) >= s.cfg.OutputHigh {
			s.waitOut(st)
			return 0, false, nil
		}
		if len(item) > 0 && st.sentBytes == st.byteLimit {
			st.flags |= wantCredit
			return 0, false, nil
		}
		st.flags |= sendOpen
	}
	n = s.sendPieces(st, item, off)
	return n, !st.is(sendOpen), nil
}

// sendPieces appends as many pieces of an item that was begun as credit and room
// allow, and notes what it waits for.
func (s *Session) sendPieces(st *stream, item []byte, off int) int {
	for {
		room := st.byteLimit - st.sentBytes
		piece := min(len(item)-off, FragmentBytes, s.peer.MaxBody)
		if uint64(piece) > room {
			piece = int(room)
		}
		last := off+piece == len(item)
		switch {
		case piece == 0 && !last:
			st.flags |= wantCredit
			return off
		case len(s.out) >= s.cfg.OutputHigh:
			s.waitOut(st)
			return off
		}
		f := s.frame(muxwire.FrameTypeData, st.id, st.sentItems)
		f.Class = st.class
		if st.is(finPending) {
			f.Arg = 0 // the request message is item 0, begun by OPEN
		}
		if !last {
			f.Flags = muxwire.FrameFlagsMore
		}
		f.Body.Bytes = item[off : off+piece]
		s.append(f)
		f.Body.Bytes = nil
		st.sentBytes += uint64(piece)
		off += piece
		if last {
			if !st.is(finPending) {
				st.sentItems++
				s.stats.ItemsOut++
			}
			st.flags = st.flags&^(sendOpen|finPending) | answered
			return off
		}
	}
}

// onData takes an item, or a piece of one ([mux-data-1]).
func (s *Session) onData(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	b := f.Body.Bytes
	st.recvBytes += uint64(len(b))
	if st.recvBytes > st.recvLimit {
		return evs, s.illegal(f, "beyond its credit in bytes")
	}
	if !st.is(local) {
		return s.onRequestData(st, f, evs)
	}
	if f.Arg != st.recvItems {
		return evs, s.illegal(f, fmt.Sprintf("item %d where %d was due", f.Arg, st.recvItems))
	}
	if st.recvItems == st.recvItemLimit {
		return evs, s.illegal(f, "beyond its credit in items")
	}
	st.phase = muxwire.PhaseStarted
	if len(st.partial)+len(b) > s.cfg.MaxMessage {
		return s.resetFor(st, muxwire.CodeTooLarge, fmt.Sprintf("an item above %d bytes", s.cfg.MaxMessage), evs), nil
	}
	more := f.Flags&muxwire.FrameFlagsMore != 0
	if more || len(st.partial) > 0 {
		if more && len(b) == 0 {
			return evs, s.illegal(f, "an empty piece")
		}
		st.partial = append(st.partial, b...)
		if more {
			if !s.assembling(st) {
				evs = s.resetFor(st, muxwire.CodeOverloaded, "the memory budget of the connection is used up", evs)
			}
			return evs, nil
		}
		b = st.partial
		st.partial = nil // handed over
	}
	st.recvItems++
	s.stats.ItemsIn++
	return append(evs, Event{Kind: EvItem, ID: st.id, Owner: st.owner, Data: b}), nil
}

// onRequestData takes a further piece of a request message.
func (s *Session) onRequestData(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	b := f.Body.Bytes
	more := f.Flags&muxwire.FrameFlagsMore != 0
	switch size := uint64(len(st.partial) + len(b)); {
	case st.is(requestDone):
		return evs, s.illegal(f, "the request message is complete")
	case f.Arg != 0:
		return evs, s.illegal(f, "the request message is item 0")
	case more && len(b) == 0:
		return evs, s.illegal(f, "an empty piece")
	case size > uint64(st.total), !more && size != uint64(st.total):
		return evs, s.illegal(f, "the pieces do not add up to the announced size")
	}
	st.partial = append(st.partial, b...)
	if more {
		return evs, nil
	}
	msg := st.partial
	st.partial = nil // handed over
	return append(evs, s.request(st, msg)), nil
}

// assembling grants credit for the rest of an item that arrives in pieces, so that
// an item may be larger than the window. The pieces stay charged to the budget. It
// reports false if the item cannot be completed within the budget: its pieces fill
// the window that is reserved, so nothing that the reader may still consume would
// bring credit. Short of that it grants what is left of the window, for the reader
// may have consumed everything else already. As long as there are whole items that it
// has not, credit for the rest is charged but not announced: else a reader that takes
// nothing would be sent one large item after another, up to the budget.
func (s *Session) assembling(st *stream) bool {
	if st.recvLimit-st.recvBytes >= uint64(st.window)/2 {
		return true
	}
	limit := st.recvBytes + uint64(st.window)
	if need := limit - st.consumed + st.itemReserve(s); need > st.reserved {
		if !s.fits(need - st.reserved) {
			if limit = st.consumed + uint64(st.window); limit <= st.recvLimit {
				return st.recvLimit > st.recvBytes || len(st.partial) < int(st.window)
			}
			need = st.reserved
		}
		s.reserve(st, need)
	}
	if st.unread() > 0 {
		limit = min(limit, st.consumed+uint64(st.window))
	}
	if limit > st.recvLimit {
		st.recvLimit = limit
		s.dueCredit(st)
	}
	return true
}

// unread is the bytes of whole items that the reader has not consumed.
func (st *stream) unread() uint64 { return st.recvBytes - uint64(len(st.partial)) - st.consumed }

// itemReserve is what the item credit beyond the first is charged with.
func (st *stream) itemReserve(s *Session) uint64 {
	return uint64(st.windowItems-uint32(s.cfg.WindowItems)) * itemCost
}

// Consume says that the reader of a stream of ours has taken items out of its
// queue, so that their credit can be granted again. It reports whether output is due.
// A stream keeps its window's share of the budget for life, so that what its reader
// has freed cannot be taken by another before it is granted again ([mux-budget-2]).
func (s *Session) Consume(id uint32, bytes uint64, items uint32) bool {
	st := s.streams.get(id)
	if st == nil || !st.is(local) {
		return false
	}
	st.consumed += min(bytes, st.recvBytes-uint64(len(st.partial))-st.consumed)
	st.consumedI += min(items, st.recvItems-st.consumedI)
	s.regrant(st)
	if len(st.partial) > 0 && st.unread() == 0 {
		s.assembling(st) // what was charged when the pieces came is announced now
	}
	return st.is(inCredits)
}

// regrant renews the credit of a stream once half of it is consumed. The window
// doubles when the sender had used all of it while the reader kept up: it grows by
// what is consumed, never by what arrives ([mux-credit-2]).
func (s *Session) regrant(st *stream) {
	// The reader cannot consume the pieces of an unfinished item, so they do not
	// count as ahead of it: else sender and reader could wait for each other.
	aheadB, aheadI := st.recvLimit-st.consumed-uint64(len(st.partial)), st.recvItemLimit-st.consumedI
	if aheadB > uint64(st.window)/2 && aheadI > st.windowItems/2 {
		return
	}
	if st.recvLimit-st.recvBytes < uint64(st.window)/4 || st.recvItemLimit-st.recvItems < st.windowItems/4 {
		s.grow(st)
	}
	st.recvLimit = max(st.recvLimit, st.consumed+uint64(st.window))
	if limit := st.consumedI + st.windowItems; int32(limit-st.recvItemLimit) > 0 {
		st.recvItemLimit = limit
	}
	need := max(uint64(st.window), st.recvLimit-st.consumed) + st.itemReserve(s)
	if len(st.partial) > 0 { // what assembling has charged stays
		need = max(need, min(st.reserved, st.recvBytes+uint64(st.window)-st.consumed+st.itemReserve(s)))
	}
	s.reserve(st, need)
	s.dueCredit(st)
}

// grow doubles the windows of st where that takes no more than an eighth of what
// is free of the budget. The caller reserves what has been added.
func (s *Session) grow(st *stream) {
	free := uint64(int64(s.cfg.MemoryBudget)-s.committed) / 8
	if add := uint64(st.window); add < free && 2*add <= uint64(s.cfg.MaxWindow) {
		st.window *= 2
		free -= add
	}
	if add := st.windowItems; uint64(add)*itemCost < free && 2*add <= 64*uint32(s.cfg.WindowItems) {
		st.windowItems *= 2
	}
}

// dueCredit notes that the credit of st is to be announced with the next output.
func (s *Session) dueCredit(st *stream) {
	if st.is(inCredits) {
		return
	}
	st.flags |= inCredits
	st.nextCredit = s.credits
	s.credits = st
}

// onCredit takes a new limit. Limits are cumulative: a lower one is old news.
func (s *Session) onCredit(st *stream, f *muxwire.Frame, evs []Event) ([]Event, error) {
	st.byteLimit = max(st.byteLimit, f.Body.Credit.Bytes)
	if int32(f.Arg-st.itemLimit) > 0 {
		st.itemLimit = f.Arg
	}
	if !st.is(wantCredit) {
		return evs, nil
	}
	st.flags &^= wantCredit
	if st.is(endPending) {
		s.pump(st)
		return evs, nil
	}
	return append(evs, Event{Kind: EvWritable, ID: st.id, Owner: st.owner}), nil
}
