package tcpplane

import (
	"context"
	"io"
	"iter"
	"sync"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
	"github.com/wireplane/wireplane/pool/buf"
)

// Stream is the caller's end of a response stream. Recv, All and Close are for one
// goroutine; Stop may be called from any.
type Stream struct {
	c     *Client
	l     *link
	id    uint32
	route string
	more  chan struct{}
	unctx func() bool // stops watching the context

	mu      sync.Mutex
	queue   chunk         // items that came and were not yet taken
	waiting bool          // Recv waits for a token
	wake    chan struct{} // one token
	over    bool          // end is set
	end     *planes.Error // nil: a clean end

	cur   chunk // items that Recv hands out
	pos   int   // bytes of cur handed out
	next  int   // index in cur of the next item
	taken uint64
}

// chunk is a run of items in one buffer.
type chunk struct {
	data *buf.Buffer
	ends []int // where each item ends
}

func (k *chunk) add(b []byte) {
	if k.data == nil {
		k.data = buf.Get(max(len(b), 512))
	}
	k.data.Append(b)
	k.ends = append(k.ends, k.data.Len())
}

func (k *chunk) release() {
	if k.data != nil {
		k.data.Release()
		k.data = nil
	}
	if cap(k.ends) > 64 {
		k.ends = nil
	}
	k.ends = k.ends[:0]
}

// Stream calls a route that answers with any number of items. ctx governs the whole
// stream: when it ends, the stream ends at both ends. req is read until Stream
// returns. The caller reads until Recv returns an error, or calls Close.
func (c *Client) Stream(ctx context.Context, req *planes.Request) (*Stream, error) {
	s := &Stream{c: c, route: req.Route, wake: make(chan struct{}, 1)}
	if len(req.Payload) > 1<<10 {
		s.more = make(chan struct{}, 1)
	}
	l, id, err := c.open(ctx, req, s, "stream", s.more)
	if err != nil {
		return nil, err
	}
	s.l, s.id = l, id
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { s.cancelled(ctx) })
		s.mu.Lock()
		s.unctx = stop
		s.mu.Unlock()
	}
	return s, nil
}

// cancelled ends the stream because its context has ended.
func (s *Stream) cancelled(ctx context.Context) {
	if err := s.c.abandon(ctx, s.l, s.id, s.route, "stream"); err != nil {
		s.finish(err.(*planes.Error)) //nolint:errorlint,forcetypeassert // abandon makes nothing else
	}
}

// finish sets the terminal. Items that came before it are still handed out.
func (s *Stream) finish(end *planes.Error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.end = true, end
	waiting := s.waiting
	s.waiting = false
	s.mu.Unlock()
	if waiting {
		s.wake <- struct{}{}
	}
}

// eventFor takes what happened to the stream. It runs under link.deliver.
func (s *Stream) eventFor(ev *mux.Event) {
	switch ev.Kind { //nolint:exhaustive // progress marks mean nothing here
	case mux.EvItem:
		s.push(ev.Data)
	case mux.EvWritable:
		s.writable()
	case mux.EvEnd:
		s.writable() // a request that is still being sent has no reader any more
		if ev.HasItem {
			s.push(ev.Data)
		}
		if ev.Code == planes.CodeOK {
			s.finish(nil)
		} else {
			s.finish(ended(ev, "stream", s.route, s.c.cfg.Addr))
		}
	}
}

func (s *Stream) push(b []byte) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.queue.add(b)
	waiting := s.waiting
	s.waiting = false
	s.mu.Unlock()
	if waiting {
		s.wake <- struct{}{}
	}
}

// writable lets a request that waits for credit go on.
func (s *Stream) writable() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// Recv returns the next item, borrowed until the next Recv or Close. After the last
// item it returns io.EOF if the stream ended cleanly and its totals agree, and the
// *planes.Error that ended it otherwise. When ctx ends first, Recv returns its error
// and the stream goes on.
func (s *Stream) Recv(ctx context.Context) ([]byte, error) {
	for s.next == len(s.cur.ends) {
		if err := s.refill(ctx); err != nil {
			return nil, err
		}
	}
	from, to := s.pos, s.cur.ends[s.next]
	s.next++
	s.pos = to
	return s.cur.data.Bytes()[from:to:to], nil
}

// refill returns the credit of the items that were handed out, and takes all that
// have come since.
func (s *Stream) refill(ctx context.Context) error {
	if n := len(s.cur.ends); n > 0 {
		s.taken += uint64(n)
		bytes := uint64(s.cur.data.Len())
		s.cur.release()
		s.pos, s.next = 0, 0
		s.mu.Lock()
		over := s.over
		s.mu.Unlock()
		if !over {
			s.consumed(bytes, uint32(n))
		}
	}
	for {
		s.mu.Lock()
		if len(s.queue.ends) > 0 {
			s.cur, s.queue = s.queue, s.cur
			s.mu.Unlock()
			return nil
		}
		if s.over {
			end := s.end
			s.mu.Unlock()
			return s.terminal(end)
		}
		s.waiting = true
		s.mu.Unlock()
		if ctx.Done() == nil {
			<-s.wake
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			s.mu.Lock()
			mine := s.waiting
			s.waiting = false
			s.mu.Unlock()
			if !mine {
				<-s.wake // something came meanwhile: it wins
				continue
			}
			return ctx.Err()
		}
	}
}

func (s *Stream) terminal(end *planes.Error) error {
	s.unwatch()
	if end == nil {
		return io.EOF
	}
	return end
}

// unwatch stops watching the context.
func (s *Stream) unwatch() {
	s.mu.Lock()
	stop := s.unctx
	s.unctx = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// consumed gives credit back for items that were handed out.
func (s *Stream) consumed(bytes uint64, items uint32) {
	s.l.mu.Lock()
	due := s.l.sess.Consume(s.id, bytes, items)
	s.l.roomLocked()
	s.l.mu.Unlock()
	if due {
		s.l.nc.Wake()
	}
}

// All returns the items as a sequence. A stream that ends cleanly ends the sequence;
// otherwise the last pair carries the error. Breaking out of the loop closes the
// stream. Items are borrowed until the next step.
func (s *Stream) All(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer s.Close()
		for {
			item, err := s.Recv(ctx)
			if err == io.EOF { //nolint:errorlint // Recv returns it bare
				return
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Stop asks the handler to finish early: its context ends, and what it has sent
// still arrives, as does the terminal.
func (s *Stream) Stop() {
	s.l.mu.Lock()
	s.l.sess.Stop(s.id, "the caller asks for an early end")
	s.l.mu.Unlock()
	s.l.nc.Wake()
}

// Close ends the stream at both ends, unless it is over, and frees its items. It
// may be called more than once. It returns nil.
func (s *Stream) Close() error {
	s.unwatch()
	s.l.deliver.Lock()
	s.l.mu.Lock()
	_, items, ok := s.l.sess.Reset(s.id, planes.CodeCancelled, "the caller closed the stream")
	s.l.roomLocked()
	s.l.mu.Unlock()
	s.l.deliver.Unlock()
	if ok {
		s.l.nc.Wake()
	}
	closed := &planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseStarted, Op: "stream", Route: s.route,
		Target: s.c.cfg.Addr, Reason: "the caller closed the stream", Items: items}
	s.finish(closed)
	s.mu.Lock()
	if s.end == nil && (len(s.queue.ends) > 0 || s.next < len(s.cur.ends)) {
		s.end = closed // it ended cleanly, but not for a reader who did not see all of it
	}
	s.queue.release()
	s.mu.Unlock()
	s.cur.release()
	s.pos, s.next = 0, 0
	return nil
}
