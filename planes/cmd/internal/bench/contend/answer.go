package contend

import (
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// answerer makes the answers of an echo server for one connection.
type answerer struct {
	blob  []byte                    // the answer to one stream request; nil for a unary echo
	write func([]byte) (int, error) // of the connection, bound once
}

func newAnswerer(s rawfloor.Shape) *answerer {
	a := &answerer{}
	if s.StreamItems > 0 {
		a.blob = rawfloor.AppendAnswer(nil, s, 0)
	}
	return a
}

// answer writes the answers to the whole frames at the start of b, which are used
// bytes: with one write for all of a unary echo, with one for each stream.
func (a *answerer) answer(b []byte) (used int, err error) {
	n, used, err := rawfloor.Walk(b)
	if err != nil || used == 0 {
		return used, err
	}
	if a.blob == nil {
		_, err = a.write(b[:used])
		return used, err
	}
	at := 0
	for range n {
		setStreams(a.blob, rawfloor.Stream(b[at:]))
		if _, err := a.write(a.blob); err != nil {
			return used, err
		}
		at += rawfloor.FrameLen(b[at:])
	}
	return used, nil
}

// setStreams overwrites the stream number of every frame in b, which holds whole
// frames only.
func setStreams(b []byte, stream uint32) {
	for len(b) > 0 {
		rawfloor.SetStream(b, stream)
		b = b[rawfloor.FrameLen(b):]
	}
}
