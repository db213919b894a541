package tcpplane

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// call is a unary call under way. Calls are reused: see link.deliver for why no
// event can reach a call that has been given up.
type call struct {
	done    chan struct{} // one token: the call is over
	more    chan struct{} // one token: the request may go on
	dst     []byte
	items   int
	sending bool // more of the request follows its first piece
	code    planes.Code
	event   mux.Event // the terminal, if it is an error; its Data is copied
	reason  []byte
}

var calls = sync.Pool{New: func() any {
	return &call{done: make(chan struct{}, 1), more: make(chan struct{}, 1)}
}}

func (c *call) recycle() {
	c.dst, c.items, c.reason = nil, 0, c.reason[:0]
	if c.code != planes.CodeOK {
		c.event = mux.Event{}
	}
	if c.sending {
		c.sending = false
		select {
		case <-c.more:
		default:
		}
	}
	calls.Put(c)
}

// writable lets a request that waits for credit go on.
func (c *call) writable() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// Call calls a route that answers with at most one item, appends the item to dst
// and returns the extended slice. req is read until Call returns. ctx ends the call
// early, at both ends. The error is a *planes.Error; dst comes back unchanged in
// length with it.
func (c *Client) Call(ctx context.Context, req *planes.Request, dst []byte) ([]byte, error) {
	cl := calls.Get().(*call)
	cl.dst = dst
	l, id, err := c.open(ctx, req, cl, "call", cl.more)
	if err != nil {
		cl.recycle()
		return dst, err
	}
	if done := ctx.Done(); done == nil {
		<-cl.done
	} else {
		select {
		case <-cl.done:
		case <-done:
			if err := c.abandon(ctx, l, id, req.Route, "call"); err != nil {
				cl.recycle()
				return dst, err
			}
			<-cl.done // it is over already
		}
	}
	out, code, items := cl.dst, cl.code, cl.items
	switch {
	case code != planes.CodeOK:
		cl.event.Data = cl.reason
		err = ended(&cl.event, "call", req.Route, c.cfg.Addr)
		out = dst
	case items > 1:
		err = &planes.Error{Code: planes.CodeProtocol, Phase: planes.PhaseStarted, Op: "call", Route: req.Route, Target: c.cfg.Addr,
			Reason: "the route answers with a stream; use Stream", Items: uint64(items)}
		out = dst
	}
	cl.recycle()
	return out, err
}

// event takes what happened to a unary call. It runs under link.deliver.
func (c *call) eventFor(ev *mux.Event) {
	switch ev.Kind { //nolint:exhaustive // progress marks mean nothing to a unary call
	case mux.EvItem:
		c.item(ev.Data)
	case mux.EvWritable:
		c.writable()
	case mux.EvEnd:
		if ev.HasItem {
			c.item(ev.Data)
		}
		if c.code = ev.Code; c.code != planes.CodeOK {
			c.event = *ev
			c.event.Owner = nil
			c.reason = append(c.reason[:0], ev.Data...)
		}
		if c.sending {
			c.writable() // what is left of the request has no reader any more
		}
		c.done <- struct{}{}
	}
}

func (c *call) item(b []byte) {
	if c.items++; c.items == 1 {
		c.dst = append(c.dst, b...)
	}
}

// open starts a call on some connection, and sends all of its request.
func (c *Client) open(ctx context.Context, req *planes.Request, owner any, op string, more chan struct{}) (*link, uint32, error) {
	if ctx.Err() != nil {
		return nil, 0, c.noConn(ctx, ctx.Err(), op, req.Route) // nothing was sent: it has not started
	}
	s := c.slot()
	if l := s.link.Load(); l != nil {
		id, rest, _, err := l.start(ctx, req, owner)
		if err == nil {
			l.sendRest(ctx, id, req.Payload, rest, more)
			return l, id, nil
		}
		if !waits(err) && !movesOn(err) {
			return nil, 0, refused(err, op, req.Route, c.cfg.Addr)
		}
	}
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, req.Timeout)
		defer cancel()
	}
	return c.openSlow(ctx, s, req, owner, op, more)
}

