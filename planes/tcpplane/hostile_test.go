package tcpplane_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// sums are the limits of a side that these tests speak to with checksums.
var sums = tcpplane.Limits{Checksums: tcpplane.ChecksumOn}

// frame encodes one frame as a peer that computes checksums.
func frame(t testing.TB, f muxwire.Frame) []byte {
	t.Helper()
	b, err := f.Append(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hello is what a well-behaved peer says first.
func hello(t testing.TB) []byte {
	t.Helper()
	p := muxwire.Preface{MinVersion: 1, MaxVersion: 1}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := muxwire.Frame{Type: muxwire.FrameTypeHello}
	f.Body.Hello = muxwire.Hello{Features: muxwire.FeaturesChecksum, MaxBody: 1 << 20, MaxMessage: 1 << 30, MaxStreams: 1000,
		WindowBytes: 1 << 30, WindowItems: 1 << 20, PingMin: 1000}
	return append(b, frame(t, f)...)
}

func openFrame(t testing.TB, id uint32, route, payload string) []byte {
	t.Helper()
	f := muxwire.Frame{Type: muxwire.FrameTypeOpen, Flags: muxwire.FrameFlagsFin, Stream: id, Arg: uint32(len(payload))}
	f.Body.Open = muxwire.Open{Route: []byte(route), Payload: []byte(payload)}
	return frame(t, f)
}

// logLines counts the lines of a logger.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// readGoAway returns the code and reason with which the server gives a peer up.
func readGoAway(t *testing.T, c net.Conn) (muxwire.Code, string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	all, err := io.ReadAll(c)
	if err != nil && !isReset(err) {
		t.Fatalf("the connection was not closed: %v", err)
	}
	var p muxwire.Preface
	n, err := p.Decode(all, nil)
	if err != nil {
		t.Fatalf("no preface in % x", all)
	}
	lim := muxwire.DefaultLimits()
	for n < len(all) {
		var f muxwire.Frame
		m, err := f.Decode(all[n:], &lim, true)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		if n += m; f.Type == muxwire.FrameTypeGoaway {
			return f.Body.Notice.Code, string(f.Body.Notice.Why)
		}
	}
	return 0, ""
}

func isReset(err error) bool {
	var e *net.OpError
	return errors.As(err, &e) && strings.Contains(e.Error(), "reset")
}

// A peer that does not speak the protocol, or breaks its rules, is told why, logged
// once, and costs no other connection anything.
func TestHostilePeers(t *testing.T) {
	oversize := append(hello(t), openFrame(t, 1, "echo", "x")...)
	big := openFrame(t, 3, "echo", "y")
	binary.BigEndian.PutUint16(big[0:], 0xffff) // a length of 16 MiB, so the header check fails first
	cases := []struct {
		name string
		send []byte
		code muxwire.Code
		why  string
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), planes.CodeProtocol, "looks like HTTP"},
		{"TLS", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, planes.CodeProtocol, "looks like TLS"},
		{"released Dynamo request", []byte("\x00\x03a/b\x00\x02{}\x00\x00\x00\x02hi"), planes.CodeProtocol, "Dynamo"},
		{"garbage", []byte("\xde\xad\xbe\xef garbage"), planes.CodeProtocol, "starts with de ad be ef"},
		{"wrong magic", []byte("\xf7WP9\x01\x01\x00\x00"), planes.CodeProtocol, "preface"},
		{"future version", []byte("\xf7WP1\x07\x09\x00\x00"), planes.CodeUnsupported, "versions 7 to 9"},
		{"call before HELLO", append(hello(t)[:8:8], openFrame(t, 1, "echo", "x")...), planes.CodeProtocol, "before HELLO"},
		{"damaged length", append(oversize, big...), planes.CodeChecksum, "Frame.hsum"},
		{"stream id of the other side", append(hello(t), openFrame(t, 2, "echo", "x")...), planes.CodeProtocol, "other side"},
		{"id used again", append(append(hello(t), openFrame(t, 1, "echo", "x")...), openFrame(t, 1, "echo", "x")...), planes.CodeProtocol, "ids must rise"},
		{"item on a stream that never was", append(hello(t), frame(t, muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 9})...), planes.CodeProtocol, "never opened"},
		{"second HELLO", append(hello(t), hello(t)[8:]...), planes.CodeProtocol, "HELLO"},
		{"text that is not UTF-8", append(hello(t), badUTF8(t)...), planes.CodeProtocol, "UTF-8"},
	}
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		logs := &logLines{}
		s, c := pair(t, d, tcpplane.ServerConfig{Logger: slog.New(slog.NewTextHandler(logs, nil)), Limits: sums}, tcpplane.ClientConfig{})
		k := newTicker(s)
		bystander, err := c.Stream(context.Background(), &planes.Request{Route: "ticker"})
		if err != nil {
			t.Fatal(err)
		}
		defer bystander.Close()
		<-k.started
		for i, tc := range cases {
			conn := dial(t, c)
			if _, err := conn.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			code, why := readGoAway(t, conn)
			if code != tc.code || !strings.Contains(why, tc.why) {
				t.Errorf("%s: told %v, %q; want %v, %q", tc.name, code, why, tc.code, tc.why)
			}
			_ = conn.Close()
			testenv.Eventually(t, 5*time.Second, tc.name+" is logged", func() bool {
				return strings.Count(logs.all(), "connection ended by a fault") == i+1
			})
			if got, err := c.Call(context.Background(), &planes.Request{Route: "echo", Payload: []byte("ok")}, nil); err != nil || string(got) != "ok" {
				t.Errorf("after %s: %q, %v", tc.name, got, err)
			}
		}
		if st := c.Stats(); st.Connections != 1 || st.Streams != 1 {
			t.Errorf("the client had to reconnect: %+v", st)
		}
	})
}

