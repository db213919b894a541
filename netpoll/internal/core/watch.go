package core

// Tick lets the watchdog look at the connection; now is the group's clock in ticks. A stamp may be almost one tick older
// than it says, so a timeout of k ticks fires when more than k have passed.
func (c *Conn) Tick(now uint32) {
	flags := c.flags.Load()
	if flags&flagOpened == 0 || flags&flagClosing != 0 {
		return
	}
	sh := c.sh
	if flags&flagDraining != 0 && now-c.drainAt.Load() > sh.DrainTicks {
		c.CloseWith(nil)
		return
	}
	if sh.StallTicks != 0 && c.state.Load() == stBlocked {
		c.lookAtAcks(now)
	}
	if sh.StallTicks != 0 && now-c.lastOut.Load() > sh.StallTicks {
		switch c.state.Load() {
		case stBlocked:
			c.CloseWith(ErrWriteStalled)
			return
		case stRunning, stRunningDue:
			c.tr.Stalled()
		}
	}
	if sh.IdleTicks != 0 && now-c.lastIO.Load() > sh.IdleTicks {
		c.CloseWith(ErrIdle)
	}
}

// StalledFor reports whether no byte was taken for longer than the write timeout.
func (c *Conn) StalledFor() bool {
	return c.sh.StallTicks != 0 && c.sh.Now.Load()-c.lastOut.Load() > c.sh.StallTicks
}

// lookAtAcks counts what the peer acknowledged as progress: a kernel reports room only when a third of its buffer is
// free, which a slow reader behind a large buffer may not reach for longer than any sensible timeout.
func (c *Conn) lookAtAcks(now uint32) {
	if !c.flushMu.TryLock() {
		return // someone is flushing
	}
	defer c.flushMu.Unlock()
	if c.state.Load() != stBlocked {
		return
	}
	n := c.tr.Unacked()
	if n < c.unacked {
		c.lastOut.Store(now)
	}
	c.unacked = n
}
