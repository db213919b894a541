package itemstream

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wireplane/wireplane/codec/streamwire"
)

// Kind says what an Event is.
type Kind uint8

// The kinds.
const (
	Item Kind = iota + 1
	End
	Error
)

// Event is what a Decoder found.
type Event struct {
	Kind    Kind
	Index   uint64  // of an Item
	Data    []byte  // an Item, borrowed until the next Next or Feed
	Failure Failure // of an Error
	Totals  Totals  // what the terminal said; for an End it is what was counted
}

// The ways in which a stream can be broken. Errors of Next and Close are of these
// kinds.
var (
	ErrMalformed = errors.New("itemstream: malformed")
	ErrTooLarge  = errors.New("itemstream: item is larger than the limit")
	ErrTotals    = errors.New("itemstream: items are missing") // an index or a total is not what was counted
	ErrCut       = errors.New("itemstream: stream ends without its terminal")
)

// Decoder reads one stream, in whatever pieces it arrives. It holds at most one
// unfinished item and what was fed last. It is for one goroutine.
type Decoder struct {
	format  Format
	maxItem int
	seen    Totals
	err     error
	over    bool // the terminal has been handed out

	buf  []byte // what was fed and not taken
	at   int    // start of what is not taken
	scan int    // up to where no line end was found

	sse sse
}

// NewDecoder returns a Decoder of items of up to maxItem bytes; 0 means 16 MiB.
func NewDecoder(f Format, maxItem int) *Decoder {
	if maxItem <= 0 {
		maxItem = 16 << 20
	}
	return &Decoder{format: f, maxItem: maxItem}
}

// Resume makes the Decoder go on behind what was received before: t counts it. It
// comes before the first Feed.
func (d *Decoder) Resume(t Totals) { d.seen = t }

// Seen counts the items that were handed out.
func (d *Decoder) Seen() Totals { return d.seen }

// Over reports whether the terminal has been handed out.
func (d *Decoder) Over() bool { return d.over }

// Feed adds the next piece of the stream, which is copied. Call Next until it has
// nothing more before feeding again, so that what is held stays bounded. What comes
// behind the terminal is dropped.
func (d *Decoder) Feed(piece []byte) {
	if d.err != nil || d.over {
		return
	}
	if d.at > 0 {
		n := copy(d.buf, d.buf[d.at:])
		d.buf, d.scan, d.at = d.buf[:n], d.scan-d.at, 0
		if n == 0 && cap(d.buf) > 256<<10 {
			d.buf = nil // one large item does not keep its memory
		}
	}
	d.buf = append(d.buf, piece...)
}

// Next returns the next event, or false if it needs more input or the stream is over.
// An error ends the stream for good.
func (d *Decoder) Next() (Event, bool, error) {
	for d.err == nil && !d.over {
		ev, progress, err := d.step()
		if err != nil {
			d.err = err
			break
		}
		switch {
		case !progress:
			return Event{}, false, nil
		case ev.Kind == 0:
			continue
		}
		if d.err = d.account(&ev); d.err != nil {
			break
		}
		return ev, true, nil
	}
	return Event{}, false, d.err
}

// Close says that no more input comes: nil after a terminal, and otherwise why the
// stream is broken.
func (d *Decoder) Close() error {
	if d.err == nil && !d.over {
		d.err = fmt.Errorf("%w, after %d items", ErrCut, d.seen.Items)
	}
	return d.err
}

func (d *Decoder) step() (ev Event, progress bool, err error) {
	if d.format == Binary {
		return d.frame()
	}
	line, ok, err := d.line()
	if err != nil || !ok {
		return Event{}, false, err
	}
	if d.format == NDJSON {
		ev, err = d.record(line)
	} else {
		ev, err = d.field(line)
	}
	return ev, true, err
}

// account checks an event against what was counted.
func (d *Decoder) account(ev *Event) error {
	switch ev.Kind {
	case Item:
		if len(ev.Data) > d.maxItem {
			return fmt.Errorf("%w: item %d has %d bytes, limit %d", ErrTooLarge, ev.Index, len(ev.Data), d.maxItem)
		}
		if ev.Index != d.seen.Items {
			return fmt.Errorf("%w: item %d where item %d was due", ErrTotals, ev.Index, d.seen.Items)
		}
		d.seen.Items++
		d.seen.Bytes += uint64(len(ev.Data))
	case End:
		d.over = true
		if ev.Totals != d.seen {
			return fmt.Errorf("%w: %d items of %d bytes arrived, %d of %d were sent",
				ErrTotals, d.seen.Items, d.seen.Bytes, ev.Totals.Items, ev.Totals.Bytes)
		}
	case Error:
		d.over = true
	}
	return nil
}

// maxLine is the longest line that can belong to an item of maxItem bytes: text grows
// by a third at most, or is short. A failure's reason may need six bytes for each of its
// own.
func (d *Decoder) maxLine() int { return d.maxItem + d.maxItem/2 + 8<<10 }

// line takes a line without its end, borrowed from the buffer. JSON lines end with LF,
// those of events also with CR or CR LF.
func (d *Decoder) line() ([]byte, bool, error) {
	if d.sse.skipLF && d.at < len(d.buf) {
		if d.buf[d.at] == '\n' {
			d.at++
		}
		d.sse.skipLF = false
	}
	d.scan = max(d.scan, d.at)
	rest := d.buf[d.scan:]
	var n int
	if d.format == NDJSON {
		n = bytes.IndexByte(rest, '\n')
	} else {
		n = bytes.IndexAny(rest, "\r\n") // in one pass, whichever the peer likes
	}
	if n < 0 {
		d.scan = len(d.buf)
		if len(d.buf)-d.at > d.maxLine() {
			return nil, false, fmt.Errorf("%w: a line of more than %d bytes", ErrTooLarge, d.maxLine())
		}
		return nil, false, nil
	}
	line := d.buf[d.at : d.scan+n]
	d.sse.skipLF = d.format == SSE && rest[n] == '\r'
	d.at, d.scan = d.scan+n+1, d.scan+n+1
	return line, true, nil
}

func (d *Decoder) frame() (Event, bool, error) {
	rest := d.buf[d.at:]
	lim := streamwire.Limits{MaxItem: uint64(max(d.maxItem, 2*MaxReasonBytes))} // a terminal fits as well
	size, _, err := streamwire.RecordLen(rest, &lim)
	switch {
	case err != nil && len(rest) >= 5:
		return Event{}, false, fmt.Errorf("%w: %w", ErrTooLarge, err) // its length is all that can be wrong here
	case err != nil:
		return Event{}, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	case size == 0 || size > len(rest):
		return Event{}, false, nil
	}
	var m streamwire.Record
	if _, err := m.Decode(rest[:size:size], &lim); err != nil {
		return Event{}, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.at += size
	switch m.Kind { //nolint:exhaustive // heartbeats, and kinds of later versions, are skipped
	case streamwire.RecordKindItem:
		return Event{Kind: Item, Index: m.Body.Item.Index, Data: m.Body.Item.Data}, true, nil
	case streamwire.RecordKindEnd:
		return Event{Kind: End, Totals: Totals(m.Body.Count)}, true, nil
	case streamwire.RecordKindError:
		return failureEvent(&m.Body.Failure), true, nil
	}
	return Event{}, true, nil
}
