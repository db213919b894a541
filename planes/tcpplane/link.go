package tcpplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// start is where this process counts time from; one second is added because 0 means "never".
var start = time.Now().Add(-time.Second)

func monotonic() time.Duration { return time.Since(start) }

// side is what a client or a server does with the events of its connections.
type side interface {
	// config returns the configurations of the connections.
	config() *configs
	// opened runs once, before any event.
	opened(l *link)
	// events handles a batch in order. It runs under link.deliver.
	events(l *link, w *batch)
	// closedLink runs once, after the events of the connection's end.
	closedLink(l *link, why *mux.ConnError)
}

// waiter is an owner of a stream that may wait for credit or room.
type waiter interface{ writable() }

// link is one connection: a mux.Session, its lock, and the netpoll.Conn that moves
// its bytes.
//
// Two locks, always taken in this order: deliver is held while a batch of events
// is made and handed out, so that events arrive in order and none is under way
// once a caller that took deliver has reset its call; mu guards the session.
type link struct {
	side side
	own  *configs      // instead of those of side, if this side dialled what it serves
	nc   *netpoll.Conn // set by opened
	log  *slog.Logger

	deliver sync.Mutex
	leaving bool // the peer has said GOAWAY; guarded by deliver

	mu    sync.Mutex
	sess  *mux.Session  // made when the connection is open
	batch *batch        // the one under way, for accept
	now   time.Duration // when it came
	route []byte        // scratch of Open
	full  chan struct{} // closed when the peer takes more calls; nil if nobody waits
	armed time.Duration
	timer *time.Timer

	ready chan struct{} // of who waits for it: closed when calls may be opened, or when the connection is gone
	once  sync.Once
	turn  atomic.Bool   // callers that the latest batch has woken run just now
	ended bool          // the connection is gone and its calls are told
	done  chan struct{} // closed then; made when somebody waits for it, see gone
}

func newLink(s side, role mux.Role, log *slog.Logger) *link {
	l := &link{side: s, log: log}
	if role == mux.Dialer {
		l.ready = make(chan struct{})
	}
	return l
}

// batch is the working memory of one round of events. Batches are shared by all
// connections through a pool, because only as many as there are loops are in use.
type batch struct {
	evs     []mux.Event
	inline  []inlineCall
	out     []byte
	replies []reply
	woken   int       // callers whose calls are over
	surplus []surplus // unary calls that got more than one item
	spawned []uint32  // calls whose handlers were started in this batch
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func getBatch() *batch { return batches.Get().(*batch) }

func putBatch(w *batch) {
	clear(w.evs)
	clear(w.inline)
	w.woken = 0
	clear(w.surplus)
	w.surplus = w.surplus[:0]
	w.evs, w.inline, w.out, w.replies, w.spawned = w.evs[:0], w.inline[:0], w.out[:0], w.replies[:0], w.spawned[:0]
	if cap(w.out) > 1<<20 {
		w.out = nil
	}
	batches.Put(w)
}

// OnOpen starts the handshake and the clock of the connection.
func (l *link) OnOpen(c *netpoll.Conn) {
	all := l.own
	if all == nil {
		all = l.side.config()
	}
	cfg := all.to(c.RemoteAddr())
	var accept mux.AcceptFunc
	if _, serves := l.side.(*Server); serves {
		accept = l.accept
	}
	l.mu.Lock()
	l.nc = c
	l.sess = mux.NewShared(cfg, accept, monotonic())
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.armLocked()
	l.mu.Unlock()
	l.side.opened(l)
	c.Wake()
}

// OnData gives the bytes to the session and hands out what they mean.
func (l *link) OnData(c *netpoll.Conn, b []byte) (int, error) {
	w := getBatch()
	n, left, err := l.receive(w, b)
	woken := w.woken
	putBatch(w)
	if woken > 0 {
		l.turn.Store(true)
		yield(woken, left)
		l.turn.Store(false)
	}
	c.Wake() // a mark only: the flush follows this call
	return n, err
}

// receive makes the events of b and hands them out; left is how many calls are still
// under way. A panic of what runs meanwhile, such as the user's log handler, ends this
// connection only: OnClose follows, and must find deliver free.
func (l *link) receive(w *batch, b []byte) (n, left int, _ error) {
	l.deliver.Lock()
	defer l.deliver.Unlock()
	l.mu.Lock()
	l.batch = w
	l.now = monotonic()
	n, evs, err := l.sess.Receive(l.now, b, w.evs)
	w.evs = evs
	l.batch = nil
	left = l.sess.Streams()
	l.armLocked()
	l.mu.Unlock()
	l.side.events(l, w)
	return n, left, err
}

// clockLocked returns the time for a call that is being opened. Callers that the
// latest batch has woken take the time of that batch: it is over in a moment, and
// reading the clock is dear on some machines.
func (l *link) clockLocked() time.Duration {
	if l.turn.Load() {
		return l.now
	}
	return monotonic()
}

// yield lets goroutines that this batch has woken run before its flush, so that the
// calls they make next share it; left is how many calls are still under way. One
// turn of the scheduler runs at most 61 goroutines before it comes back here. When
// nearly all calls came back at once, only half of the callers run first: otherwise
// both ends would wait for each other in turns, and neither would be busy.
func yield(woken, left int) {
	turns := (woken + 60) / 61
	if left < woken/2 {
		turns = (turns + 1) / 2
	}
	for range min(turns, 8) {
		runtime.Gosched()
	}
}

// TakeOutput lends what the session has to send, and wakes those who waited for room.
func (l *link) TakeOutput(*netpoll.Conn) []byte {
	l.mu.Lock()
	b := l.sess.TakeOutput()
	l.roomLocked()
	if !l.sess.HasWritable() {
		l.mu.Unlock()
		return b
	}
	owners := l.sess.TakeWritable(nil)
	l.mu.Unlock()
	for _, o := range owners {
		if w, ok := o.(waiter); ok {
			w.writable()
		}
	}
	return b
}

// OnClose ends every call of the connection.
func (l *link) OnClose(_ *netpoll.Conn, err error) {
	w := getBatch()
	l.deliver.Lock()
	l.mu.Lock()
	why := l.whyLocked(err)
	w.evs = l.sess.Abort(why, w.evs)
	l.timer.Stop()
	l.mu.Unlock()
	l.side.events(l, w)
	l.deliver.Unlock()
	putBatch(w)
	l.markReady()
	l.side.closedLink(l, why)
	l.mu.Lock()
	l.ended = true
	if l.done != nil {
		close(l.done)
	}
	l.mu.Unlock()
}

// whyLocked turns the end of a connection into a code.
func (l *link) whyLocked(err error) *mux.ConnError {
	if e := l.sess.Err(); e != nil {
		return e
	}
	var e *mux.ConnError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, netpoll.ErrWriteStalled):
		return &mux.ConnError{Code: muxwire.CodePeerLost, Reason: "the peer takes no bytes", Err: err}
	case errors.Is(err, io.EOF):
		return &mux.ConnError{Code: muxwire.CodeTransport, Origin: muxwire.OriginPeer, Reason: "the peer closed the connection", Err: err}
	}
	return &mux.ConnError{Code: muxwire.CodeTransport, Reason: fmt.Sprintf("connection lost: %v", err), Err: err}
}

