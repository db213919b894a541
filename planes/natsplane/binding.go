package natsplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

// binding is one subject with the requests that wait for the Dispatcher. Messages come
// on a goroutine of the NATS client, which only queues them, so that what is beyond the
// bounds is answered rather than lost; one goroutine hands them over.
type binding struct {
	s              *Server
	route, subject string
	queue          chan *nats.Msg
	bytes          atomic.Int64  // in queue, or being handed over
	over           chan struct{} // closed when the subscription has ended
	worked         chan struct{} // closed when the queue is empty after that
	cutShort       chan struct{} // closed when nobody waits for the queue any more

	mu       sync.Mutex
	sub      *nats.Subscription // of the present connection
	draining bool
	endOver  sync.Once
	endShort sync.Once
}

// The bounds of what the NATS client itself holds for one subject, before take has seen
// it. What is above them it drops without a word.
const (
	burstMsgs  = 16384
	burstBytes = 64 << 20
)

func newBinding(s *Server, route, subject string) *binding {
	return &binding{s: s, route: route, subject: subject, queue: make(chan *nats.Msg, s.cfg.MaxPending),
		over: make(chan struct{}), worked: make(chan struct{}), cutShort: make(chan struct{})}
}

// subscribe makes nc's messages come to b. It does nothing once b drains.
func (b *binding) subscribe(nc *nats.Conn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.draining || b.sub != nil && b.sub.IsValid() {
		return nil
	}
	sub, err := nc.QueueSubscribe(b.subject, queueGroup, b.take)
	if err != nil {
		return err
	}
	// Room for a burst between the socket and take, which answers what is too much.
	if err := sub.SetPendingLimits(burstMsgs, burstBytes); err != nil {
		return err
	}
	if b.sub != nil {
		b.s.count.dropped.Add(droppedBy(b.sub))
	}
	b.sub = sub
	return nil
}

func (b *binding) dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return droppedBy(b.sub)
}

func droppedBy(sub *nats.Subscription) uint64 {
	if sub == nil {
		return 0
	}
	n, err := sub.Dropped()
	if err != nil || n < 0 {
		return 0
	}
	return uint64(n)
}

// take queues a message, or turns it away.
func (b *binding) take(msg *nats.Msg) {
	size := int64(msg.Size())
	if waiting := b.bytes.Add(size); waiting > int64(b.s.cfg.MaxPendingBytes) && waiting > size {
		b.bytes.Add(-size)
		b.refuse(msg, planes.CodeOverloaded, fmt.Sprintf("%d bytes of requests wait; at most %d do", waiting-size, b.s.cfg.MaxPendingBytes))
		return
	}
	select {
	case b.queue <- msg:
	default:
		b.bytes.Add(-size)
		b.refuse(msg, planes.CodeOverloaded, fmt.Sprintf("%d requests wait already", cap(b.queue)))
	}
}

func (b *binding) work() {
	defer close(b.worked)
	for {
		select {
		case msg := <-b.queue:
			b.one(msg)
		case <-b.over:
			for {
				select {
				case msg := <-b.queue:
					b.one(msg)
				default:
					return
				}
			}
		}
	}
}

func (b *binding) one(msg *nats.Msg) {
	size := int64(msg.Size())
	defer b.bytes.Add(-size)
	select {
	case <-b.cutShort:
		b.refuse(msg, planes.CodeDraining, "shut down")
		return
	default:
	}
	serving := b.s.serving.Load()
	if serving == nil || serving.ctx.Err() != nil {
		b.refuse(msg, planes.CodeDraining, "nobody serves")
		return
	}
	env, _, err := envelope.Decode(msg.Data, len(msg.Data))
	if err != nil {
		b.s.count.malformed.Add(1)
		code := planes.CodeProtocol
		if e := (*planes.Error)(nil); errors.As(err, &e) {
			code = e.Code
		}
		b.refuse(msg, code, err.Error())
		return
	}
	if r := env.Request.Route; r != "" && r != b.route {
		b.refuse(msg, planes.CodeNotFound, fmt.Sprintf("unknown endpoint %.300q", r))
		return
	}
	env.Request.Route = b.route
	envelope.Apply(env.Request, msg.Header.Get)
	if err := serving.d.Accept(serving.ctx, env); err != nil {
		b.refuse(msg, planes.CodeOf(err), reasonOf(err))
		return
	}
	b.s.count.taken.Add(1)
	b.reply(msg, nats.NewMsg(msg.Reply))
}

func reasonOf(err error) string {
	var e *planes.Error
	if errors.As(err, &e) && e != nil && e.Reason != "" {
		return e.Reason
	}
	return err.Error()
}

// refuse replies that a request will not run.
func (b *binding) refuse(msg *nats.Msg, code planes.Code, why string) {
	prefix, count := unavailable, &b.s.count.unavailable
	if code == planes.CodeOverloaded {
		prefix, count = overloaded, &b.s.count.overloaded
	}
	count.Add(1)
	b.s.log.Debug("NATS request turned away", "subject", b.subject, "code", code.String(), "why", why)
	out := nats.NewMsg(msg.Reply)
	out.Header.Set(codeHeader, strconv.Itoa(int(code)))
	out.Data = []byte(cut(prefix + " " + why))
	b.reply(msg, out)
}

func (b *binding) reply(msg, out *nats.Msg) {
	if msg.Reply == "" {
		return // published rather than requested
	}
	if err := msg.RespondMsg(out); err != nil {
		b.s.count.unreplied.Add(1)
		b.s.log.Warn("NATS reply not sent", "subject", b.subject, "err", err)
	}
}

// drain ends the subscription and waits until the queue is empty, or ctx ends. Without a
// connection nothing can come any more, and there is nobody to tell.
func (b *binding) drain(ctx context.Context) error {
	over := func() { b.endOver.Do(func() { close(b.over) }) }
	b.mu.Lock()
	first, sub := !b.draining, b.sub
	b.draining = true
	b.mu.Unlock()
	if first {
		switch {
		case sub == nil || !sub.IsValid():
			over()
		case !b.s.conn.Connected():
			_ = sub.Unsubscribe()
			over()
		default:
			sub.SetClosedHandler(func(string) { over() })
			if err := sub.Drain(); err != nil {
				over()
			}
		}
	}
	select {
	case <-b.worked:
		b.mu.Lock()
		if first {
			b.s.count.dropped.Add(droppedBy(b.sub))
		}
		b.sub = nil
		b.mu.Unlock()
		return nil
	case <-ctx.Done():
	}
	if sub != nil {
		_ = sub.Unsubscribe()
	}
	b.endShort.Do(func() { close(b.cutShort) })
	over()
	return fmt.Errorf("natsplane: drain %s: %w", b.subject, ctx.Err())
}
