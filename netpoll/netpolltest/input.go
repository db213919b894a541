package netpolltest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/wireplane/wireplane/netpoll"
)

func testInput(t *testing.T, newGroup NewGroup) {
	runAll(t, newGroup, []scenario{
		{"every split of an exchange gives the same frames", testEverySplit},
		{"one byte at a time", testByteByByte},
		{"a frame of a megabyte is presented whole", testBigFrame},
		{"frames that straddle reads", testStraddle},
		{"an unread tail over the limit closes", testUnreadFull},
		{"a handler that claims too much closes", testConsumedTooMuch},
		{"input after a handler's error is ignored", testIgnoredInput},
	})
}

// framer consumes whole frames of a 4-byte length and that many bytes, and hands each to got.
func framer(got func(frame []byte)) func(*netpoll.Conn, []byte) (int, error) {
	return func(_ *netpoll.Conn, b []byte) (int, error) {
		n := 0
		for len(b)-n >= 4 {
			size := 4 + int(binary.BigEndian.Uint32(b[n:]))
			if len(b)-n < size {
				break
			}
			got(b[n+4 : n+size])
			n += size
		}
		return n, nil
	}
}

func appendFrame(dst, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(body))), body...)
}

func testEverySplit(t *testing.T, newGroup NewGroup) {
	var script []byte
	want := []string{"", "a", "bcd", "0123456789", "", "end"}
	for _, s := range want {
		script = appendFrame(script, []byte(s))
	}
	g := newGroup(t, netpoll.Config{})
	for split := 1; split < len(script); split++ {
		var got []string
		r := newRecorder(t)
		frames := framer(func(b []byte) { got = append(got, string(b)) })
		r.onData = frames
		peer, _ := attach(t, g, r)
		send(t, peer, script[:split])
		await(t, r.fed, "first part")
		send(t, peer, script[split:])
		peer.CloseWrite()
		await(t, r.ended, "OnClose")
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("split at %d: got %q, want %q", split, got, want)
		}
		if !bytes.Equal(r.consumed(), script) {
			t.Fatalf("split at %d: consumed bytes differ", split)
		}
	}
}

func testByteByByte(t *testing.T, newGroup NewGroup) {
	var got []string
	r := newRecorder(t)
	r.onData = framer(func(b []byte) { got = append(got, string(b)) })
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	script := appendFrame(appendFrame(nil, []byte("first")), []byte("second"))
	for i := range script {
		send(t, peer, script[i:i+1])
		await(t, r.fed, "OnData")
	}
	peer.Close()
	await(t, r.ended, "OnClose")
	if fmt.Sprint(got) != "[first second]" {
		t.Fatalf("got %q", got)
	}
}

func testBigFrame(t *testing.T, newGroup NewGroup) {
	body := pattern(1 << 20)
	frames := make(chan bool, 3)
	r := newRecorder(t)
	r.onData = framer(func(b []byte) { frames <- bytes.Equal(b, body) })
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	frame := appendFrame(nil, body)
	for range 3 {
		send(t, peer, frame)
	}
	for range 3 {
		if !await(t, frames, "frame") {
			t.Fatal("frame differs")
		}
	}
}

func testStraddle(t *testing.T, newGroup NewGroup) {
	const frames = 3000
	var script []byte
	for i := range frames {
		script = appendFrame(script, pattern(i%977))
	}
	done := make(chan int, 1)
	count := 0
	r := newRecorder(t)
	r.onData = framer(func(b []byte) {
		if !bytes.Equal(b, pattern(count%977)) {
			t.Errorf("frame %d differs", count)
		}
		if count++; count == frames {
			done <- count
		}
	})
	peer, _ := attach(t, newGroup(t, netpoll.Config{ReadBufferBytes: 2048}), r)
	send(t, peer, script)
	await(t, done, "frames")
	if got := r.consumed(); !bytes.Equal(got, script[:len(got)]) {
		t.Fatal("consumed bytes differ")
	}
}

func testUnreadFull(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	r.onData = func(*netpoll.Conn, []byte) (int, error) { return 0, nil }
	peer, _ := attach(t, newGroup(t, netpoll.Config{MaxUnreadBytes: 100 << 10}), r)
	send(t, peer, pattern(100<<10))
	go peer.Write(pattern(1)) // the connection may be gone when it is written
	r.wantCause(netpoll.ErrUnreadFull)
}

func testConsumedTooMuch(t *testing.T, newGroup NewGroup) {
	for _, n := range []int{-1, 5} {
		r := newRecorder(t)
		r.onData = func(*netpoll.Conn, []byte) (int, error) { return n, nil }
		peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
		send(t, peer, pattern(4))
		r.wantCause(netpoll.ErrConsumed)
	}
}

func testIgnoredInput(t *testing.T, newGroup NewGroup) {
	r := newRecorder(t)
	r.onData = func(c *netpoll.Conn, b []byte) (int, error) { return 0, errHandler }
	peer, _ := attach(t, newGroup(t, netpoll.Config{}), r)
	send(t, peer, pattern(64))
	r.wantCause(errHandler)
	if n := r.calls.Load(); n != 1 {
		t.Errorf("OnData ran %d times after its error", n-1)
	}
}
