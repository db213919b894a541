package core

import (
	"context"
	"net"
)

// Write copies p into the outbound queue and makes a flush due. All of p is queued or, with an error, nothing.
func (c *Conn) Write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	c.queueMu.Lock()
	err := c.enqueueLocked(p)
	c.queueMu.Unlock()
	if err == nil {
		c.Wake()
	}
	return err
}

func (c *Conn) enqueueLocked(p []byte) error {
	if c.flags.Load()&(flagClosing|flagDraining) != 0 {
		return net.ErrClosed
	}
	if int(c.queued.Load())+len(p) > c.sh.Limits.MaxQueue {
		c.markAboveLocked()
		return ErrQueueFull
	}
	c.appendLocked(p)
	// p itself cannot be taken before the lock is released, so the flag is always seen by a later taken.
	if c.queued.Add(int64(len(p))) > int64(c.sh.Limits.HighWater) {
		c.flags.Or(flagAbove)
	}
	return nil
}

// markAboveLocked promises a Drained call and the release of waiters, unless the queue is below the low mark already;
// it reports which.
func (c *Conn) markAboveLocked() bool {
	c.flags.Or(flagAbove)
	if c.queued.Load() >= int64(c.sh.Limits.LowWater) {
		return true // whoever takes the bytes below the mark comes after the flag was set
	}
	c.flags.And(^flagAbove)
	return false
}

// appendLocked fills the last chunk and adds chunks of doubling size, at most 64 KiB each.
func (c *Conn) appendLocked(p []byte) {
	size := 0
	if k := c.last; k != nil {
		n := min(len(p), cap(k.b)-len(k.b))
		k.b = append(k.b, p[:n]...)
		p = p[n:]
		size = 2 * cap(k.b)
	}
	for len(p) > 0 {
		k := getChunk(min(max(size, len(p)), maxQueuedBytes))
		n := min(len(p), cap(k.b))
		k.b = append(k.b, p[:n]...)
		p = p[n:]
		size = 2 * cap(k.b)
		if c.last == nil {
			c.head = k
		} else {
			c.last.next = k
		}
		c.last = k
	}
}

// popChunk takes the oldest chunk out of the queue; its bytes still count as queued until the kernel took them.
func (c *Conn) popChunk() *chunk {
	c.queueMu.Lock()
	defer c.queueMu.Unlock()
	k := c.head
	if k == nil {
		return nil
	}
	if c.head = k.next; c.head == nil {
		c.last = nil
	}
	k.next = nil
	return k
}

// taken accounts for n queued bytes that reached the kernel. The owner of the flush calls it.
func (c *Conn) taken(n int) {
	left := c.queued.Add(int64(-n))
	if left >= int64(c.sh.Limits.LowWater) || c.flags.Load()&flagAbove == 0 {
		return
	}
	c.queueMu.Lock()
	// Look again under the lock: a writer may have refilled the queue meanwhile.
	if c.queued.Load() >= int64(c.sh.Limits.LowWater) {
		c.queueMu.Unlock()
		return
	}
	c.flags.And(^flagAbove)
	c.releaseWaitersLocked()
	c.queueMu.Unlock()
	c.ev.Drained()
}

// WriteWait is Write, except that it first waits while the queue is above the high-water mark or has no room. What does
// not fit above the low-water mark never fits.
func (c *Conn) WriteWait(ctx context.Context, p []byte) error {
	if len(p) > c.sh.Limits.MaxQueue-c.sh.Limits.LowWater {
		return ErrQueueFull
	}
	for {
		wait, err := c.tryWrite(p)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryWrite queues p, or returns a channel that is closed when it is worth trying again.
func (c *Conn) tryWrite(p []byte) (<-chan struct{}, error) {
	if len(p) == 0 {
		return nil, nil
	}
	c.queueMu.Lock()
	for c.flags.Load()&flagAbove == 0 || c.flags.Load()&(flagClosing|flagDraining) != 0 {
		if err := c.enqueueLocked(p); err != ErrQueueFull {
			c.queueMu.Unlock()
			if err == nil {
				c.Wake()
			}
			return nil, err
		}
	}
	if c.wait == nil {
		c.wait = make(chan struct{})
	}
	wait := c.wait
	c.queueMu.Unlock()
	return wait, nil
}

func (c *Conn) releaseWaitersLocked() {
	if c.wait != nil {
		close(c.wait)
		c.wait = nil
	}
}

// Queued returns the bytes written and not yet taken by the kernel, without what the handler's Output lent.
func (c *Conn) Queued() int { return int(c.queued.Load()) }

func (c *Conn) dropQueue() {
	c.queueMu.Lock()
	k := c.head
	c.head, c.last = nil, nil
	c.queued.Store(0)
	c.queueMu.Unlock()
	for k != nil {
		next := k.next
		putChunk(k)
		k = next
	}
}
