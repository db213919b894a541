package callhome_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/pool"
)

const allModes = "mux,pooled,single"

// group returns a group on a driver.
func group(t testing.TB, d netpoll.Driver) *netpoll.Group {
	t.Helper()
	g, err := netpoll.New(netpoll.Config{Driver: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func onDrivers(t *testing.T, f func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig)) {
	for _, d := range []netpoll.Driver{netpoll.DriverAuto, netpoll.DriverNet} {
		t.Run(d.String(), func(t *testing.T) {
			g := group(t, d)
			f(t, listen(t, callhome.Config{Group: g}), callhome.DialerConfig{Group: g, Instance: instance})
		})
	}
}

// via is env with another address of the router.
func via(t testing.TB, env *planes.Envelope, addr string) *planes.Envelope {
	t.Helper()
	in := replyInfo(t, env)
	in["address"] = addr
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return &planes.Envelope{ID: env.ID, Request: env.Request, Reply: planes.ConnectionInfo{Transport: env.Reply.Transport, Info: string(b)}}
}

// relay passes connections to a router and can cut them; those that mux takes are
// counted, and refused where noMux is set.
type relay struct {
	addr  string
	noMux bool
	muxed atomic.Int32
	mu    sync.Mutex
	conns []net.Conn
}

func relayTo(t testing.TB, to string, noMux bool) *relay {
	t.Helper()
	ln := testenv.Listen(t)
	r := &relay{addr: ln.Addr().String(), noMux: noMux}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			r.hold(in)
			wg.Go(func() { r.pass(in, to) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); r.cut(); wg.Wait() })
	return r
}

func (r *relay) hold(nc net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, nc)
}

