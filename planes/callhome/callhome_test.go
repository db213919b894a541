package callhome_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/twopart"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	limit    = 10 * time.Second
	instance = 0xabc
)

func listen(t testing.TB, cfg callhome.Config) *callhome.Listener {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	l, err := callhome.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dialer(t testing.TB, cfg callhome.DialerConfig) *callhome.Dialer {
	t.Helper()
	d, err := callhome.NewDialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func expect(t testing.TB, l *callhome.Listener, modes string) (planes.Pending, *planes.Envelope) {
	t.Helper()
	x := planes.Expectation{ID: "id-1", Route: "demo/backend/generate", Target: "worker", Instance: instance}
	if modes != "" {
		x.Response.Metadata = map[string]string{callhome.MetadataKey: modes}
	}
	p, err := l.Expect(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return p, &planes.Envelope{ID: x.ID, Reply: p.Reply(), Request: &planes.Request{Route: x.Route}}
}

// answer runs a worker's handler and returns what the caller gets.
func answer(t testing.TB, l *callhome.Listener, d *callhome.Dialer, modes string, handle func(w planes.StreamWriter) error) (planes.StreamReader, error) {
	t.Helper()
	p, env := expect(t, l, modes)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		w, err := d.Open(context.Background(), env)
		if err != nil {
			t.Errorf("open: %v", err)
			return
		}
		_ = w.End(handle(w))
	}()
	return p.Accept(testenv.Context(t, limit))
}

func collect(t testing.TB, r planes.StreamReader) ([]string, error) {
	t.Helper()
	var items []string
	for {
		b, err := r.Recv(testenv.Context(t, limit))
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			_ = r.Close()
			return items, err
		}
		items = append(items, string(b))
	}
}

var modes = map[string]string{"released": "", "single": "single", "pooled": "pooled,single", "mux": "mux,pooled,single"}

func each(t *testing.T, f func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, modes string)) {
	for name, m := range modes {
		t.Run(name, func(t *testing.T) {
			f(t, listen(t, callhome.Config{}), dialer(t, callhome.DialerConfig{Instance: instance}), m)
		})
	}
}

// [mux-callhome-1] [mux-callhome-4]
func TestItemsArriveWholeInEveryMode(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		for _, want := range [][]string{nil, {"a"}, {"a", "", "c"}, {strings.Repeat("x", 1<<20), "y"}} {
			r, err := answer(t, l, d, m, func(w planes.StreamWriter) error {
				err := w.Begin()
				for _, s := range want {
					err = errors.Join(err, w.Send(context.Background(), []byte(s)))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := collect(t, r); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d items, %v; want %d", len(got), err, len(want))
			}
		}
	})
}

// [mux-callhome-4]
func TestErrorsOfHandlersArriveWithTheirCode(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		_, err := answer(t, l, d, m, func(planes.StreamWriter) error { return planes.Errorf(planes.CodeDenied, "not for you") })
		want := planes.CodeDenied
		if m == "" {
			want = planes.CodeHandler // the released form has no code
		}
		if planes.CodeOf(err) != want || !strings.Contains(err.Error(), "not for you") {
			t.Errorf("refused: %v", err)
		}
		for n := range 2 {
			r, err := answer(t, l, d, m, func(w planes.StreamWriter) error {
				_ = w.Begin()
				for range n {
					_ = w.Send(context.Background(), []byte("x"))
				}
				return planes.Errorf(planes.CodeNotFound, "gone")
			})
			if err != nil {
				t.Fatal(err)
			}
			items, err := collect(t, r)
			var e *planes.Error
			want := planes.CodeNotFound
			if m == "" {
				want = planes.CodeTransport // an end without sentinel is all there is
			}
			if !errors.As(err, &e) || e.Code != want || e.Items != uint64(n) || len(items) != n {
				t.Errorf("after %d items: %v", n, err)
			}
		}
	})
}

func TestStopIsAskedAndKillEnds(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		got := make(chan planes.Control, 2)
		wait := func(w planes.StreamWriter) error {
			_ = w.Begin()
			c := <-w.Controlled()
			got <- c
			if c == planes.ControlStop {
				_ = w.Send(context.Background(), []byte("last"))
			}
			return nil
		}
		r, err := answer(t, l, d, m, wait)
		if err != nil {
			t.Fatal(err)
		}
		r.Stop()
		items, err := collect(t, r)
		if c := <-got; c != planes.ControlStop || fmt.Sprint(items) != "[last]" || (err == nil) != (m != "") {
			t.Errorf("stop: %v, %v, %v", c, items, err)
		}
		if r, err = answer(t, l, d, m, wait); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		if c := <-got; c != planes.ControlKill {
			t.Errorf("close: %v", c)
		}
		testenv.Eventually(t, limit, "the connections of killed responses end", func() bool { return l.Stat().Conns <= 1 })
	})
}

