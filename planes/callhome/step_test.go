package callhome_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
)

// starved fails some accepts as a process without descriptors does.
type starved struct {
	net.Listener
	left atomic.Int32
}

func (s *starved) Accept() (net.Conn, error) {
	if s.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestALackOfDescriptorsPasses(t *testing.T) {
	ln := &starved{Listener: testenv.Listen(t)}
	ln.left.Store(5)
	l, err := callhome.Listen(callhome.Config{Listener: ln})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r, err := answer(t, l, dialer(t, callhome.DialerConfig{}), "pooled,single", func(w planes.StreamWriter) error {
		return errors.Join(w.Begin(), w.Send(context.Background(), []byte("x")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if items, err := collect(t, r); err != nil || len(items) != 1 {
		t.Errorf("%v, %v", items, err)
	}
}

// Bytes of the next response before the end of this one was answered, and garbage
// behind a clean end, end the connection and neither response is another's.
func TestAConnectionOutOfStepIsNotReused(t *testing.T) {
	l := listen(t, callhome.Config{})
	for _, extra := range [][]byte{frame(`{"subject":"x","stream_type":"response","mode":"pooled","token":"y"}`, ""), []byte("garbage"), frame("", "an item"), frame(`"stop"`, "")} {
		for _, together := range []bool{true, false} {
			p, env := expect(t, l, "pooled,single")
			in := replyInfo(t, env)
			hello := frame(`{"subject":"`+in["subject"]+`","stream_type":"response","mode":"pooled","token":"`+in["token"]+`"}`, "")
			b := append(hello, frame(`{"error":null}`, "")...)
			b = append(b, frame("", "one")...)
			b = append(b, frame(`{"end":{"code":"OK","items":1,"bytes":3}}`, "")...)
			b = append(b, frame(`"sentinel"`, "")...)
			if together {
				b = append(b, extra...)
			}
			nc := call(t, l.Addr(), b)
			r, err := p.Accept(testenv.Context(t, limit))
			if err != nil {
				t.Fatal(err)
			}
			if items, err := collect(t, r); err != nil || len(items) != 1 || items[0] != "one" {
				t.Errorf("%q: %v, %v", extra, items, err)
			}
			if !together {
				_, _ = nc.Write(extra)
			}
			_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
			buf := make([]byte, 4096)
			for err == nil {
				_, err = nc.Read(buf)
			}
			if ne := (net.Error)(nil); errors.As(err, &ne) && ne.Timeout() {
				if together || string(extra) != "garbage" { // which is the begin of a frame without end
					t.Errorf("%q, together %v: the connection stays", extra, together)
				}
			}
			_ = nc.Close()
		}
	}
	testenv.Eventually(t, limit, "nothing is left", func() bool { s := l.Stat(); return s.Conns == 0 && s.Pending == 0 })
}
