package mux_test

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// call is what the oracle knows of one call: what was asked and sent, and what the
// two sides were told. It is the owner of the call's stream on both sides.
type call struct {
	key             int
	caller, handler int // sides
	id              uint32
	refused         bool // the route is one that nobody serves

	// the caller
	req     []byte
	reqOff  int
	reqWait bool // until somebody says that it may go on
	got     [][]byte
	unread  int // items of got that are not consumed
	over    int // ends that the caller was told
	notRun  bool

	// the handler
	offered, requests, cancels int
	running                    bool
	progress                   bool // it sent STARTED, an item or an end
	sent                       [][]byte
	cur                        []byte // an item that has not gone whole
	curOff                     int
	inItem, curWait            bool
	clean                      bool // it ended with End
}

// world is two sessions, the bytes between them, and the oracle. It knows the rules
// of the protocol and nothing of how Session keeps them.
type world struct {
	cfg    mux.Config
	s      [2]*mux.Session
	in     [2][]byte // what side i was given and has not taken
	flight [2][]byte // what side i sent and is not delivered
	now    time.Duration
	calls  []*call
	cut    bool // the connection was broken on purpose
	bad    []string
	// mutate plants a fault between the sessions and the oracle.
	mutate func(side int, ev mux.Event) []mux.Event
}

func newWorld(cfg mux.Config) *world {
	w := &world{cfg: cfg, now: time.Hour}
	for i := range w.s {
		cfg.Role = mux.Role(i)
		cfg.Accept = func(id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) { return w.accept(i, id, total, o) }
		w.s[i] = mux.New(cfg, w.now)
	}
	return w
}

func (w *world) wrong(format string, args ...any) {
	if len(w.bad) < 10 {
		w.bad = append(w.bad, fmt.Sprintf(format, args...))
	}
}

// fill is n bytes that only the item with this number of this call has.
func fill(n, key, item int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>8 + key*17 + item*101)
	}
	return b
}

func (w *world) open(side, size int, left time.Duration, refused bool) {
	c := &call{key: len(w.calls), caller: side, handler: 1 - side, refused: refused}
	c.req = fill(size, c.key, -1)
	route := fmt.Sprintf("k%d", c.key)
	if refused {
		route = "x" + route
	}
	o := muxwire.Open{Route: []byte(route), Payload: c.req}
	var deadline time.Duration
	if left > 0 {
		o.HasDeadline, o.Deadline, deadline = true, uint32(left.Milliseconds()), w.now+left
	}
	id, rest, err := w.s[side].Open(&o, 0, deadline, c)
	if err != nil {
		return // nothing has happened
	}
	c.id, c.reqOff, c.reqWait = id, len(c.req)-rest, rest > 0
	w.calls = append(w.calls, c)
}

// accept is what a session asks for each call of its peer.
func (w *world) accept(side int, id, total uint32, o *muxwire.Open) (any, muxwire.Code, string) {
	var key int
	if _, err := fmt.Sscanf(strings.TrimPrefix(string(o.Route), "x"), "k%d", &key); err != nil || key >= len(w.calls) {
		w.wrong("side %d was asked for route %q", side, o.Route)
		return nil, muxwire.CodeNotFound, ""
	}
	c := w.calls[key]
	if c.offered++; c.offered > 1 || c.handler != side || c.id != id || int(total) != len(c.req) {
		w.wrong("call %d was offered %d times, to side %d, as stream %d of %d bytes", key, c.offered, side, id, total)
	}
	if c.refused {
		return nil, muxwire.CodeNotFound, "nobody serves it"
	}
	return c, muxwire.CodeOk, ""
}

// event tells the oracle what a session said.
func (w *world) event(side int, ev mux.Event) {
	c, ok := ev.Owner.(*call)
	if !ok {
		if ev.Kind != mux.EvReady && ev.Kind != mux.EvCanOpen && ev.Kind != mux.EvDrain && ev.Kind != mux.EvGoAway {
			w.wrong("%s without an owner", ev.Kind)
		}
		return
	}
	if side == c.caller {
		w.callerEvent(c, ev)
	} else {
		w.handlerEvent(c, ev)
	}
}

func (w *world) callerEvent(c *call, ev mux.Event) {
	if c.over > 0 {
		w.wrong("call %d: %s after its end", c.key, ev.Kind)
	}
	switch ev.Kind {
	case mux.EvAccept, mux.EvStarted:
	case mux.EvWritable:
		c.reqWait = false
	case mux.EvItem:
		w.item(c, ev.Data)
		c.unread++
	case mux.EvEnd:
		c.over++
		if ev.HasItem {
			w.item(c, ev.Data)
		}
		w.ended(c, ev)
	default:
		w.wrong("call %d: the caller is told %s", c.key, ev.Kind)
	}
}

// item checks that the items come in order, once, and unchanged (I1 to I4).
func (w *world) item(c *call, data []byte) {
	n := len(c.got)
	if n >= len(c.sent) || !bytes.Equal(data, c.sent[n]) {
		w.wrong("call %d: item %d of %d bytes is not the one that was sent (%d were)", c.key, n, len(data), len(c.sent))
	}
	c.got = append(c.got, data)
}