func TestACallersContextEndsTheStream(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		p, env := expect(t, l, m)
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Begin()
		ctx, cancel := context.WithCancel(t.Context())
		r, err := p.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		short := testenv.Context(t, time.Millisecond)
		if _, err := r.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a Recv with a context of its own: %v", err)
		}
		_ = w.Send(t.Context(), []byte("still there"))
		if b, err := r.Recv(t.Context()); err != nil || string(b) != "still there" {
			t.Errorf("the stream did not go on: %q, %v", b, err)
		}
		cancel()
		if _, err := r.Recv(context.Background()); planes.CodeOf(err) != planes.CodeCancelled {
			t.Errorf("%v", err)
		}
		<-w.Controlled()
		_ = w.End(nil)
	})
}

// [mux-callhome-3]
func TestPooledConnectionsAreReused(t *testing.T) {
	l, d := listen(t, callhome.Config{}), dialer(t, callhome.DialerConfig{})
	const n = 1000
	for range n {
		r, err := answer(t, l, d, "pooled,single", func(w planes.StreamWriter) error {
			return errors.Join(w.Begin(), w.Send(context.Background(), []byte("x")))
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := collect(t, r); err != nil {
			t.Fatal(err)
		}
	}
	if s := d.Stat(); s.Acquired != n || s.Reused < n*99/100 {
		t.Errorf("%d of %d reused", s.Reused, s.Acquired)
	}
	off := dialer(t, callhome.DialerConfig{PoolDisabled: true})
	if m := off.Advertise("", 1).Metadata[callhome.MetadataKey]; m != "single" {
		t.Errorf("with the pool off %q is offered", m)
	}
}

// [mux-callhome-3] Connections that were made ahead of need wait longer than a handshake
// may take, and are not turned away.
func TestConnectionsMadeAheadAreKept(t *testing.T) {
	l := listen(t, callhome.Config{HandshakeTimeout: 30 * time.Millisecond})
	d := dialer(t, callhome.DialerConfig{MinIdle: 3})
	use := func() {
		r, err := answer(t, l, d, "pooled", func(w planes.StreamWriter) error { return w.Begin() })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := collect(t, r); err != nil {
			t.Fatal(err)
		}
	}
	use()
	testenv.Eventually(t, limit, "three idle connections", func() bool {
		s := d.Stat()
		return s.Idle >= 3 && s.Idle == s.Opened && uint64(l.Stat().Conns) == s.Opened
	})
	made := d.Stat().Opened
	<-time.After(100 * time.Millisecond) // what is asserted is that nothing happens
	if s := l.Stat(); uint64(s.Conns) != made || len(s.Rejected) > 0 || d.Stat().Opened != made {
		t.Errorf("%+v, %+v", s, d.Stat())
	}
	use()
}

// [mux-callhome-3]
func TestAResponseOnAStaleConnectionIsSentAgain(t *testing.T) {
	l, d := listen(t, callhome.Config{IdleTimeout: time.Millisecond}), dialer(t, callhome.DialerConfig{})
	for range 200 { // the router closes idle connections just when they are used
		r, err := answer(t, l, d, "pooled", func(w planes.StreamWriter) error {
			return errors.Join(w.Begin(), w.Send(context.Background(), []byte("x")))
		})
		if err != nil {
			t.Fatal(err)
		}
		if items, err := collect(t, r); err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		<-time.After(time.Millisecond)
	}
}

func replyInfo(t testing.TB, env *planes.Envelope) map[string]string {
	t.Helper()
	m := map[string]string{}
	if err := json.Unmarshal([]byte(env.Reply.Info), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func frame(header, body string) []byte {
	b, _ := (&twopart.TwoPart{Header: []byte(header), Body: []byte(body), NoChecksum: true}).Append(nil)
	return b
}

func call(t testing.TB, addr string, b []byte) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
	return nc
}

// [mux-callhome-1]
func TestReleasedPeersGetFourKeys(t *testing.T) {
	l := listen(t, callhome.Config{})
	_, env := expect(t, l, "")
	in := replyInfo(t, env)
	want := fmt.Sprintf(`{"address":%q,"subject":%q,"context":"id-1","stream_type":"response"}`, l.Addr(), in["subject"])
	if env.Reply.Transport != "tcp_server" || env.Reply.Info != want || len(in["subject"]) != 36 {
		t.Errorf("%+v", env.Reply)
	}
}

// [mux-callhome-2]
func TestCallHomesThatNobodyWaitsForAreTurnedAway(t *testing.T) {
	reasons := make(chan string, 16)
	l := listen(t, callhome.Config{Observer: planes.Observer{CallHome: func(r string) { reasons <- r }}})
	hello := func(subject, rest string) []byte {
		return frame(fmt.Sprintf(`{"subject":%q,"stream_type":"response"%s}`, subject, rest), "")
	}
	late, env := expect(t, l, "")
	late.Cancel()
	lateSubject := replyInfo(t, env)["subject"]
	p, env := expect(t, l, "pooled")
	in := replyInfo(t, env)
	good := hello(in["subject"], fmt.Sprintf(`,"token":%q`, in["token"]))
	for _, c := range []struct {
		send []byte
		want string
	}{
		{hello(lateSubject, ""), "late"}, {hello("nobody", ""), "unknown"},
		{hello(in["subject"], ""), "token"}, {hello(in["subject"], `,"token":"x"`), "token"},
		{hello(in["subject"], fmt.Sprintf(`,"token":%q,"mode":"mux"`, in["token"])), "mode"},
		{frame("{}", ""), "handshake"}, {[]byte("GET / HTTP/1.1\r\n"), "protocol"}, {[]byte{0x16, 3, 1}, "protocol"},
		{good, ""}, {good, "duplicate"},
	} {
		nc := call(t, l.Addr(), c.send)
		if c.want == "" {
			testenv.Eventually(t, limit, "the good call-home is taken", func() bool { return l.Stat().Accepted == 1 })
			continue
		}
		if got := <-reasons; got != c.want {
			t.Errorf("%q for %q; want %q", got, c.send, c.want)
		}
		_ = nc.SetReadDeadline(time.Now().Add(limit))
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the connection stays open", c.want)
		}
	}
	if s := l.Stat(); s.Rejected["token"] != 2 || s.Rejected["duplicate"] != 1 {
		t.Errorf("%+v", s)
	}
	p.Cancel()
}

// Wherever a released or our own response is cut, it is no clean end, and the items
// before the cut are there. [mux-callhome-4]
func TestACutResponseIsNeverClean(t *testing.T) {
	l := listen(t, callhome.Config{})
	for _, m := range []string{"", "single"} {
		script := slicesOf(m != "")
		whole := bytes.Join(script, nil)
		for n := 0; n <= len(whole); n++ {
			p, env := expect(t, l, m)
			in := replyInfo(t, env)
			h := fmt.Sprintf(`{"subject":%q,"stream_type":"response"}`, in["subject"])
			if m != "" {
				h = fmt.Sprintf(`{"subject":%q,"stream_type":"response","token":%q}`, in["subject"], in["token"])
			}
			nc := call(t, l.Addr(), append(frame(h, ""), whole[:n]...))
			_ = nc.(*net.TCPConn).CloseWrite()
			r, err := p.Accept(testenv.Context(t, limit))
			items := 0
			if err == nil {
				var got []string
				got, err = collect(t, r)
				items = len(got)
			}
			want := 0
			for at, i := len(script[0]), 1; i <= 2; i++ {
				if at += len(script[i]); n >= at {
					want++
				}
			}
			if (err == nil) != (n == len(whole)) || items != want {
				t.Errorf("cut at %d of %d: %d items, %v", n, len(whole), items, err)
			}
			_ = nc.Close()
		}
	}
}

func slicesOf(ours bool) [][]byte {
	s := [][]byte{frame(`{"error":null}`, ""), frame("", `{"data":{"data":"hi"},"complete_final":false}`), frame("", `{"complete_final":true}`)}
	if ours {
		s = append(s, frame(`{"end":{"code":"OK","items":2,"bytes":68}}`, ""))
	}
	return append(s, frame(`"sentinel"`, ""))
}

// The worker's bytes to a released router are those of the released sequence.
func TestTheReleasedWireIsSpoken(t *testing.T) {
	ln := testenv.Listen(t)
	d := dialer(t, callhome.DialerConfig{})
	env := &planes.Envelope{ID: "r", Reply: planes.ConnectionInfo{Transport: "tcp_server",
		Info: fmt.Sprintf(`{"address":%q,"subject":"s","context":"r","stream_type":"response"}`, ln.Addr())}}
	w, err := d.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Begin()
	_ = w.Send(t.Context(), []byte("x"))
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, f := range [][2]string{{`{"subject":"s","stream_type":"response"}`, ""}, {`{"error":null}`, ""}, {"", "x"}, {`"sentinel"`, ""}} {
		want, _ = (&twopart.TwoPart{Header: []byte(f[0]), Body: []byte(f[1])}).Append(want)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
	_ = nc.(*net.TCPConn).SetLinger(0) // released routers end with a reset
	_ = nc.Close()
}

func TestASlowConsumerHoldsTheWorkerBack(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		p, env := expect(t, l, m)
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Begin()
		r, err := p.Accept(testenv.Context(t, limit))
		if err != nil {
			t.Fatal(err)
		}
		ctx := testenv.Context(t, 200*time.Millisecond)
		item := make([]byte, 64<<10)
		sent := 0
		for err = nil; err == nil && sent < 4096; sent++ {
			err = w.Send(ctx, item)
		}
		if planes.CodeOf(err) != planes.CodeDeadline {
			t.Errorf("%d items of 64 KiB were taken for a consumer that reads nothing: %v", sent, err)
		}
		_ = r.Close()
		<-w.Controlled()
		_ = w.End(nil)
	})
}

func TestARouterThatDiesIsAKill(t *testing.T) {
	each(t, func(t *testing.T, l *callhome.Listener, d *callhome.Dialer, m string) {
		p, env := expect(t, l, m)
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Begin()
		r, err := p.Accept(testenv.Context(t, limit))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		if c := <-w.Controlled(); c != planes.ControlKill || planes.CodeOf(w.Reason()) != planes.CodePeerLost {
			t.Errorf("%v, %v", c, w.Reason())
		}
		if err := w.Send(t.Context(), []byte("x")); planes.CodeOf(err) != planes.CodePeerLost {
			t.Error(err)
		}
		if _, err := r.Recv(t.Context()); planes.CodeOf(err) != planes.CodeTransport {
			t.Error(err)
		}
		_ = w.End(nil)
		if _, err := d.Open(t.Context(), env); planes.CodeOf(err) != planes.CodeTransport || !planes.SafeToRetry(err) {
			t.Errorf("a router that is gone: %v", err)
		}
	})
}

func TestAnAnswerThatNeverComesEndsInTime(t *testing.T) {
	l := listen(t, callhome.Config{PrologueTimeout: 10 * time.Millisecond, MaxPending: 1})
	p, _ := expect(t, l, "")
	if _, err := l.Expect(t.Context(), planes.Expectation{}); planes.CodeOf(err) != planes.CodeOverloaded {
		t.Error(err)
	}
	if _, err := p.Accept(t.Context()); planes.CodeOf(err) != planes.CodeDeadline {
		t.Error(err)
	}
	p, env := expect(t, l, "")
	call(t, l.Addr(), frame(fmt.Sprintf(`{"subject":%q,"stream_type":"response"}`, replyInfo(t, env)["subject"]), ""))
	if _, err := p.Accept(t.Context()); planes.CodeOf(err) != planes.CodeDeadline {
		t.Errorf("without prologue: %v", err)
	}
	testenv.Eventually(t, limit, "nothing is left", func() bool { s := l.Stat(); return s.Conns == 0 && s.Pending == 0 })
}

// greeted reads what the pool says on a connection that it makes.
func greeted(t *testing.T, nc net.Conn) {
	t.Helper()
	want := frame(`{"stream_type":"idle","mode":"pooled"}`, "")
	got := make([]byte, len(want))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got[24:], want[24:]) { // but for the checksum
		t.Fatalf("%q, %v", got, err)
	}
}