// openSlow is open where it takes a dial, or a wait for the peer to take more calls.
func (c *Client) openSlow(ctx context.Context, s *slot, req *planes.Request, owner any, op string, more chan struct{}) (*link, uint32, error) {
	for try := 0; ; {
		l, err := c.dialSlot(ctx, s)
		if err != nil {
			return nil, 0, c.noConn(ctx, err, op, req.Route)
		}
		id, rest, full, err := l.start(ctx, req, owner)
		switch {
		case err == nil:
			l.sendRest(ctx, id, req.Payload, rest, more)
			return l, id, nil
		case waits(err):
			select {
			case <-full:
			case <-l.gone():
			case <-ctx.Done():
				return nil, 0, c.noConn(ctx, ctx.Err(), op, req.Route)
			}
		case movesOn(err) && try < 3:
			try++
			c.retire(l) // this connection takes no new calls: another one may
		default:
			return nil, 0, refused(err, op, req.Route, c.cfg.Addr)
		}
	}
}

// start opens a stream and makes its frame go out: at once if it is alone, together
// with others otherwise. full is closed when a refused call may be tried again.
func (l *link) start(ctx context.Context, req *planes.Request, owner any) (id uint32, rest int, full chan struct{}, err error) {
	l.mu.Lock()
	id, rest, err = l.openLocked(ctx, req, owner)
	alone := l.sess.Streams() == 1
	if err != nil && waits(err) {
		if l.full == nil {
			l.full = make(chan struct{})
		}
		full = l.full
	}
	l.mu.Unlock()
	switch {
	case err != nil:
	case alone:
		l.nc.Flush()
	default:
		l.nc.Wake()
	}
	return id, rest, full, err
}

// waits reports whether err says that the peer takes more calls later.
func waits(err error) bool {
	var r *mux.Refusal
	return errors.As(err, &r) && r.Wait
}

// movesOn reports whether err says that another connection may take the call.
func movesOn(err error) bool {
	var r *mux.Refusal
	if errors.As(err, &r) {
		return r.Code == planes.CodeDraining
	}
	return true // the connection is lost
}

// openLocked opens a stream for req.
func (l *link) openLocked(ctx context.Context, req *planes.Request, owner any) (uint32, int, error) {
	o := l.sess.NewOpen()
	l.route = append(l.route[:0], req.Route...)
	o.Route, o.Payload = l.route, req.Payload
	var deadline time.Duration
	left := req.Timeout
	if t, ok := ctx.Deadline(); ok {
		if d := time.Until(t); left == 0 || d < left {
			left = max(d, time.Millisecond)
		}
	}
	if left > 0 {
		deadline = l.clockLocked() + left
		o.HasDeadline, o.Deadline = true, uint32(min((left+time.Millisecond-1)/time.Millisecond, 1<<31))
	}
	if !req.Trace.IsZero() {
		o.HasTrace = true
		o.Trace = muxwire.Trace{ID: req.Trace.TraceID, Span: req.Trace.SpanID, Sampled: req.Trace.Flags}
	}
	if req.TraceState != "" {
		o.HasState, o.State = true, []byte(req.TraceState)
	}
	if req.CallID != [16]byte{} {
		o.HasCall, o.Call = true, req.CallID
	}
	if len(req.Headers) > 0 {
		o.HasHeaders = true
		o.Headers = make([]muxwire.Header, len(req.Headers))
		for i, h := range req.Headers {
			o.Headers[i] = muxwire.Header{Name: []byte(h.Name), Value: []byte(h.Value)}
		}
	}
	id, rest, err := l.sess.Open(o, req.Class, deadline, owner)
	if err == nil {
		l.armLocked()
	}
	if c, ok := owner.(*call); ok && rest > 0 {
		c.sending = true
	}
	return id, rest, err
}

