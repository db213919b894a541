package callhome_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
)

// A peer that has named no answer cannot make the router hold an item.
func TestAStrangerCannotFillTheRoutersMemory(t *testing.T) {
	l := listen(t, callhome.Config{})
	head := make([]byte, 24)
	binary.BigEndian.PutUint64(head, 100)
	binary.BigEndian.PutUint64(head[8:], 8<<20)
	nc := call(t, l.Addr(), head)
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second)) // before the handshake times out
	if _, err := nc.Read(head); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the router waits for an item of nobody: %v", err)
	}
	testenv.Eventually(t, limit, "it is turned away", func() bool { return l.Stat().Rejected["handshake"] == 1 && l.Stat().Conns == 0 })
}

// What has begun is not safe to retry, whatever the worker says of it.
func TestAnAnswerThatBeganHasStarted(t *testing.T) {
	for _, items := range []string{"", "x"} {
		b := frame(`{"error":null}`, "")
		n := `0`
		if items != "" {
			b, n = append(b, frame("", items)...), `1`
		}
		b = append(b, frame(`{"end":{"code":"OVERLOADED","origin":"PEER","phase":"NOT_STARTED","items":`+n+`,"bytes":`+n+`}}`, "")...)
		b = append(b, frame(`"sentinel"`, "")...)
		_, err := callhome.Play(bytes.NewReader(b), 1<<10)
		var e *planes.Error
		if !errors.As(err, &e) || e.Code != planes.CodeOverloaded || e.Phase != planes.PhaseStarted {
			t.Errorf("after %q: %v", items, err)
		}
	}
}

// A router that takes a call-home and then reads nothing does not hold the handler.
func TestARouterThatReadsNothingHoldsNoHandler(t *testing.T) {
	ln := testenv.Listen(t)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = nc.Close() })
		}
	}()
	for _, extra := range []string{"", `,"modes":"pooled","token":"t"`} {
		d := dialer(t, callhome.DialerConfig{StallTimeout: 200 * time.Millisecond})
		env := &planes.Envelope{ID: "id-1", Request: &planes.Request{Route: "a/b"}, Reply: planes.ConnectionInfo{Transport: "tcp_server",
			Info: `{"address":"` + ln.Addr().String() + `","subject":"s","context":"id-1","stream_type":"response"` + extra + `}`}}
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Begin()
		for range 2 {
			if err = w.Send(t.Context(), make([]byte, 12<<20)); err != nil {
				break
			}
		}
		over := make(chan error, 1)
		go func() { over <- w.End(nil) }()
		select {
		case err = <-over:
			if planes.CodeOf(err) != planes.CodeSlowConsumer {
				t.Errorf("%v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("the handler is held")
			_ = d.Close()
			<-over
		}
	}
}

// A router that reads slowly, and goes on, gets it all.
func TestASlowRouterIsNoStall(t *testing.T) {
	l, d := listen(t, callhome.Config{}), dialer(t, callhome.DialerConfig{StallTimeout: 200 * time.Millisecond})
	const size = 12 << 20
	r, err := answer(t, l, d, "pooled,single", func(w planes.StreamWriter) error {
		return errors.Join(w.Begin(), w.Send(context.Background(), make([]byte, size)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if items, err := collect(t, r); err != nil || len(items) != 1 || len(items[0]) != size {
		t.Errorf("%d items, %v", len(items), err)
	}
	// Over a connection that is slow in itself.
	ln := testenv.Listen(t)
	got := make(chan int64, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var total int64
		for total < size {
			n, err := io.CopyN(io.Discard, nc, 128<<10)
			if total += n; err != nil {
				break
			}
			<-tick.C
		}
		got <- total
	}()
	env := &planes.Envelope{ID: "id-1", Request: &planes.Request{Route: "a/b"}, Reply: planes.ConnectionInfo{Transport: "tcp_server",
		Info: `{"address":"` + ln.Addr().String() + `","subject":"s","context":"id-1","stream_type":"response"}`}}
	w, err := d.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Begin(), w.Send(t.Context(), make([]byte, size)), w.End(nil)); err != nil {
		t.Error(err)
	}
	if n := <-got; n < size {
		t.Errorf("%d bytes", n)
	}
}
