package mux_test

import (
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/planes/internal/mux"
)

// configs are the limits that a program may run under: small, so that every bound
// is reached.
func configs(pick byte) mux.Config {
	cfg := mux.Config{
		MaxBody: 16 << 10, MaxMessage: 16 << 10, MaxStreams: 4, WindowBytes: 1 << 10, WindowItems: 4, MaxWindow: 4 << 10,
		MemoryBudget: 24 << 10, OutputHigh: 2 << 10, OutputHard: 1 << 20,
		HelloTimeout: time.Hour, FrameTimeout: time.Hour, ProbeLive: 300 * time.Millisecond, ProbeIdle: time.Second, ProbeTimeout: time.Hour,
	}
	cfg.NoChecksum = pick&1 != 0
	if pick&2 != 0 {
		cfg.MemoryBudget = 5 << 10
	}
	if pick&4 != 0 {
		cfg.MaxStreams, cfg.WindowItems = 1, 1
	}
	if pick&8 != 0 {
		cfg.OutputHigh = 1
	}
	if pick&16 != 0 {
		cfg.MemoryBudget, cfg.MaxStreams, cfg.OutputHigh = 1<<20, 64, 64<<10
	}
	return cfg
}

// maxOps bounds a program.
const maxOps = 200

// runProgram plays a program: a byte for the limits, then two bytes for each
// operation. It ends with everybody finishing what is begun, and returns the world.
func runProgram(prog []byte, mutate func(side int, ev mux.Event) []mux.Event) *world {
	var pick byte
	if len(prog) > 0 {
		pick, prog = prog[0], prog[1:]
	}
	w := newWorld(configs(pick))
	w.mutate = mutate
	for n := 0; len(prog) >= 2 && n < maxOps && len(w.bad) == 0; n++ {
		w.op(prog[0], int(prog[1]))
		w.check()
		prog = prog[2:]
	}
	w.finish()
	return w
}

// op carries out one operation.
func (w *world) op(code byte, arg int) {
	side := int(code >> 7)
	switch code & 0x7f % 20 {
	case 0, 1:
		w.open(side, arg*4, 0, false)
	case 2:
		w.open(side, arg*64, time.Duration(arg)*time.Millisecond, arg == 13)
	case 3, 4:
		w.send(w.handlerCall(side, arg), arg*arg%3000)
	case 5:
		w.send(w.handlerCall(side, arg), arg*65)
	case 6:
		w.end(w.handlerCall(side, arg), arg%3 > 0, arg*arg%5000)
	case 7:
		w.fail(w.handlerCall(side, arg))
	case 8:
		w.refuse(w.handlerCall(side, arg))
	case 9:
		w.reset(w.callerCall(side, arg))
	case 10:
		if c := w.callerCall(side, arg); c != nil {
			w.s[side].Stop(c.id, "enough")
		}
	case 11:
		w.consume(w.callerCall(side, arg), 1+arg%3)
	case 12:
		if c := w.handlerCall(side, arg); c != nil {
			c.progress = true
			w.s[side].Started(c.id)
		}
	case 13:
		w.take(side)
	case 14:
		w.deliver(side, 1+arg)
	case 15:
		w.take(side)
		w.deliver(side, arg*arg)
	case 16:
		w.tick(time.Duration(arg%16) * time.Millisecond)
	case 17:
		w.goOn()
	case 18:
		w.leave(side, arg)
	case 19:
		if c := w.handlerCall(side, arg); c != nil {
			w.s[side].Accept(c.id, uint32(arg))
		}
	}
}

// leave is for the operations that a program does not survive for long.
func (w *world) leave(side, arg int) {
	switch {
	case arg < 16:
		w.breakUp()
	case arg < 32:
		w.s[side].GoAway("update")
	case arg < 64:
		w.s[side].Drain(time.Second, "update")
	}
}

// handlerCall picks a call whose handler runs on side.
func (w *world) handlerCall(side, pick int) *call {
	return w.pick(pick, func(c *call) bool { return c.handler == side && c.running })
}

// callerCall picks a call of side that is not over.
func (w *world) callerCall(side, pick int) *call {
	return w.pick(pick, func(c *call) bool { return c.caller == side && c.over == 0 })
}

