package netpoll

import "sync/atomic"

// Stat is a snapshot of a group's totals since New; Open alone goes down again.
type Stat struct {
	Accepted     uint64 // connections accepted for a handler, those that the driver could not take included
	Refused      uint64 // accepted connections closed at once because of MaxConns
	Rejected     uint64 // accepted connections closed because the accept function returned an error
	AcceptErrors uint64 // failed accepts that were retried
	EnrolErrors  uint64 // accepted or dialled connections lost because the driver could not take them
	Dialled      uint64 // connections made by Dial
	Panics       uint64 // panics of handlers
	Open         uint64 // connections open now
	BytesIn      uint64 // bytes read
	BytesOut     uint64 // bytes the kernel took
	Reads        uint64 // reads that returned bytes
	Writes       uint64 // write system calls, those that would block included
	Wakeups      uint64 // flushes that had to wake a loop or a writer
}

type counters struct {
	accepted, refused, rejected, acceptErrors, enrolErrors, dialled, panics atomic.Uint64
}

// Stat returns the totals. They are read one by one, so under load they need not fit together to the last unit.
func (g *Group) Stat() Stat {
	g.mu.Lock()
	open := len(g.conns)
	g.mu.Unlock()
	return Stat{
		Accepted:     g.count.accepted.Load(),
		Refused:      g.count.refused.Load(),
		Rejected:     g.count.rejected.Load(),
		AcceptErrors: g.count.acceptErrors.Load(),
		EnrolErrors:  g.count.enrolErrors.Load(),
		Dialled:      g.count.dialled.Load(),
		Panics:       g.count.panics.Load(),
		Open:         uint64(open),
		BytesIn:      g.shared.Counters.BytesIn.Load(),
		BytesOut:     g.shared.Counters.BytesOut.Load(),
		Reads:        g.shared.Counters.Reads.Load(),
		Writes:       g.shared.Counters.Writes.Load(),
		Wakeups:      g.shared.Counters.Wakeups.Load(),
	}
}