// sendRest sends the rest bytes of a request that Open left. It gives up when the
// call is over, whose terminal says why, or when ctx ends, which the caller sees too.
func (l *link) sendRest(ctx context.Context, id uint32, payload []byte, rest int, more chan struct{}) {
	for off := len(payload) - rest; off < len(payload); {
		l.mu.Lock()
		n, err := l.sess.SendRequest(id, payload, off)
		l.mu.Unlock()
		if n > off {
			l.nc.Wake()
		}
		if err != nil || n == len(payload) {
			return
		}
		off = n
		select {
		case <-more:
		case <-l.gone():
			return
		case <-ctx.Done():
			return
		}
	}
}

// abandon resets a call whose context has ended. It returns nil if the call was
// over already and its terminal is there or about to be.
func (c *Client) abandon(ctx context.Context, l *link, id uint32, route, op string) error {
	code, why := planes.CodeCancelled, "the caller cancelled"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code, why = planes.CodeDeadline, "the caller's deadline has passed"
	}
	l.deliver.Lock()
	l.mu.Lock()
	phase, items, ok := l.sess.Reset(id, code, why)
	l.roomLocked()
	l.mu.Unlock()
	l.deliver.Unlock()
	if !ok {
		return nil
	}
	l.nc.Wake()
	return &planes.Error{Code: code, Phase: phase, Op: op, Route: route, Target: c.cfg.Addr, Reason: why, Items: items, Err: context.Cause(ctx)}
}

// noConn is the error of a call for which there is no connection.
func (c *Client) noConn(ctx context.Context, err error, op, route string) error {
	e := refused(err, op, route, c.cfg.Addr)
	switch {
	case ctx.Err() != nil:
		e.Code, e.Err = planes.CodeOf(ctx.Err()), ctx.Err()
	case errors.Is(err, ErrClientClosed):
		e.Code = planes.CodeCancelled
	}
	return e
}

// events hands the events of a connection to its calls. It runs under link.deliver.
func (c *Client) events(l *link, w *batch) {
	for i := range w.evs {
		ev := &w.evs[i]
		switch o := ev.Owner.(type) {
		case *call:
			o.eventFor(ev)
			w.woken++
			if ev.Kind == mux.EvItem && o.items == 2 {
				w.surplus = append(w.surplus, surplus{o, ev.ID})
			}
		case *Stream:
			o.eventFor(ev)
		default:
			c.connEvent(l, ev)
		}
	}
	if len(w.surplus) > 0 {
		l.endSurplus(w.surplus)
	}
}

// surplus is a unary call that got a second item.
type surplus struct {
	call *call
	id   uint32
}

// endSurplus ends unary calls of routes that stream: they give no credit, so their
// handlers would wait for it as long as the caller for the end. A call whose end was
// in this batch is not touched: it may be another's by now. It runs under link.deliver.
func (l *link) endSurplus(all []surplus) {
	for _, s := range all {
		l.mu.Lock()
		_, _, ok := l.sess.Reset(s.id, planes.CodeCancelled, "the caller takes one item")
		l.roomLocked()
		l.mu.Unlock()
		if ok {
			s.call.code = planes.CodeOK // Call says what is wrong
			s.call.writable()
			s.call.done <- struct{}{}
		}
	}
	l.nc.Wake()
}

// connEvent takes what concerns the whole connection.
func (c *Client) connEvent(l *link, ev *mux.Event) {
	switch ev.Kind { //nolint:exhaustive // only these concern the connection
	case mux.EvReady:
		l.markReady()
	case mux.EvCanOpen:
		l.mu.Lock()
		full := l.full
		l.full = nil
		l.mu.Unlock()
		if full != nil {
			close(full)
		}
	case mux.EvGoAway:
		c.retire(l)
		if !l.leaving { // the peer may say it again
			l.leaving = true
			go l.closeWhenIdle()
		}
	}
}
