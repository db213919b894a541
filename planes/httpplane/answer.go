package httpplane

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// queueBytes is what an answer holds for a reader that is slower than the handler;
// beyond it Send waits. One item may stand above it.
const queueBytes = 64 << 10

// batch is some items in a row.
type batch struct {
	first uint64 // index of the first
	data  []byte
	ends  []int
}

func (b *batch) reset(first uint64) { b.first, b.data, b.ends = first, b.data[:0], b.ends[:0] }

// answer joins a handler that sends items to a goroutine that writes them to an HTTP
// response. What comes while a write is under way leaves with the next one, so that
// small items are gathered under backlog and a single one never waits.
type answer struct {
	mu     sync.Mutex
	queue  batch
	spare  batch
	sent   itemstream.Totals // taken from the handler
	ended  bool
	why    *itemstream.Failure // of an answer that ended and is not whole
	broken *planes.Error       // why nothing more can be sent

	// Of an answer that can be resumed: what was taken last, within the bounds.
	keepBytes, keepItems int
	kept                 []batch
	keptBytes, keptItems int
	began                bool // the handler runs, so "not started" is not believed

	moved atomic.Uint64 // grows with what readers take

	wake chan struct{} // to the writer, of 1: something changed
	room chan struct{} // to the handler, of 1: something changed
}

func newAnswer() *answer {
	return &answer{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// send queues a copy of item, and waits while the queue is full.
func (a *answer) send(ctx context.Context, item []byte) error {
	for {
		a.mu.Lock()
		switch {
		case a.broken != nil:
			defer a.mu.Unlock()
			return a.broken
		case a.ended:
			a.mu.Unlock()
			return &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Op: "send", Reason: "the answer is over"}
		case len(a.queue.data) < queueBytes && len(a.queue.ends) < queueBytes/16:
			a.queue.data = append(a.queue.data, item...)
			a.queue.ends = append(a.queue.ends, len(a.queue.data))
			a.sent.Items++
			a.sent.Bytes += uint64(len(item))
			a.mu.Unlock()
			poke(a.wake)
			return nil
		}
		a.mu.Unlock()
		select {
		case <-a.room:
		case <-ctx.Done():
			return a.gaveUp(ctx)
		}
	}
}

func (a *answer) gaveUp(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	return &planes.Error{Code: planes.CodeOf(ctx.Err()), Phase: planes.PhaseStarted, Op: "send", Err: context.Cause(ctx)}
}

// end ends the answer, once: cleanly if err is nil.
func (a *answer) end(err error) {
	a.mu.Lock()
	if !a.ended {
		a.ended = true
		if err != nil {
			sent := a.sent.Items
			if a.began {
				sent = max(sent, 1)
			}
			f := verdict(err, sent)
			a.why = &f
		}
	}
	a.mu.Unlock()
	poke(a.wake)
	poke(a.room)
}

// breakWith makes every further send fail with e; the first e counts.
func (a *answer) breakWith(e *planes.Error) {
	a.mu.Lock()
	if a.broken == nil {
		a.broken = e
	}
	a.mu.Unlock()
	poke(a.room)
	poke(a.wake)
}

// state is what the writer has to know.
type state struct {
	items bool // there are items to take
	ended bool
	why   *itemstream.Failure
	sent  itemstream.Totals
}

func (a *answer) state() state {
	a.mu.Lock()
	defer a.mu.Unlock()
	return state{len(a.queue.ends) > 0, a.ended, a.why, a.sent}
}

// take hands out what is queued; it is borrowed until the next take.
func (a *answer) take() *batch {
	a.mu.Lock()
	if a.keepItems > 0 {
		b := a.takeKept()
		a.mu.Unlock()
		poke(a.room)
		return b
	}
	b := a.queue
	next := b.first + uint64(len(b.ends))
	if a.spare, a.queue = b, a.spare; cap(a.queue.data) > 4*queueBytes {
		a.queue.data = nil // one large item does not keep its memory
	}
	a.queue.reset(next)
	a.mu.Unlock()
	poke(a.room)
	return &a.spare
}

func (a *answer) takeKept() *batch {
	b := a.queue
	a.queue = batch{first: b.first + uint64(len(b.ends))}
	a.kept = append(a.kept, b)
	a.keptBytes += len(b.data)
	a.keptItems += len(b.ends)
	for len(a.kept) > 1 && (a.keptBytes > a.keepBytes || a.keptItems > a.keepItems) {
		a.keptBytes -= len(a.kept[0].data)
		a.keptItems -= len(a.kept[0].ends)
		a.kept[0] = batch{}
		a.kept = a.kept[1:]
	}
	return &b
}

// since returns what was taken before and is not older than the item with index from;
// false if that is not held any more, or was never sent.
func (a *answer) since(from uint64) ([]batch, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	oldest := a.queue.first
	if len(a.kept) > 0 {
		oldest = a.kept[0].first
	}
	if from < oldest || from > a.queue.first {
		return nil, false
	}
	return append([]batch(nil), a.kept...), true
}

// pace is how an answer is written.
type pace struct {
	format    itemstream.Format
	heartbeat time.Duration // between two of them, when nothing else is to be said
	status    time.Duration // how long the status waits for a first item or a refusal
	stall     time.Duration // how long a chunk may take
}

// chunk is what must get through within pace.stall, so that a reader of a large item
// that is slow and goes on is no reader that takes nothing.
const chunk = 64 << 10

// sink is one HTTP response that an answer is written to.
type sink struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	pace pace
	buf  []byte // reused

	moved   *atomic.Uint64    // the answer's
	begun   bool              // the status is written
	written itemstream.Totals // items that were written
}

