package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// outcome is what the router saw of one stream.
type outcome struct {
	got       Totals
	first     time.Duration // from the call to the first item; 0 if none came
	terminals int
	end       error // io.EOF: a clean end
}

// router reads the streams.
type router struct {
	client *tcpplane.Client
	view   View
	gate   *gate
	items  atomic.Int64 // of all streams
	ended  atomic.Int64 // streams that are over
}

// read opens a stream and reads it to its end.
func (r *router) read(ctx context.Context, stream int) outcome {
	var o outcome
	defer r.ended.Add(1)
	defer r.gate.arrive(stream) // a stream that was refused must not hold up the rest
	start := time.Now()
	st, err := r.client.Stream(ctx, &planes.Request{Route: routeTokens, Payload: strconv.AppendInt(nil, int64(stream), 10)})
	if err != nil {
		o.terminals, o.end = 1, err
		return o
	}
	defer func() { _ = st.Close() }()
	sum := sha256.New()
	for {
		item, err := st.Recv(ctx)
		if err != nil {
			o.end = err
			break
		}
		if o.got.Items == 0 {
			o.first = time.Since(start)
		}
		o.got.Items++
		o.got.Bytes += int64(len(item))
		_, _ = sum.Write(item) // never fails
		r.items.Add(1)
		if stream == 0 {
			r.view.Token(item)
		}
	}
	sum.Sum(o.got.Sum[:0])
	o.terminals = r.terminals(ctx, st, o.end)
	return o
}

// terminals asks again after the end: a stream that then has an item, or another
// end, has ended more than once. If only ctx has ended, the stream has not.
func (r *router) terminals(ctx context.Context, st *tcpplane.Stream, end error) int {
	var e *planes.Error
	if !errors.Is(end, io.EOF) && !errors.As(end, &e) {
		return 0
	}
	if _, again := st.Recv(ctx); !errors.Is(again, end) {
		return 2
	}
	return 1
}

// why says what is wrong with a stream, "" if nothing is.
func (o outcome) why(want Totals) string {
	got := o.got
	switch {
	case o.terminals == 0:
		return fmt.Sprintf("no end after %s of %s items: %v", thousands(got.Items), thousands(want.Items), o.end)
	case o.terminals > 1:
		return "more than one end"
	case !errors.Is(o.end, io.EOF):
		return fmt.Sprintf("ended with an error after %s of %s items: %v", thousands(got.Items), thousands(want.Items), o.end)
	case got.Items != want.Items:
		return fmt.Sprintf("%s: %s items of %s, %s bytes of %s", tooFew(got.Items < want.Items, "items"),
			thousands(got.Items), thousands(want.Items), thousands(got.Bytes), thousands(want.Bytes))
	case got.Bytes != want.Bytes:
		return fmt.Sprintf("%s: all %s items, but %s bytes of %s", tooFew(got.Bytes < want.Bytes, "bytes"),
			thousands(got.Items), thousands(got.Bytes), thousands(want.Bytes))
	case !bytes.Equal(got.Sum[:], want.Sum[:]):
		return fmt.Sprintf("bytes were changed: all %s items and %s bytes, but SHA-256 is %x and must be %x",
			thousands(got.Items), thousands(got.Bytes), got.Sum, want.Sum)
	}
	return ""
}

func tooFew(less bool, what string) string {
	if less {
		return what + " are missing"
	}
	return "too many " + what
}