func badUTF8(t testing.TB) []byte {
	b := openFrame(t, 1, "route", "")
	lim := muxwire.DefaultLimits()
	i := bytes.Index(b, []byte("route"))
	b[i] = 0xff
	// Make both checks fit the damage again, so that only the text is wrong.
	fixSums(b)
	if _, err := new(muxwire.Frame).Decode(b, &lim, true); err == nil || !strings.Contains(err.Error(), "UTF8") {
		t.Fatalf("the damage shows as %v", err)
	}
	return b
}

func dial(t testing.TB, c *tcpplane.Client) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", tcpplane.AddrOf(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A peer that sends one byte at a time gets the same answers.
func TestOneByteAtATime(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		_, c := pair(t, d, tcpplane.ServerConfig{Limits: sums}, tcpplane.ClientConfig{})
		conn := dial(t, c)
		all := append(append(hello(t), openFrame(t, 1, "echo", "one")...), openFrame(t, 3, "count", "2")...)
		for i := range all {
			if _, err := conn.Write(all[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		// The order of frames of one stream is fixed, that of streams is not.
		got := readFrames(t, conn, 2)
		want := [][]string{{"HELLO 0"}, {"END 1 one"}, {"DATA 3 item 0", "DATA 3 item 1", "END 3 "}}
		for _, stream := range want {
			var seen []string
			for _, g := range got {
				if strings.Fields(g)[1] == strings.Fields(stream[0])[1] && !strings.HasPrefix(g, "STARTED") {
					seen = append(seen, g)
				}
			}
			if fmt.Sprint(seen) != fmt.Sprint(stream) {
				t.Errorf("got %q, want %q", seen, stream)
			}
		}
	})
}

// readFrames reads frames until so many streams have ended.
func readFrames(t *testing.T, conn net.Conn, ends int) []string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var p muxwire.Preface
	lim := muxwire.DefaultLimits()
	var b []byte
	var out []string
	prefaced := false
	for ends > 0 {
		chunk := make([]byte, 4096)
		m, err := conn.Read(chunk)
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		b = append(b, chunk[:m]...)
		if !prefaced && len(b) >= 8 {
			k, err := p.Decode(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, prefaced = b[k:], true
		}
		for prefaced {
			var f muxwire.Frame
			k, err := f.Decode(b, &lim, true)
			if err != nil {
				break
			}
			b = b[k:]
			body := f.Body.Bytes
			if f.Type == muxwire.FrameTypeEnd {
				body = f.Body.End.Tail
			}
			if f.Type == muxwire.FrameTypeHello {
				body = nil
			}
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %d %s", f.Type, f.Stream, body), " ")+map[bool]string{true: " "}[f.Type == muxwire.FrameTypeEnd && len(body) == 0])
			if f.Type == muxwire.FrameTypeEnd {
				ends--
			}
		}
	}
	return out
}

// A frame that ends with the connection is a truncation, never a clean end.
func TestTruncatedStream(t *testing.T) {
	ln := testenv.Listen(t)
	c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: ln.Addr().String(), Limits: sums})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		f := muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 1}
		f.Body.Bytes = []byte("item 0")
		whole := frame(t, f)
		f.Arg = 1
		_, _ = conn.Write(hello(t))
		for got := make([]byte, 0, 4096); !bytes.Contains(got, []byte("any")); {
			n, err := conn.Read(got[len(got):cap(got)])
			if err != nil {
				return
			}
			got = got[:len(got)+n]
		}
		_, _ = conn.Write(append(whole, frame(t, f)[:23]...))
	}()
	st, err := c.Stream(context.Background(), &planes.Request{Route: "any"})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for err == nil {
		_, err = st.Recv(context.Background())
		n++
	}
	var e *planes.Error
	if !errors.As(err, &e) || e.Code != planes.CodeTransport || errors.Is(err, io.EOF) || n > 2 {
		t.Errorf("after %d items: %v", n-1, err)
	}
}