func newSink(w http.ResponseWriter, a *answer, p pace) *sink {
	return &sink{w: w, rc: http.NewResponseController(w), pace: p, moved: &a.moved}
}

// begin writes status and headers. Alone, with nothing to follow at once, they leave
// with a heartbeat, so that what stands between passes them on.
func (s *sink) begin(name string, alone bool) error {
	h := s.w.Header()
	h.Set("Content-Type", s.pace.format.MediaType())
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	if name != "" {
		h.Set(HeaderStream, name)
	}
	s.begun = true
	s.w.WriteHeader(http.StatusOK)
	if !alone {
		return nil
	}
	return s.write(itemstream.AppendAlive(s.buf[:0], s.pace.format))
}

func (s *sink) write(b []byte) error {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), chunk)
		_ = s.rc.SetWriteDeadline(time.Now().Add(s.pace.stall)) // not every ResponseWriter can
		if _, err := s.w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		s.moved.Add(1)
	}
	if s.buf = b[:0]; cap(s.buf) > 4*queueBytes {
		s.buf = nil
	}
	return s.rc.Flush()
}

func (s *sink) items(b *batch, from uint64) error {
	out, start := s.buf[:0], 0
	for i, end := range b.ends {
		if index := b.first + uint64(i); index >= from {
			out = itemstream.AppendItem(out, s.pace.format, index, b.data[start:end])
			s.written.Items++
			s.written.Bytes += uint64(end - start)
		}
		start = end
	}
	return s.write(out)
}

// finish writes the terminal; it leaves when the HTTP handler returns, with the end
// of the body.
func (s *sink) finish(why *itemstream.Failure, t itemstream.Totals) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.pace.stall))
	b := s.buf[:0]
	if why != nil {
		b = itemstream.AppendFailure(b, s.pace.format, why, t)
	} else {
		b = itemstream.AppendEnd(b, s.pace.format, t)
	}
	_, err := s.w.Write(b)
	return err
}

// run writes a to s until the terminal is written, the reader has gone (ctx ends) or
// takes nothing. It reports whether the answer was delivered. An answer that fails
// before its first item, soon enough, becomes an HTTP status.
func (s *sink) run(ctx context.Context, a *answer, name string) error {
	early := time.NewTimer(s.pace.status)
	defer early.Stop()
	beat := time.NewTimer(s.pace.heartbeat)
	defer beat.Stop()
	for {
		st := a.state()
		var err error
		switch {
		case !s.begun && st.ended && st.why != nil && !st.items && st.sent.Items == 0:
			writeError(s.w, *st.why, 0, nil)
			return nil
		case !s.begun && (st.items || st.ended):
			err = s.begin(name, false)
		case st.items:
			err = s.items(a.take(), 0)
			beat.Reset(s.pace.heartbeat)
		case st.ended:
			return s.finish(st.why, st.sent)
		default:
			select {
			case <-a.wake:
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-early.C:
				if !s.begun {
					err = s.begin(name, true)
				}
			case <-beat.C:
				if s.begun {
					err = s.write(itemstream.AppendAlive(s.buf[:0], s.pace.format))
				}
				beat.Reset(s.pace.heartbeat)
			}
		}
		if err != nil {
			return err
		}
	}
}

// late writes the terminal of an answer whose time is up while the handler still runs.
func (s *sink) late() {
	f := verdict(errLate, 1)
	f.Origin = planes.OriginPeer
	if !s.begun {
		f.Phase = planes.PhaseMaybe
		writeError(s.w, f, 0, nil)
	} else {
		_ = s.finish(&f, s.written)
	}
	_ = s.rc.Flush()
}