func (w *world) pick(n int, ok func(*call) bool) *call {
	var fit []*call
	for _, c := range w.calls {
		if ok(c) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[n%len(fit)]
}

// send begins an item, or goes on with the one that was begun.
func (w *world) send(c *call, size int) {
	if c == nil || c.curWait {
		return
	}
	if !c.inItem {
		c.cur, c.curOff, c.inItem = fill(size, c.key, len(c.sent)), 0, true
	}
	n, done, err := w.s[c.handler].Send(c.id, c.cur, c.curOff)
	switch {
	case err != nil:
		c.inItem = false
	case done:
		c.sent, c.inItem, c.progress = append(c.sent, c.cur), false, true
	default:
		c.curWait = true // only an event may set it free
	}
	c.curOff = n
}

func (w *world) end(c *call, has bool, size int) {
	if c == nil {
		return
	}
	c.clean, c.progress = c.clean || c.curOff == 0 || !c.inItem, true
	var item []byte
	if has {
		item = fill(size, c.key, len(c.sent))
		c.sent = append(c.sent, item)
	}
	c.running = false
	w.s[c.handler].End(c.id, item, has)
}

func (w *world) fail(c *call) {
	if c != nil {
		c.running, c.progress = false, true
		w.s[c.handler].Fail(c.id, muxwire.CodeHandler, muxwire.OriginApp, "it broke")
	}
}

// refuse is for handlers that have not shown any sign of life.
func (w *world) refuse(c *call) {
	if c != nil && !c.progress && !c.inItem {
		c.running, c.requests = false, 0
		w.s[c.handler].Refuse(c.id, muxwire.CodeOverloaded, 0, 1, "full")
	}
}

func (w *world) reset(c *call) {
	if c == nil {
		return
	}
	phase, items, ok := w.s[c.caller].Reset(c.id, muxwire.CodeCancelled, "enough")
	if !ok || items != uint64(len(c.got)) {
		w.wrong("call %d: reset says %v with %d items, %d came", c.key, ok, items, len(c.got))
	}
	c.over++
	c.notRun = phase == muxwire.PhaseNotStarted
}

func (w *world) consume(c *call, n int) {
	if c == nil || c.unread == 0 {
		return
	}
	n = min(n, c.unread)
	size := 0
	for _, item := range c.got[len(c.got)-c.unread:][:n] {
		size += len(item)
	}
	c.unread -= n
	w.s[c.caller].Consume(c.id, uint64(size), uint32(n))
}

// goOn lets everybody who was told that they may go on do so.
func (w *world) goOn() (moved bool) {
	for _, c := range w.calls {
		if c.over == 0 && !c.reqWait && c.reqOff < len(c.req) {
			n, err := w.s[c.caller].SendRequest(c.id, c.req, c.reqOff)
			if err != nil && !w.cut {
				w.wrong("call %d: its request cannot go on: %v", c.key, err)
			}
			moved = moved || n > c.reqOff
			c.reqOff, c.reqWait = n, n < len(c.req)
		}
		if c.running && c.inItem && !c.curWait {
			w.send(c, 0)
			moved = true
		}
	}
	return moved
}

// finish lets the faults stop: everything is delivered, readers read, handlers end.
// Then every call must be over, once, and nothing may be left (I5, I8, I10, I12).
func (w *world) finish() {
	for idle := 0; idle < 2 && len(w.bad) == 0; idle++ {
		for i := range w.s {
			for _, move := range []bool{w.take(i), w.deliver(i, 1<<30)} {
				if move {
					idle = 0
				}
			}
		}
		for _, c := range w.calls {
			if c.over == 0 && c.unread > 0 {
				w.consume(c, c.unread)
				idle = 0
			}
			if c.running && (!c.inItem || c.cancels > 0) {
				w.end(c, false, 0)
				idle = 0
			}
		}
		if w.goOn() {
			idle = 0
		}
		w.check()
	}
	if len(w.bad) > 0 {
		return
	}
	for _, c := range w.calls {
		if c.over != 1 {
			w.wrong("call %d has %d ends; request %d of %d, waits %v; handler runs %v, in an item %v, waits %v",
				c.key, c.over, c.reqOff, len(c.req), c.reqWait, c.running, c.inItem, c.curWait)
		}
	}
	for i, s := range w.s {
		credit, pending := s.Granted()
		if s.Streams() != 0 || credit != 0 || pending != 0 || len(w.in[i]) != 0 && !w.cut {
			w.wrong("side %d keeps %d streams, %d bytes granted, %d pending, %d of input", i, s.Streams(), credit, pending, len(w.in[i]))
		}
	}
}
