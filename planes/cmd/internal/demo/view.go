package demo

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// View is shown what happens while it happens. Token is called by one goroutine,
// Progress by another; Start comes first and Stop last.
type View interface {
	Start(in Intro)
	// Token shows an item of the first stream, borrowed until it returns.
	Token(b []byte)
	Progress(p Progress)
	Stop()
}

// Intro says what is about to run.
type Intro struct {
	Worker  string // address
	Source  *Source
	Streams int
	Rate    float64
}

// Progress is how far a run has come.
type Progress struct {
	Items, TotalItems int64
	Ended, Streams    int
	Elapsed           time.Duration
}

type noView struct{}

func (noView) Start(Intro)       {}
func (noView) Token([]byte)      {}
func (noView) Progress(Progress) {}
func (noView) Stop()             {}

// WriteIntro says what runs, and what it does without.
func WriteIntro(w io.Writer, in Intro) error {
	t := in.Source.Totals
	_, err := fmt.Fprintf(w, `file    %s: %s bytes, %s tokens, SHA-256 %s...
worker  on %s, a port that was free; it and the router are in this process
router  %s streams at once over one TCP connection; no broker, registry or configuration is needed
`, in.Source.Name, num(t.Bytes), num(t.Items), hex.EncodeToString(t.Sum[:6]), in.Worker, num(in.Streams))
	return err
}

// String is the progress in one line of at most about 80 columns.
func (p Progress) String() string {
	var b strings.Builder
	percent := int64(100)
	if p.TotalItems > 0 {
		percent = p.Items * 100 / p.TotalItems
	}
	fmt.Fprintf(&b, "%s streams: %d%%, %s of %s items", num(p.Streams), percent, num(p.Items), num(p.TotalItems))
	if s := p.Elapsed.Seconds(); s > 0 {
		fmt.Fprintf(&b, ", %s/s", num(int64(float64(p.Items)/s)))
	}
	if p.Ended > 0 {
		fmt.Fprintf(&b, ", %s done", num(p.Ended))
	}
	if left := p.left(); left > time.Second {
		fmt.Fprintf(&b, ", %v left", left.Round(time.Second))
	}
	return b.String()
}

// left estimates the time to the end; 0 while there is nothing to go by.
func (p Progress) left() time.Duration {
	if p.Items == 0 || p.Items >= p.TotalItems {
		return 0
	}
	return time.Duration(float64(p.Elapsed) * float64(p.TotalItems-p.Items) / float64(p.Items))
}

// LineView shows the progress of runs that take longer than a moment. It is what
// standard error gets.
type LineView struct {
	W        io.Writer
	Terminal bool // one line that is overwritten, instead of a line now and then
	last     time.Duration
	drawn    bool
}

// How long a run may be silent, on a terminal and in a log.
const (
	terminalSilence = time.Second
	logSilence      = 2 * time.Second
)

// Start does nothing: the introduction is part of the result.
func (v *LineView) Start(Intro) {}

// Token does nothing: the text is for those who watch.
func (v *LineView) Token([]byte) {}

// Progress writes a line if it is time for one.
func (v *LineView) Progress(p Progress) {
	switch {
	case v.Terminal && p.Elapsed >= terminalSilence:
		_, _ = fmt.Fprintf(v.W, "\r%.100s\x1b[K", p)
		v.drawn = true
	case !v.Terminal && p.Elapsed-v.last >= logSilence:
		_, _ = fmt.Fprintln(v.W, p)
		v.last = p.Elapsed
	}
}

// Stop takes the line back.
func (v *LineView) Stop() {
	if v.drawn {
		_, _ = io.WriteString(v.W, "\r\x1b[K")
	}
}