func (w *world) ended(c *call, ev mux.Event) {
	if ev.Items != uint64(len(c.got)) {
		w.wrong("call %d: the end counts %d items, %d came", c.key, ev.Items, len(c.got))
	}
	if ev.Phase == muxwire.PhaseNotStarted && ev.Code != muxwire.CodeOk {
		c.notRun = true
		if c.progress {
			w.wrong("call %d: not started, but its handler ran", c.key)
		}
	}
	switch ev.Code {
	case muxwire.CodeOk:
		if !c.clean || len(c.got) != len(c.sent) {
			w.wrong("call %d: a clean end with %d of %d items, handler clean: %v", c.key, len(c.got), len(c.sent), c.clean)
		}
	case muxwire.CodeCancelled, muxwire.CodeDeadline, muxwire.CodeHandler, muxwire.CodeOverloaded, muxwire.CodeDraining,
		muxwire.CodeNotFound, muxwire.CodeTooLarge, muxwire.CodeInternal:
	case muxwire.CodeTransport:
		if !w.cut {
			w.wrong("call %d: lost a connection that was not cut", c.key)
		}
	default:
		w.wrong("call %d: ended with %s: %s", c.key, ev.Code, ev.Data)
	}
}

func (w *world) handlerEvent(c *call, ev mux.Event) {
	if c.cancels > 0 {
		w.wrong("call %d: %s after it was cancelled", c.key, ev.Kind)
	}
	switch ev.Kind {
	case mux.EvRequest:
		if c.requests++; c.requests > 1 || !bytes.Equal(ev.Data, c.req) {
			w.wrong("call %d: request %d of %d bytes is not the one that was sent", c.key, c.requests, len(ev.Data))
		}
		c.running = true
	case mux.EvWritable:
		c.curWait = false
	case mux.EvStop:
	case mux.EvCancel:
		c.cancels++
	default:
		w.wrong("call %d: the handler's side is told %s", c.key, ev.Kind)
	}
}

// tell passes events on, copied, through the planted fault if there is one.
func (w *world) tell(side int, evs []mux.Event) {
	for _, ev := range evs {
		ev.Data = bytes.Clone(ev.Data)
		if w.mutate == nil {
			w.event(side, ev)
			continue
		}
		for _, ev := range w.mutate(side, ev) {
			w.event(side, ev)
		}
	}
}

// take puts the output of a side on its way.
func (w *world) take(side int) bool {
	b := w.s[side].TakeOutput()
	w.flight[side] = append(w.flight[side], b...)
	for _, o := range w.s[side].TakeWritable(nil) {
		if c := o.(*call); side == c.caller {
			c.reqWait = false
		} else {
			c.curWait = false
		}
	}
	return len(b) > 0
}

// deliver gives at most n bytes that side has sent to the other side.
func (w *world) deliver(side, n int) bool {
	n = min(n, len(w.flight[side]))
	if n == 0 || w.cut {
		return false
	}
	to := 1 - side
	w.in[to] = append(w.in[to], w.flight[side][:n]...)
	w.flight[side] = w.flight[side][n:]
	used, evs, err := w.s[to].Receive(w.now, w.in[to], nil)
	w.tell(to, evs)
	w.in[to] = append(w.in[to][:0:0], w.in[to][used:]...)
	if err != nil {
		w.wrong("side %d: %v", to, err)
	}
	return true
}

func (w *world) tick(d time.Duration) {
	w.now += d
	for i, s := range w.s {
		if w.cut {
			return
		}
		evs, err := s.Tick(w.now, nil)
		w.tell(i, evs)
		if err != nil {
			w.wrong("side %d: %v", i, err)
		}
	}
}

// breakUp cuts the connection: bytes on their way are lost.
func (w *world) breakUp() {
	if w.cut {
		return
	}
	w.cut = true
	for i, s := range w.s {
		w.tell(i, s.Abort(&mux.ConnError{Code: muxwire.CodeTransport, Reason: "cut"}, nil))
	}
}

// check looks at the bounds that always hold (I7, I10).
func (w *world) check() {
	for i, s := range w.s {
		credit, pending := s.Granted()
		if credit < 0 || pending < 0 || credit > int64(w.cfg.MemoryBudget) || pending > int64(w.cfg.MemoryBudget) {
			w.wrong("side %d: %d bytes granted, %d pending, of %d", i, credit, pending, w.cfg.MemoryBudget)
		}
		if s.Queued() > w.cfg.OutputHard {
			w.wrong("side %d: %d bytes queued", i, s.Queued())
		}
		if s.Err() != nil && !w.cut {
			w.wrong("side %d: %v", i, s.Err())
		}
	}
	for _, c := range w.calls {
		if c.notRun && c.requests > 0 {
			w.wrong("call %d: said to be not started, and its handler ran", c.key)
		}
	}
}