// tick runs on a timer when the session wants to look at the clock.
func (l *link) tick() {
	w := getBatch()
	l.deliver.Lock()
	l.mu.Lock()
	l.armed = 0
	evs, err := l.sess.Tick(monotonic(), w.evs)
	w.evs = evs
	l.armLocked()
	due := l.sess.HasOutput()
	l.mu.Unlock()
	l.side.events(l, w)
	l.deliver.Unlock()
	putBatch(w)
	switch {
	case err != nil:
		l.nc.CloseAfterFlush(err)
	case due:
		l.nc.Wake()
	}
}

// armLocked sets the timer if the session wants it earlier than it stands. It is
// never set later: most deadlines are met, so moving it would be wasted work.
func (l *link) armLocked() {
	next := l.sess.NextTick()
	if next == 0 || l.timer == nil || l.armed != 0 && l.armed <= next {
		return
	}
	l.armed = next
	l.timer.Reset(max(0, next-monotonic()))
}

// roomLocked makes a tick due at once if callers wait to open calls and this side
// has just freed what they wait for: the peer need not say anything about it.
func (l *link) roomLocked() {
	if l.full != nil {
		l.armLocked()
	}
}

// markReady lets callers in once both HELLOs are exchanged.
func (l *link) markReady() {
	if l.ready != nil {
		l.once.Do(func() { close(l.ready) })
	}
}

// stats returns the counters of the session.
func (l *link) stats() mux.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sess.Stats()
}

// wake makes the driver ask for output.
func (l *link) wake() { l.nc.Wake() }

// close flushes what is due and closes the connection with why.
func (l *link) close(why error) { l.nc.CloseAfterFlush(why) }

// waitIdle waits until no call is open on the connection, it is gone, or ctx ends.
func (l *link) waitIdle(ctx context.Context) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		l.mu.Lock()
		idle := l.sess.Streams() == 0 && !l.sess.HasOutput()
		l.mu.Unlock()
		if idle {
			return nil
		}
		select {
		case <-l.gone():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

// closeWhenIdle closes a connection that takes no new calls, once its last call is over.
func (l *link) closeWhenIdle() {
	if l.waitIdle(context.Background()) == nil {
		l.close(errDraining)
	}
}

// gone returns a channel that is closed when the connection is gone and its calls
// are told. It is made on demand: most connections are never waited for.
func (l *link) gone() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.done != nil:
	case l.ended:
		l.done = closedChan
	default:
		l.done = make(chan struct{})
	}
	return l.done
}
