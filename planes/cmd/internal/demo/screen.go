package demo

import (
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxShown is how much of the first stream a Screen shows, in bytes. A terminal is
// slower than a stream, and what it has not shown yet is kept.
const maxShown = 8 << 10

// Terminal control. A status line is drawn below the text and taken away before
// more text is written, so that the text can be of any width and scroll.
const (
	eraseBelow   = "\x1b[J"
	statusAbove  = "\x1bD\x1b[A\x1b7\x1b[B\r" // make room below, remember the place, go below
	statusBehind = "\x1b[K\x1b8"              // back to the text
	tokenColor   = "\x1b[36m"
	plainColor   = "\x1b[0m"
)

// Screen shows the first stream's text on a terminal, token by token, and a status
// line of all streams below it. It has a goroutine of its own between Start and
// Stop, so that a slow terminal holds up no stream.
type Screen struct {
	w     io.Writer
	color bool

	mu     sync.Mutex
	text   []byte // not written yet
	shown  int    // bytes of items
	odd    bool   // the colour of the next token
	status string
	wake   chan struct{} // one token
	over   chan struct{}
	done   sync.WaitGroup
}

// NewScreen returns a Screen that writes to a terminal. color makes the tokens
// visible.
func NewScreen(w io.Writer, color bool) *Screen {
	return &Screen{w: w, color: color, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// Start writes the introduction.
func (s *Screen) Start(in Intro) {
	_ = WriteIntro(s.w, in)
	_, _ = io.WriteString(s.w, "\nstream 1, as it arrives:\n\n")
	s.done.Go(s.loop)
}

// Token shows an item.
func (s *Screen) Token(b []byte) {
	s.mu.Lock()
	if s.shown < maxShown {
		if s.color && s.odd {
			s.text = append(appendVisible(append(s.text, tokenColor...), b), plainColor...)
		} else {
			s.text = appendVisible(s.text, b)
		}
		s.odd = !s.odd
		if s.shown += len(b); s.shown >= maxShown {
			s.text = append(s.text, "\n[... the rest of the text is not shown]"...)
		}
	}
	s.mu.Unlock()
	s.signal()
}

// Progress shows how far all streams have come.
func (s *Screen) Progress(p Progress) {
	s.mu.Lock()
	s.status = p.String()
	s.mu.Unlock()
	s.signal()
}

// Stop writes what is left and takes the status line away.
func (s *Screen) Stop() {
	close(s.over)
	s.done.Wait()
	_, _ = io.WriteString(s.w, eraseBelow+"\n\n")
}

func (s *Screen) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Screen) loop() {
	var frame []byte
	for more := true; more; {
		select {
		case <-s.wake:
		case <-s.over:
			more = false
		}
		s.mu.Lock()
		frame = append(append(frame[:0], eraseBelow...), s.text...)
		s.text = s.text[:0]
		if s.status != "" {
			frame = append(append(append(frame, statusAbove...), s.status...), statusBehind...)
		}
		s.mu.Unlock()
		_, _ = s.w.Write(frame)
	}
}

// appendVisible appends text without what a terminal would obey: a file may hold
// anything.
func appendVisible(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r == '\n' || r == '\t':
			dst = append(dst, byte(r))
		case r == '\r':
		case unicode.IsGraphic(r):
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, '.')
		}
	}
	return dst
}
