package core

// One flush writes at most this much before it lets others on the same loop have a turn.
const (
	flushBudgetBytes  = 1 << 20
	flushBudgetWrites = 32
)

// Wake says that there may be something to flush. Any goroutine; one atomic load when a flush is already due.
func (c *Conn) Wake() {
	switch c.state.Load() {
	case stScheduled, stRunningDue, stBlocked, stClosed:
		return
	}
	c.wake()
}

func (c *Conn) wake() {
	for {
		switch s := c.state.Load(); s {
		case stIdle:
			if c.state.CompareAndSwap(stIdle, stScheduled) {
				c.sh.Counters.Wakeups.Add(1)
				c.tr.Kick()
				return
			}
		case stInData:
			if c.state.CompareAndSwap(stInData, stScheduled) {
				return
			}
		case stRunning:
			if c.state.CompareAndSwap(stRunning, stRunningDue) {
				return
			}
		default:
			return
		}
	}
}

// FlushNow flushes on the calling goroutine if the transport allows it and nothing is due or running; otherwise it is Wake.
func (c *Conn) FlushNow() {
	if c.direct && c.state.CompareAndSwap(stIdle, stRunning) {
		c.flush()
		return
	}
	c.Wake()
}

// RunDue flushes if a flush is due and nobody does it already. A spurious call is harmless.
func (c *Conn) RunDue() {
	if c.state.CompareAndSwap(stScheduled, stRunning) {
		c.flush()
	}
}

// Resume flushes after the kernel reported room. A spurious call is harmless.
func (c *Conn) Resume() {
	if c.state.CompareAndSwap(stBlocked, stRunning) {
		c.flush()
	}
}

// flush runs as the owner: the state is running.
func (c *Conn) flush() {
	c.flushMu.Lock()
	if c.state.Load() == stClosed {
		c.flushMu.Unlock()
		return
	}
	drained, err := c.flushLocked()
	c.flushMu.Unlock()
	switch {
	case err != nil:
		c.CloseWith(err)
	case drained:
		c.close(nil, true) // the cause was recorded by Drain
	}
}

// flushLocked writes until nothing is left, the kernel takes no more, or the budget is spent; on return the state is
// idle, blocked, or, after an error, still running so that nobody else starts. It reports whether a drain is complete:
// the drain began before the look that found nothing left, so nothing was queued after that look.
func (c *Conn) flushLocked() (drained bool, err error) {
	if len(c.out) == 0 {
		c.lastOut.Store(c.sh.Now.Load())
	}
	budget, writes := flushBudgetBytes, flushBudgetWrites
	for {
		draining := c.flags.Load()&flagDraining != 0
		if len(c.out) == 0 && !c.refill() {
			if c.state.CompareAndSwap(stRunning, stIdle) {
				return draining, nil
			}
			c.state.CompareAndSwap(stRunningDue, stRunning)
			continue
		}
		if c.Closing() {
			return false, nil
		}
		n, err := c.writeOnce()
		if err != nil && err != ErrWouldBlock {
			return false, err
		}
		budget -= n
		writes--
		if err == ErrWouldBlock || budget <= 0 || writes <= 0 {
			c.state.Store(stBlocked)
			return false, c.tr.Arm()
		}
	}
}

// writeOnce hands the current slice to the transport and accounts for what was taken.
func (c *Conn) writeOnce() (int, error) {
	n, err := c.tr.WriteSome(c.out)
	c.sh.Counters.Writes.Add(1)
	if n <= 0 {
		return 0, err
	}
	now := c.sh.Now.Load()
	c.lastOut.Store(now)
	c.lastIO.Store(now)
	c.sh.Counters.BytesOut.Add(uint64(n))
	c.out = c.out[n:]
	if c.outFrom == nil {
		return n, err
	}
	if len(c.out) == 0 {
		putChunk(c.outFrom)
		c.outFrom, c.out = nil, nil
	}
	c.taken(n)
	return n, err
}

// refill makes the next bytes current: the write queue first, then the handler's own. The owner calls it.
func (c *Conn) refill() bool {
	if c.queued.Load() > 0 {
		if k := c.popChunk(); k != nil {
			c.outFrom, c.out = k, k.b
			return true
		}
	}
	if c.Closing() {
		return false
	}
	c.out = c.ev.Output()
	return len(c.out) > 0
}

// LastTry writes once more what is pending without waiting: the best effort made for a peer that closed its side. The
// driver calls it before Finish, on a transport that cannot block.
func (c *Conn) LastTry() {
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	if c.state.Load() == stClosed {
		return
	}
	for range flushBudgetWrites {
		if len(c.out) == 0 && !c.refill() {
			return
		}
		if _, err := c.writeOnce(); err != nil {
			return
		}
	}
}
