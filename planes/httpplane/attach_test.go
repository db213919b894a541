package httpplane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/httpplane"
)

func attachPair(t *testing.T, on wire, format itemstream.Format, cfg httpplane.ListenerConfig) (*httpplane.ResponseListener, *httpplane.Attacher) {
	t.Helper()
	if cfg.Listener == nil {
		cfg.Listener = testenv.Listen(t)
	}
	l, err := httpplane.NewResponseListener(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a, err := httpplane.NewAttacher(httpplane.ClientConfig{H2C: on.h2c, Format: &format, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return l, a
}

// open makes both ends of an answer.
func open(t *testing.T, l *httpplane.ResponseListener, a *httpplane.Attacher) (planes.StreamWriter, planes.StreamReader) {
	t.Helper()
	ctx := testenv.Context(t, wait)
	p := expect(t, l, a)
	var w planes.StreamWriter
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		if w, err = l.Open(ctx, envelopeFor(p)); err != nil {
			t.Error(err)
			return
		}
		if err := w.Begin(); err != nil {
			t.Error(err)
		}
	})
	r, err := p.Accept(ctx)
	if wg.Wait(); err != nil || w == nil {
		t.Fatal(err)
	}
	return w, r
}

func expect(t *testing.T, l *httpplane.ResponseListener, a *httpplane.Attacher) planes.Pending {
	t.Helper()
	p, err := a.Expect(testenv.Context(t, wait), planes.Expectation{ID: "id", Route: "demo/x", Response: l.Advertise("demo/x", 1)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func envelopeFor(p planes.Pending) *planes.Envelope {
	return &planes.Envelope{ID: "id", Reply: p.Reply(), Request: &planes.Request{Route: "demo/x"}}
}

func TestAnAttachedAnswerArrives(t *testing.T) {
	for _, on := range wires[:2] {
		for _, format := range itemstream.Formats {
			t.Run(on.name+"/"+format.String(), func(t *testing.T) {
				l, a := attachPair(t, on, format, httpplane.ListenerConfig{})
				for _, verdict := range []error{nil, planes.Errorf(planes.CodeHandler, "out of luck")} {
					w, r := open(t, l, a)
					ctx := testenv.Context(t, wait)
					want := []string{"a", "", "\x00\xff"}
					ended := make(chan error, 1)
					go func() {
						for _, item := range want {
							if err := w.Send(ctx, []byte(item)); err != nil {
								t.Error(err)
							}
						}
						ended <- w.End(verdict)
					}()
					var got []string
					var err error
					for err == nil {
						var item []byte
						if item, err = r.Recv(ctx); err == nil {
							got = append(got, string(item))
						}
					}
					if !reflect.DeepEqual(got, want) || (verdict == nil) != errors.Is(err, io.EOF) || verdict != nil && planes.CodeOf(err) != planes.CodeHandler {
						t.Errorf("%q %v", got, err)
					}
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				testenv.Eventually(t, wait, "no answer is left", func() bool { return l.Stat().Streams == 0 })
			})
		}
	}
}

func TestAnAnswerThatIsRefusedHasNotStarted(t *testing.T) {
	l, a := attachPair(t, wires[0], itemstream.Binary, httpplane.ListenerConfig{})
	ctx := testenv.Context(t, wait)
	p := expect(t, l, a)
	go func() {
		w, err := l.Open(ctx, envelopeFor(p))
		if err == nil {
			err = w.End(&planes.Error{Code: planes.CodeOverloaded, Reason: "full"})
		}
		if err != nil {
			t.Error(err)
		}
	}()
	_, err := p.Accept(ctx)
	if planes.CodeOf(err) != planes.CodeOverloaded || !planes.SafeToRetry(err) {
		t.Errorf("%v", err)
	}
}

func TestStrangersAreTurnedAway(t *testing.T) {
	l, a := attachPair(t, wires[0], itemstream.SSE, httpplane.ListenerConfig{AttachTimeout: 100 * time.Millisecond})
	get := func(url string) int {
		resp, err := http.Get(url) //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	defer http.DefaultClient.CloseIdleConnections()
	base := l.Address("demo/x").URL
	if s := get(base + "/nobody"); s != http.StatusNotFound || l.Stat().Unknown != 1 {
		t.Errorf("unknown: %d %+v", s, l.Stat())
	}
	p := expect(t, l, a)
	env := envelopeFor(p)
	env.Reply.Info = `{"subject":"s1","token":"0123456789abcdef"}`
	if _, err := l.Open(testenv.Context(t, wait), env); planes.CodeOf(err) != planes.CodePeerLost {
		t.Errorf("nobody came: %v", err)
	}
	if s := get(base + "/s1?token=0123456789abcdef"); s != http.StatusGone || l.Stat().Late != 1 || l.Stat().Unclaimed != 1 {
		t.Errorf("late: %d %+v", s, l.Stat())
	}
	w, r := open(t, l, a)
	defer func() { _ = r.Close() }()
	_ = w
	env.Reply.Info = `{"subject":"s2","token":"0123456789abcdef"}`
	opened := make(chan planes.StreamWriter, 1)
	go func() {
		w, _ := l.Open(context.Background(), env)
		opened <- w
	}()
	testenv.Eventually(t, wait, "registered", func() bool { return l.Stat().Streams == 2 })
	if s := get(base + "/s2?token=wrong"); s != http.StatusForbidden || l.Stat().Denied != 1 {
		t.Errorf("wrong token: %d %+v", s, l.Stat())
	}
	resp, err := http.Get(base + "/s2?token=0123456789abcdef") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if s := get(base + "/s2?token=0123456789abcdef"); s != http.StatusConflict || l.Stat().Duplicate != 1 {
		t.Errorf("duplicate: %d %+v", s, l.Stat())
	}
	if w := <-opened; w == nil {
		t.Error("the right one did not get in")
	}
}

// A router that closes an answer kills it, one that stops it gets what still comes.
func TestAttachedAnswersAreControlled(t *testing.T) {
	l, a := attachPair(t, wires[0], itemstream.Binary, httpplane.ListenerConfig{Grace: time.Hour})
	ctx := testenv.Context(t, wait)
	w, r := open(t, l, a)
	r.Stop()
	if c := <-w.Controlled(); c != planes.ControlStop {
		t.Fatal(c)
	}
	if err := w.Send(ctx, []byte("last")); err != nil {
		t.Fatal(err)
	}
	go func() { _ = w.End(nil) }()
	if item, err := r.Recv(ctx); string(item) != "last" || err != nil {
		t.Fatal(string(item), err)
	}
	if _, err := r.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	w, r = open(t, l, a)
	_ = r.Close()
	if c := <-w.Controlled(); c != planes.ControlKill || w.Reason() == nil {
		t.Fatal(c)
	}
	if err := w.Send(ctx, nil); planes.CodeOf(err) != planes.CodeCancelled {
		t.Fatal(err)
	}
}

// cutter is a listener whose connections can be cut.
type cutter struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func TestACutAnswerIsResumed(t *testing.T) {
	for _, format := range itemstream.Formats {
		ln := &cutter{Listener: testenv.Listen(t)}
		l, a := attachPair(t, wires[0], format, httpplane.ListenerConfig{Listener: ln})
		w, r := open(t, l, a)
		ctx := testenv.Context(t, wait)
		for i := range 50 {
			if err := w.Send(ctx, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			item, err := r.Recv(ctx)
			if err != nil || len(item) != 1 || item[0] != byte(i) {
				t.Fatalf("%v item %d: %v %v", format, i, item, err)
			}
			if i%20 == 10 {
				ln.cut()
			}
		}
		go func() { _ = w.End(nil) }()
		if _, err := r.Recv(ctx); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if n := l.Stat().Resumed; n < 2 {
			t.Errorf("%d resumed", n)
		}
	}
}

// What is not held any more is an error, never a gap.
func TestAnAnswerThatIsTooOldIsNotResumed(t *testing.T) {
	l, a := attachPair(t, wires[0], itemstream.SSE, httpplane.ListenerConfig{ReplayBytes: 1, ReplayItems: 1})
	ctx := testenv.Context(t, wait)
	p := expect(t, l, a)
	env := envelopeFor(p)
	env.Reply.Info = `{"subject":"s","token":"0123456789abcdef"}`
	var first *http.Response
	var wg sync.WaitGroup
	wg.Go(func() { first, _ = http.Get(l.Address("x").URL + "/s?token=0123456789abcdef") }) //nolint:noctx,bodyclose // closed below
	w, err := l.Open(ctx, env)
	if wg.Wait(); err != nil || first == nil {
		t.Fatal(err)
	}
	d := itemstream.NewDecoder(itemstream.SSE, 0)
	for range 3 {
		if err := w.Send(ctx, []byte("x")); err != nil {
			t.Fatal(err)
		}
		readItem(t, d, first.Body)
	}
	_ = first.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	testenv.Eventually(t, wait, "turned away as too old", func() bool {
		resp, err := http.Get(l.Address("x").URL + "/s?token=0123456789abcdef") //nolint:noctx // a test
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusGone && l.Stat().Old > 0
	})
	http.DefaultClient.CloseIdleConnections()
}

func readItem(t *testing.T, d *itemstream.Decoder, body io.Reader) itemstream.Event {
	t.Helper()
	buf := make([]byte, 100)
	for {
		ev, ok, err := d.Next()
		if err != nil || ok {
			if err != nil {
				t.Fatal(err)
			}
			return ev
		}
		n, err := body.Read(buf)
		if d.Feed(buf[:n]); n == 0 && err != nil {
			t.Fatal(errors.Join(err, d.Close()))
		}
	}
}
