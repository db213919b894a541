package callhome

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/pool"
)

const (
	highBytes  = 64 << 10 // Send waits while more than this is unwritten
	replayKeep = 64 << 10 // of a response on a reused connection, for one more try
)

var errKilled = errors.New("callhome: killed by the router")

// writer is the worker's end of a response. What is sent gathers in out; a goroutine
// that lives while there is something writes it, so that the first frame leaves at
// once and frames that come during a write leave together.
type writer struct {
	d            *Dialer
	addr         string
	ours, pooled bool
	ctl          chan planes.Control

	mu            sync.Mutex
	c             *conn // nil while a new connection is sought
	lease         *pool.Lease[*conn]
	out, spare    []byte
	writing       bool
	room          chan struct{} // closed when something has changed, if somebody waits
	replay        bool          // kept holds the whole response so far
	kept          []byte
	begun, ended  bool
	complete      bool // the sentinel is in out, or written
	over          bool // the connection is given back or lost
	stopped, dead bool // controls that were told
	reason        *planes.Error
	items, bytes  uint64
}

// connect finds a connection.
func (w *writer) connect(ctx context.Context) error {
	if !w.pooled {
		ctx, cancel := context.WithTimeout(ctx, w.d.cfg.DialTimeout)
		defer cancel()
		c, err := w.d.dial(ctx, w.addr)
		if err == nil {
			w.c = c
			err = c.lend(w)
		}
		return err
	}
	for range 3 {
		l, err := w.d.pool.Acquire(ctx, w.addr)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.c, w.lease, w.replay = l.Value(), l, l.Reused()
		w.mu.Unlock()
		if err = l.Value().lend(w); err == nil {
			return nil
		}
		l.Destroy(err) // it ended between the check and now
	}
	return errors.New("callhome: connections end as soon as they are made")
}

// put queues a frame. It runs under mu.
func (w *writer) put(header, body []byte) {
	from := len(w.out)
	w.out = appendFrame(w.out, header, body)
	if w.replay {
		if w.kept = append(w.kept, w.out[from:]...); len(w.kept) > replayKeep {
			w.replay, w.kept = false, nil
		}
	}
	if !w.writing && w.c != nil {
		w.writing = true
		go w.write(w.c)
	}
}

func (w *writer) write(c *conn) {
	w.mu.Lock()
	for w.c == c && len(w.out) > 0 && !w.over {
		b := w.out
		w.out = w.spare[:0]
		w.spare = nil
		w.mu.Unlock()
		err := c.write(b)
		if err != nil {
			c.lost(err)
			return
		}
		w.mu.Lock()
		if w.c == c && cap(b) <= keepBytes {
			w.spare = b
		}
		w.changed()
	}
	if w.c == c {
		w.writing = false
		if w.complete && !w.over {
			_ = c.nc.SetReadDeadline(time.Now().Add(w.d.cfg.EndTimeout))
		}
		w.changed()
	}
	w.mu.Unlock()
}

func (w *writer) changed() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

// wait gives mu up until something has changed.
func (w *writer) wait(ctx context.Context) error {
	if w.room == nil {
		w.room = make(chan struct{})
	}
	room := w.room
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) fault(code planes.Code, why string, err error) *planes.Error {
	return &planes.Error{Code: code, Phase: planes.PhaseStarted, Op: "answer", Target: w.addr, Reason: why, Err: err, Items: w.items}
}

// misuse is the error of a call in the wrong order.
func (w *writer) misuse(what string) error {
	return w.fault(planes.CodeInternal, what, nil)
}

// Begin implements planes.StreamWriter.
func (w *writer) Begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over && w.reason != nil:
		return w.reason
	case w.begun || w.ended:
		return w.misuse("Begin comes first, and once")
	}
	w.begun = true
	w.put(begunWord, nil)
	return nil
}

// Send implements planes.StreamWriter.
func (w *writer) Send(ctx context.Context, item []byte) error {
	if !w.ours && w.d.cfg.Items != nil {
		var err error
		if item, err = w.d.cfg.Items.AppendItem(nil, item); err != nil {
			return w.fault(planes.CodeInternal, "the item cannot be encoded", err)
		}
	}
	if len(item) > w.d.cfg.MaxItemBytes {
		return w.fault(planes.CodeTooLarge, fmt.Sprintf("an item of %d bytes; want at most %d", len(item), w.d.cfg.MaxItemBytes), nil)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun || w.ended {
		return w.misuse("Send comes between Begin and End")
	}
	for !w.over && (len(w.out) >= highBytes || w.c == nil) {
		if err := w.wait(ctx); err != nil {
			return w.fault(planes.CodeOf(err), "the consumer takes nothing", err)
		}
	}
	if w.over {
		return w.reason
	}
	w.items++
	w.bytes += uint64(len(item))
	w.put(nil, item)
	return nil
}

// Flush implements planes.StreamWriter. What was sent leaves by itself.
func (w *writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over && w.reason != nil {
		return w.reason
	}
	return nil
}

// End implements planes.StreamWriter. It waits until what was sent has left, or the
// router has killed the response or is lost.
func (w *writer) End(err error) error {
	var told *endInfo
	if err != nil {
		told = tell(err, planes.PhaseNotStarted) // before the lock: it runs the handler's code
	}
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return w.misuse("End comes once")
	}
	w.ended = true
	if w.over {
		defer w.mu.Unlock()
		if w.reason == nil {
			return nil
		}
		return w.reason
	}
	sentinel := true
	switch {
	case !w.begun:
		if err == nil {
			w.put(begunWord, nil)
			w.end(nil)
			break
		}
		p := prologue{Error: &told.Reason}
		if w.ours {
			p.Own = told
		}
		w.put(mustJSON(p), nil)
	case w.ours:
		w.end(told)
	default:
		sentinel = err == nil && !w.stopped // a released router takes an end without it for a failure
	}
	if sentinel {
		w.put(sentinelWord, nil)
		w.complete = true
	}
	for !w.over && (len(w.out) > 0 || w.writing || w.c == nil) {
		_ = w.wait(context.Background())
	}
	reason := w.reason
	if !sentinel && !w.over {
		c := w.c
		w.complete = true
		w.mu.Unlock()
		c.lost(errors.New("callhome: the response ended early"))
		return nil
	}
	w.mu.Unlock()
	if reason != nil && (reason.Code == planes.CodePeerLost || w.killed()) {
		return reason
	}
	return nil
}