// A connection that turns out dead when it is used again costs nothing: the same bytes
// come over another. [mux-callhome-3]
func TestTheSameBytesComeAgain(t *testing.T) {
	ln := testenv.Listen(t)
	d := dialer(t, callhome.DialerConfig{})
	respond := func() {
		env := &planes.Envelope{ID: "r", Reply: planes.ConnectionInfo{Transport: "tcp_server",
			Info: fmt.Sprintf(`{"address":%q,"subject":"s","context":"r","stream_type":"response","modes":"pooled","token":"t"}`, ln.Addr())}}
		w, err := d.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Begin()
		_ = w.Send(t.Context(), []byte("x"))
		if err := w.End(nil); err != nil {
			t.Fatal(err)
		}
	}
	var want []byte
	for _, f := range [][2]string{{`{"subject":"s","stream_type":"response","mode":"pooled","token":"t"}`, ""}, {`{"error":null}`, ""}, {"", "x"},
		{`{"end":{"code":"OK","items":1,"bytes":1}}`, ""}, {`"sentinel"`, ""}} {
		want, _ = (&twopart.TwoPart{Header: []byte(f[0]), Body: []byte(f[1])}).Append(want)
	}
	take := func(nc net.Conn) {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q, %v\nwant %q", got, err, want)
		}
	}
	respond()
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, first)
	take(first)
	_, _ = first.Write(frame(`"sentinel"`, ""))
	idle := func() bool { s := d.Stat(); return s.Idle == 1 }
	testenv.Eventually(t, limit, "the connection is idle", idle)
	respond() // it is written and nobody takes it
	take(first)
	_ = first.Close()
	second, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, second)
	take(second)
	_, _ = second.Write(frame(`"sentinel"`, ""))
	testenv.Eventually(t, limit, "the new connection is idle", idle)
	_ = second.Close()
}
