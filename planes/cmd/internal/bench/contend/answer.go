package contend

import (
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// answerer makes the answers of an echo server for one connection.
type answerer struct {
	blob []byte // the answer to one stream request; nil for a unary echo
	out  []byte // reused
}

func newAnswerer(s rawfloor.Shape) *answerer {
	a := &answerer{}
	if s.StreamItems > 0 {
		a.blob = rawfloor.AppendAnswer(nil, s, 0)
	}
	return a
}

// answer returns what to write for the whole frames at the start of b, which are
// used bytes. The result is borrowed: it aliases b, or is valid until the next call.
func (a *answerer) answer(b []byte) (out []byte, used int, err error) {
	n, used, err := rawfloor.Walk(b)
	if err != nil || a.blob == nil {
		return b[:used], used, err
	}
	a.out = a.out[:0]
	at := 0
	for range n {
		from := len(a.out)
		a.out = append(a.out, a.blob...)
		setStreams(a.out[from:], rawfloor.Stream(b[at:]))
		at += rawfloor.FrameLen(b[at:])
	}
	return a.out, used, nil
}

// setStreams overwrites the stream number of every frame in b, which holds whole
// frames only.
func setStreams(b []byte, stream uint32) {
	for len(b) > 0 {
		rawfloor.SetStream(b, stream)
		b = b[rawfloor.FrameLen(b):]
	}
}