func (w *writer) killed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// end queues the frame with the totals.
func (w *writer) end(told *endInfo) {
	if !w.ours {
		return
	}
	e := &endInfo{Code: planes.CodeOK.String()}
	if told != nil {
		e = told
		e.Phase = planes.PhaseStarted.String()
	}
	e.Items, e.Bytes = w.items, w.bytes
	w.put(mustJSON(endFrame{e}), nil)
}

// Controlled implements planes.StreamWriter.
func (w *writer) Controlled() <-chan planes.Control { return w.ctl }

// Reason implements planes.StreamWriter.
func (w *writer) Reason() *planes.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

// signal tells the handler, at most once each. It runs under mu.
func (w *writer) signal(k planes.Control, reason *planes.Error) {
	told := &w.stopped
	if k == planes.ControlKill {
		told = &w.dead
	}
	if *told {
		return
	}
	*told = true
	if w.reason == nil || k == planes.ControlKill {
		w.reason = reason
	}
	w.ctl <- k // one of each fits
}

// control takes a frame of the router. An error ends the connection.
func (w *writer) control(c *conn, header, body []byte) error {
	w.mu.Lock()
	if w.c != c || w.over {
		w.mu.Unlock()
		return errFrame
	}
	switch {
	case len(body) == 0 && bytes.Equal(header, stopWord):
		if !w.complete {
			e := w.fault(planes.CodeCancelled, "the caller asks for an early end", nil)
			e.Origin = planes.OriginPeer
			w.signal(planes.ControlStop, e)
		}
	case len(body) == 0 && bytes.Equal(header, killWord):
		w.replay = false
		e := w.fault(planes.CodeCancelled, "the caller ended the stream", nil)
		e.Origin = planes.OriginPeer
		w.signal(planes.ControlKill, e)
		w.mu.Unlock()
		return errKilled
	case len(body) == 0 && bytes.Equal(header, sentinelWord) && w.pooled && w.complete && len(w.out) == 0 && c.fr.buffered() == 0:
		w.over, w.kept = true, nil
		w.changed()
		lease := w.lease
		w.mu.Unlock()
		_ = c.nc.SetReadDeadline(time.Time{})
		c.mu.Lock()
		c.cur = nil
		c.mu.Unlock()
		lease.Release()
		return nil
	default:
		w.replay = false
		w.signal(planes.ControlKill, w.fault(planes.CodeProtocol, fmt.Sprintf("the router sent %.40q", header), errFrame))
		w.mu.Unlock()
		return errFrame
	}
	w.mu.Unlock()
	return nil
}

// connLost takes the loss of the connection: the regular end of a response in single
// mode, a reason for one more try where the connection was stale, else a kill.
func (w *writer) connLost(c *conn, err error) {
	w.mu.Lock()
	if w.c != c || w.over {
		w.mu.Unlock()
		return
	}
	lease := w.lease
	w.lease = nil
	code, why := planes.CodePeerLost, "the connection to the router is lost"
	if errors.Is(err, errStalled) {
		code, why = planes.CodeSlowConsumer, "the router takes nothing"
		w.replay = false // it lives
	}
	switch {
	case w.replay:
		// What is put before there is another connection goes behind what was.
		w.c, w.replay = nil, false
		w.out, w.kept = append(w.out[:0], w.kept...), nil
		w.mu.Unlock()
		lease.Destroy(err)
		w.d.pool.Evict(w.addr)
		go w.retry(err)
		return
	case w.complete && !w.pooled && len(w.out) == 0:
	case w.complete && w.pooled && len(w.out) == 0:
		w.d.log.Warn("the end of a response was not answered", "router", w.addr, "err", err)
	default:
		w.signal(planes.ControlKill, w.fault(code, why, err))
	}
	w.over = true
	w.changed()
	w.mu.Unlock()
	if lease != nil {
		lease.Destroy(err)
	}
}

// retry sends the whole response so far over another connection. The one-use token
// makes that safe: had the router taken the first, it turns this one away.
func (w *writer) retry(cause error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.d.cfg.DialTimeout)
	defer cancel()
	l, err := w.d.pool.Acquire(ctx, w.addr)
	w.mu.Lock()
	if err == nil {
		w.c, w.lease = l.Value(), l
		w.writing = true
		if err = w.c.lend(w); err == nil {
			go w.write(w.c)
			w.changed()
			w.mu.Unlock()
			return
		}
		w.lease = nil
	}
	w.signal(planes.ControlKill, w.fault(planes.CodePeerLost, "the connection to the router is lost", errors.Join(cause, err)))
	w.over = true
	w.changed()
	w.mu.Unlock()
	if l != nil {
		l.Destroy(err)
	}
}