func (r *relay) pass(in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	var first [1]byte
	if _, err := io.ReadFull(in, first[:]); err != nil {
		return
	}
	if first[0] == 0xf7 {
		r.muxed.Add(1)
		if r.noMux {
			return
		}
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	r.hold(out)
	_, _ = out.Write(first[:])
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	_, _ = io.Copy(in, out)
	_ = in.Close()
	wg.Wait()
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, nc := range r.conns {
		_ = nc.Close()
	}
	r.conns = nil
}

type accepted struct {
	r   planes.StreamReader
	err error
}

func accepting(t testing.TB, p planes.Pending) <-chan accepted {
	ch := make(chan accepted, 1)
	ctx := testenv.Context(t, limit)
	go func() {
		r, err := p.Accept(ctx)
		ch <- accepted{r, err}
	}()
	return ch
}

// hi answers with one item, and is expected to be received.
func hi(t testing.TB, w planes.StreamWriter) {
	t.Helper()
	if err := errors.Join(w.Begin(), w.Send(t.Context(), []byte("hi")), w.End(nil)); err != nil {
		t.Error(err)
	}
}

func wantHi(t testing.TB, a accepted) {
	t.Helper()
	if a.err != nil {
		t.Fatal(a.err)
	}
	if items, err := collect(t, a.r); err != nil || fmt.Sprint(items) != "[hi]" {
		t.Errorf("%v, %v", items, err)
	}
}

func open(t testing.TB, d *callhome.Dialer, env *planes.Envelope) planes.StreamWriter {
	t.Helper()
	w, err := d.Open(testenv.Context(t, limit), env)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// [mux-callhome-5]
func TestManyResponsesShareOneConnection(t *testing.T) {
	onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
		var created, acquired, reused atomic.Int32
		cfg.PoolObserver = pool.Observer[string]{
			Created: func(string) { created.Add(1) },
			Acquired: func(_ string, _ time.Duration, again bool) {
				acquired.Add(1)
				if again {
					reused.Add(1)
				}
			},
		}
		d := dialer(t, cfg)
		const n = 256
		var begun, wg sync.WaitGroup
		begun.Add(n)
		for i := range n {
			wg.Go(func() {
				r, err := answer(t, l, d, allModes, func(w planes.StreamWriter) error {
					err := w.Begin()
					begun.Done()
					begun.Wait() // all of them are open at once
					for j := range 3 {
						err = errors.Join(err, w.Send(context.Background(), fmt.Appendf(nil, "%d.%d", i, j)))
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := collect(t, r); err != nil || fmt.Sprint(got) != fmt.Sprintf("[%d.0 %d.1 %d.2]", i, i, i) {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if s := d.MuxStat(); s.Connections != 1 || s.Open != 1 || s.Responses != n || s.Fallbacks != 0 {
			t.Errorf("%+v", s)
		}
		if s := l.Stat(); s.Mux != 1 || s.MuxEver != 1 || s.Accepted != n || len(s.Rejected) != 0 {
			t.Errorf("%+v", s)
		}
		if created.Load() != 1 || acquired.Load() != n || reused.Load() != n-1 {
			t.Errorf("the observer saw %d made, %d of %d reused", created.Load(), reused.Load(), acquired.Load())
		}
		testenv.Eventually(t, limit, "all responses are over", func() bool { return d.MuxStat().Active == 0 })
	})
}

func TestAStalledReaderHoldsOnlyItsOwnResponse(t *testing.T) {
	onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
		d := dialer(t, cfg)
		stalled := make(chan struct{})
		first := true
		slow, err := answer(t, l, d, allModes, func(w planes.StreamWriter) error {
			err := w.Begin()
			for err == nil {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				err = w.Send(ctx, make([]byte, 16<<10))
				cancel()
				if err != nil && first {
					close(stalled)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		<-stalled
		for range 100 {
			r, err := answer(t, l, d, allModes, func(w planes.StreamWriter) error {
				return errors.Join(w.Begin(), w.Send(context.Background(), make([]byte, 8<<10)))
			})
			if err != nil {
				t.Fatal(err)
			}
			if items, err := collect(t, r); err != nil || len(items) != 1 {
				t.Fatal(len(items), err)
			}
		}
		if s := d.MuxStat(); s.Connections != 1 {
			t.Errorf("%+v", s)
		}
		_ = slow.Close()
	})
}

// The connection is lost when the router has asked, or has not yet: the worker, which
// has the answer, makes another. A second loss ends the response. [mux-callhome-6]
func TestALossBeforeThePrologueCostsNothing(t *testing.T) {
	onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
		for _, begun := range []bool{false, true} {
			d := dialer(t, cfg)
			r := relayTo(t, l.Addr(), false)
			p, env := expect(t, l, allModes)
			w := open(t, d, via(t, env, r.addr))
			if begun {
				_ = w.Begin()
			}
			r.cut()
			testenv.Eventually(t, limit, "the worker has dialled again", func() bool { return d.MuxStat().Connections == 2 })
			a := accepting(t, p)
			if !begun {
				_ = w.Begin()
			}
			if err := errors.Join(w.Send(t.Context(), []byte("hi")), w.End(nil)); err != nil {
				t.Error(err)
			}
			wantHi(t, <-a)
			_ = d.Close() // two workers do not share an id
			testenv.Eventually(t, limit, "the router knows", func() bool { return l.Stat().Mux == 0 })

			d2 := dialer(t, cfg)
			p, env = expect(t, l, allModes)
			w = open(t, d2, via(t, env, r.addr))
			_ = accepting(t, p)
			testenv.Eventually(t, limit, "the router has asked", func() bool { return callhome.Bound(w) })
			for n := uint64(2); n <= 3; n++ {
				if r.cut(); n == 2 {
					testenv.Eventually(t, limit, "the router asks again", func() bool { return d2.MuxStat().Connections == n && callhome.Bound(w) })
				}
			}
			if c := <-w.Controlled(); c != planes.ControlKill || planes.CodeOf(w.Reason()) != planes.CodePeerLost {
				t.Errorf("%v, %v", c, w.Reason())
			}
			if err := w.End(nil); planes.CodeOf(err) != planes.CodePeerLost {
				t.Error(err)
			}
			p.Cancel()
			_ = d2.Close()
		}
	})
}

// A worker that does not come back ends the wait long before the caller's patience.
// [mux-callhome-6]
func TestAWorkerThatIsLostBeforeThePrologueEndsTheWait(t *testing.T) {
	l, d := listen(t, callhome.Config{HandshakeTimeout: 50 * time.Millisecond}), dialer(t, callhome.DialerConfig{Instance: instance})
	r := relayTo(t, l.Addr(), false)
	p, env := expect(t, l, allModes)
	w := open(t, d, via(t, env, r.addr))
	a := accepting(t, p)
	testenv.Eventually(t, limit, "the router has asked", func() bool { return callhome.Bound(w) })
	_ = d.Close()
	if got := <-a; planes.CodeOf(got.err) != planes.CodeTransport || planes.SafeToRetry(got.err) {
		t.Error(got.err)
	}
	if c := <-w.Controlled(); c != planes.ControlKill {
		t.Error(c)
	}
}

// A loss when items have gone is the end, on both sides.
func TestALossWithinAResponseIsTold(t *testing.T) {
	onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
		d := dialer(t, cfg)
		r := relayTo(t, l.Addr(), false)
		p, env := expect(t, l, allModes)
		w := open(t, d, via(t, env, r.addr))
		a := accepting(t, p)
		_ = w.Begin()
		_ = w.Send(t.Context(), []byte("one"))
		got := <-a
		if b, err := got.r.Recv(t.Context()); err != nil || string(b) != "one" {
			t.Fatal(string(b), err)
		}
		r.cut()
		var e *planes.Error
		if _, err := got.r.Recv(t.Context()); !errors.As(err, &e) || e.Code != planes.CodeTransport && e.Code != planes.CodePeerLost || e.Items != 1 || e.Route != "demo/backend/generate" {
			t.Error(err)
		}
		if c := <-w.Controlled(); c != planes.ControlKill || planes.CodeOf(w.Reason()) != planes.CodePeerLost {
			t.Error(c, w.Reason())
		}
		_ = w.End(nil)
	})
}

// rogue is somebody who claims the worker's id.
func rogue(t testing.TB, l *callhome.Listener, prologue string) {
	t.Helper()
	s, err := tcpplane.NewServer(tcpplane.ServerConfig{Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.HandleFunc("callhome", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
		if prologue == "" {
			return nil
		}
		return errors.Join(w.Send([]byte(prologue)), w.Send([]byte("evil")))
	})
	if _, err := s.Dial(t.Context(), l.Addr()); err != nil {
		t.Fatal(err)
	}
}

// [mux-callhome-5]
func TestAnAnswerWithoutTheTokenIsTurnedAwayAndTheWaitGoesOn(t *testing.T) {
	for _, prologue := range []string{`{"error":null}`, `{"error":null,"token":"x"}`, `{"error":"no","wireplane":{"code":"DENIED"}}`, "{", ""} {
		reasons := make(chan string, 4)
		l := listen(t, callhome.Config{Observer: planes.Observer{CallHome: func(r string) { reasons <- r }}})
		d := dialer(t, callhome.DialerConfig{Instance: instance})
		p, env := expect(t, l, allModes)
		w := open(t, d, env)
		testenv.Eventually(t, limit, "the worker is there", func() bool { return l.Stat().Mux == 1 })
		rogue(t, l, prologue)
		testenv.Eventually(t, limit, "the rogue is there", func() bool { return l.Stat().Mux == 2 })
		a := accepting(t, p)
		if got := <-reasons; got != "token" {
			t.Errorf("%q: %q", prologue, got)
		}
		hi(t, w)
		wantHi(t, <-a)
		testenv.Eventually(t, limit, "the rogue's connection is closed", func() bool { return l.Stat().Mux == 1 })
	}
}

// What a router asks for that nobody answers is refused, in time. [mux-callhome-6]
func TestStreamsForUnknownAnswersEnd(t *testing.T) {
	ln := testenv.Listen(t)
	d := dialer(t, callhome.DialerConfig{Instance: instance, MeetTimeout: 50 * time.Millisecond})
	env := &planes.Envelope{ID: "r", Reply: planes.ConnectionInfo{Transport: "tcp_server",
		Info: fmt.Sprintf(`{"address":%q,"subject":"s","context":"r","stream_type":"response","modes":"mux","token":"t"}`, ln.Addr())}}
	ready := make(chan *tcpplane.Client, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			c, err := tcpplane.AcceptClient(context.Background(), nc, tcpplane.ClientConfig{})
			if err != nil {
				t.Error(err)
			}
			ready <- c
		}
	}()
	w := open(t, d, env)
	c := <-ready
	defer func() { _ = c.Close() }()
	if id, _ := c.Peer(); id != instance {
		t.Errorf("the worker is %x", id)
	}
	ask := func(payload string) (*tcpplane.Stream, error) {
		s, err := c.Stream(t.Context(), &planes.Request{Route: "callhome", Payload: []byte(payload)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Recv(testenv.Context(t, limit))
		return s, err
	}
	for payload, want := range map[string]planes.Code{
		`{"subject":"nobody"}`: planes.CodeNotFound, `{`: planes.CodeProtocol, `{}`: planes.CodeProtocol, `{"subject":7}`: planes.CodeProtocol,
	} {
		if _, err := ask(payload); planes.CodeOf(err) != want {
			t.Errorf("%s: %v", payload, err)
		}
	}
	// The router has not asked in time.
	if k := <-w.Controlled(); k != planes.ControlKill || planes.CodeOf(w.Reason()) != planes.CodePeerLost || !strings.Contains(w.Reason().Reason, "no stream") {
		t.Error(k, w.Reason())
	}
	if err := w.Send(t.Context(), nil); err == nil {
		t.Error("a Send before Begin")
	}
	_ = w.End(nil)

	w = open(t, d, env)
	if _, err := d.Open(t.Context(), env); err == nil {
		t.Error("the same request is answered twice over mux and pooled")
	}
	_ = w.Begin()
	s, err := ask(`{"subject":"s"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(`{"subject":"s"}`); planes.CodeOf(err) != planes.CodeRefused {
		t.Errorf("a second stream: %v", err)
	}
	_ = w.End(nil)
	if _, err := s.Recv(t.Context()); err != io.EOF { //nolint:errorlint // bare
		t.Error(err)
	}
}

// [mux-callhome-5]
func TestAModeThatFailsFallsBack(t *testing.T) {
	t.Run("the router does not offer it", func(t *testing.T) {
		l, d := listen(t, callhome.Config{Modes: []string{callhome.ModePooled}}), dialer(t, callhome.DialerConfig{Instance: instance})
		p, env := expect(t, l, allModes)
		if m := replyInfo(t, env)["modes"]; m != "pooled" {
			t.Errorf("offered: %q", m)
		}
		w := open(t, d, env)
		hi(t, w)
		wantHi(t, <-accepting(t, p))
		if m, s := d.MuxStat(), d.Stat(); m.Responses != 0 || m.Fallbacks != 0 || s.Acquired != 1 {
			t.Errorf("%+v, %+v", m, s)
		}
	})
	t.Run("the router does not take it", func(t *testing.T) {
		l, d := listen(t, callhome.Config{}), dialer(t, callhome.DialerConfig{Instance: instance})
		r := relayTo(t, l.Addr(), true)
		for n := range uint64(3) {
			p, env := expect(t, l, allModes)
			a := accepting(t, p)
			hi(t, open(t, d, via(t, env, r.addr)))
			wantHi(t, <-a)
			if m, s := d.MuxStat(), d.Stat(); m.Fallbacks != n+1 || m.Responses != 0 || m.Active != 0 || s.Acquired != n+1 || r.muxed.Load() != 1 {
				t.Errorf("%+v, %+v, %d tries", m, s, r.muxed.Load())
			}
		}
	})
	t.Run("the worker does not want it", func(t *testing.T) {
		l := listen(t, callhome.Config{})
		for _, cfg := range []callhome.DialerConfig{{Mode: callhome.Pooled, Instance: instance}, {Mode: callhome.Single, Instance: instance}, {}} {
			d := dialer(t, cfg)
			p, env := expect(t, l, allModes)
			a := accepting(t, p)
			hi(t, open(t, d, env))
			wantHi(t, <-a)
		}
		if s := l.Stat(); s.MuxEver != 0 || len(s.Rejected) != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("mux is refused in the released handshake", func(t *testing.T) {
		l := listen(t, callhome.Config{})
		_, env := expect(t, l, allModes)
		in := replyInfo(t, env)
		call(t, l.Addr(), frame(fmt.Sprintf(`{"subject":%q,"stream_type":"response","token":%q,"mode":"mux"}`, in["subject"], in["token"]), ""))
		testenv.Eventually(t, limit, "it is turned away", func() bool { return l.Stat().Rejected["mode"] == 1 })
	})
}

func TestModesAreAdvertised(t *testing.T) {
	for _, c := range []struct {
		cfg  callhome.DialerConfig
		want string
	}{
		{callhome.DialerConfig{Instance: 1}, "mux,pooled,single"},
		{callhome.DialerConfig{}, "pooled,single"},
		{callhome.DialerConfig{Instance: 1, PoolDisabled: true}, "single"},
		{callhome.DialerConfig{Instance: 1, Mode: callhome.Mux, PoolDisabled: true}, "mux,single"},
		{callhome.DialerConfig{Instance: 1, Mode: callhome.Mux}, "mux,pooled,single"},
		{callhome.DialerConfig{Instance: 1, Mode: callhome.Pooled}, "pooled,single"},
		{callhome.DialerConfig{Instance: 1, Mode: callhome.Single}, "single"},
	} {
		if got := dialer(t, c.cfg).Advertise("", 1).Metadata[callhome.MetadataKey]; got != c.want {
			t.Errorf("%+v: %q; want %q", c.cfg, got, c.want)
		}
	}
	for _, bad := range []callhome.DialerConfig{{Mode: callhome.Mux}, {Mode: callhome.Mux + 1}, {MeetTimeout: -1}} {
		if _, err := callhome.NewDialer(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestIdleMultiplexedConnectionsEnd(t *testing.T) {
	l := listen(t, callhome.Config{})
	d := dialer(t, callhome.DialerConfig{Instance: instance, IdleTimeout: 10 * time.Millisecond})
	for n := range uint64(3) {
		r, err := answer(t, l, d, allModes, func(w planes.StreamWriter) error {
			return errors.Join(w.Begin(), w.Send(context.Background(), []byte("hi")))
		})
		wantHi(t, accepted{r, err})
		testenv.Eventually(t, limit, "the connection is closed", func() bool { return d.MuxStat().Open == 0 && l.Stat().Conns == 0 })
		if s := d.MuxStat(); s.Connections != n+1 {
			t.Errorf("%+v", s)
		}
	}
}

// A connection that announces no instance is of nobody.
func TestAMultiplexedConnectionMustSayWhoseItIs(t *testing.T) {
	l := listen(t, callhome.Config{HandshakeTimeout: 100 * time.Millisecond})
	s, err := tcpplane.NewServer(tcpplane.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if gone, err := s.Dial(t.Context(), l.Addr()); err == nil {
		<-gone
	}
	call(t, l.Addr(), []byte{0xf7})
	testenv.Eventually(t, limit, "both are turned away", func() bool { return l.Stat().Rejected["handshake"] == 2 && l.Stat().Conns == 0 })
}

// A caller who gives up before the router has asked ends the worker's answer at once.
func TestAnAnswerThatIsGivenUpEndsAtTheWorker(t *testing.T) {
	onDrivers(t, func(t *testing.T, l *callhome.Listener, cfg callhome.DialerConfig) {
		d := dialer(t, cfg)
		for range 2 {
			p, env := expect(t, l, allModes)
			w := open(t, d, env)
			_ = w.Begin()
			testenv.Eventually(t, limit, "the worker is there", func() bool { return l.Stat().Mux == 1 })
			began := time.Now()
			p.Cancel()
			if c := <-w.Controlled(); c != planes.ControlKill || planes.CodeOf(w.Reason()) != planes.CodeCancelled || time.Since(began) > limit/2 {
				t.Errorf("%v, %v after %v", c, w.Reason(), time.Since(began))
			}
			_ = w.End(nil)
		}
	})
}
