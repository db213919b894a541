package tcpplane

import "github.com/wireplane/wireplane/planes/internal/mux"

// Stats counts what went over the connections of a client or server so far,
// closed ones included.
type Stats struct {
	FramesIn, FramesOut uint64 // frames of the wire
	ItemsIn, ItemsOut   uint64 // requests, responses and stream items
	BytesIn, BytesOut   uint64 // bytes of the wire, prefaces excluded
	LateFrames          uint64 // frames that came for calls already over
	Connections         int    // open now
	Streams             int    // calls that hold a slot now
}

func addStats(a, b mux.Stats) mux.Stats {
	a.FramesIn += b.FramesIn
	a.FramesOut += b.FramesOut
	a.ItemsIn += b.ItemsIn
	a.ItemsOut += b.ItemsOut
	a.BytesIn += b.BytesIn
	a.BytesOut += b.BytesOut
	a.Late += b.Late
	return a
}

func total(past mux.Stats, links []*link) Stats {
	streams := 0
	for _, l := range links {
		l.mu.Lock()
		past = addStats(past, l.sess.Stats())
		streams += l.sess.Streams()
		l.mu.Unlock()
	}
	return Stats{
		FramesIn: past.FramesIn, FramesOut: past.FramesOut, ItemsIn: past.ItemsIn, ItemsOut: past.ItemsOut,
		BytesIn: past.BytesIn, BytesOut: past.BytesOut, LateFrames: past.Late, Connections: len(links), Streams: streams,
	}
}

// Stats returns the server's counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	links := make([]*link, 0, len(s.links))
	for l := range s.links {
		links = append(links, l)
	}
	past := s.past
	s.mu.Unlock()
	return total(past, links)
}
