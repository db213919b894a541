package core

// tailStepBytes is how much of a fresh read is first put behind an unread tail: usually enough to complete the frame
// that straddles two reads, after which the rest of the read is presented in place, uncopied.
const tailStepBytes = 4096

// Feed presents freshly read bytes, borrowed for the call, to the handler and keeps what it leaves. Wake-ups during the
// call only mark; the driver must flush afterwards when Due reports true. Called on the reading side only.
func (c *Conn) Feed(b []byte) {
	c.sh.Counters.Reads.Add(1)
	c.sh.Counters.BytesIn.Add(uint64(len(b)))
	c.lastIO.Store(c.sh.Now.Load())
	if c.flags.Load()&(flagClosing|flagDraining) != 0 {
		return
	}
	c.state.CompareAndSwap(stIdle, stInData)
	if err := c.feed(b); err != nil {
		c.Drain(err)
	}
}

// Due reports, after Feed, whether the caller has to flush. When nothing became due it withdraws the promise made by
// Feed.
func (c *Conn) Due() bool {
	if c.state.CompareAndSwap(stInData, stIdle) {
		return false
	}
	return c.state.Load() == stScheduled
}

func (c *Conn) feed(b []byte) error {
	for c.tail != nil && len(b) > 0 {
		old := len(c.tail.b) - c.tailOff
		step := min(len(b), max(tailStepBytes, old))
		all := step == len(b)
		c.growTail(step)
		c.tail.b = append(c.tail.b, b[:step]...)
		n, err := c.present(c.tail.b[c.tailOff:])
		if err != nil {
			return err
		}
		if n >= old {
			// What is left of the tail lies inside b as well: go on there, in place.
			b = b[n-old:]
			putChunk(c.tail)
			c.tail, c.tailOff = nil, 0
			if all {
				return c.keep(b)
			}
			break
		}
		c.tailOff += n
		b = b[step:]
		if len(c.tail.b)-c.tailOff > c.sh.Limits.MaxUnread {
			return ErrUnreadFull
		}
		if c.stopped() {
			return nil
		}
	}
	if len(b) == 0 || c.stopped() {
		return nil
	}
	n, err := c.present(b)
	if err != nil {
		return err
	}
	return c.keep(b[n:])
}

// present calls the handler and checks its answer.
func (c *Conn) present(b []byte) (int, error) {
	n, err := c.ev.Data(b)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > len(b) {
		return 0, ErrConsumed
	}
	return n, nil
}

// keep copies the unread rest; there is no tail when it is called.
func (c *Conn) keep(rest []byte) error {
	if len(rest) == 0 || c.stopped() {
		return nil
	}
	if len(rest) > c.sh.Limits.MaxUnread {
		return ErrUnreadFull
	}
	c.tail, c.tailOff = getChunk(len(rest)), 0
	c.tail.b = append(c.tail.b, rest...)
	return nil
}

// growTail makes room for n more bytes behind the tail.
func (c *Conn) growTail(n int) {
	k := c.tail
	if cap(k.b)-len(k.b) >= n {
		return
	}
	live := k.b[c.tailOff:]
	if cap(k.b)-len(live) >= n && c.tailOff >= len(live) {
		k.b = k.b[:copy(k.b[:len(live)], live)]
		c.tailOff = 0
		return
	}
	bigger := getChunk(max(len(live)+n, 2*len(live)))
	bigger.b = append(bigger.b, live...)
	putChunk(k)
	c.tail, c.tailOff = bigger, 0
}

func (c *Conn) stopped() bool { return c.flags.Load()&(flagClosing|flagDraining) != 0 }
