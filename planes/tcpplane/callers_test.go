package tcpplane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// Call of a route that streams without end fails at the second item: it gives no
// credit, so waiting for the end would be waiting for ever.
func TestCallOfAStream(t *testing.T) {
	drivers(t, func(t *testing.T, d netpoll.Driver) {
		s, c := pair(t, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
		s.HandleFunc("endless", func(_ context.Context, _ *planes.Request, w planes.ResponseWriter) error {
			for {
				if err := w.Send([]byte("item")); err != nil {
					return err
				}
			}
		})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		dst, err := c.Call(ctx, &planes.Request{Route: "endless"}, []byte("keep"))
		wantCode(t, err, planes.CodeProtocol, planes.PhaseStarted)
		if string(dst) != "keep" {
			t.Errorf("dst is %q", dst)
		}
		testenv.Eventually(t, 5*time.Second, "the handler has ended", func() bool { return s.Stats().Streams == 0 })
	})
}

// A caller that waits for memory goes on when another stream of this side gives its
// share back, although the peer says nothing.
func TestCallerWaitsForMemory(t *testing.T) {
	const window = 64 << 10
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{
		Limits: tcpplane.Limits{BudgetBytes: window, WindowBytes: window, ProbeAfter: time.Minute, IdleProbe: time.Minute}})
	k := newTicker(s)
	st, err := c.Stream(context.Background(), &planes.Request{Route: "ticker"})
	if err != nil {
		t.Fatal(err)
	}
	<-k.started
	if _, err := st.Recv(context.Background()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), &planes.Request{Route: "echo", Timeout: 2 * time.Second}, nil)
		done <- err
	}()
	testenv.Eventually(t, 5*time.Second, "the caller waits", func() bool { return tcpplane.Waiting(c) })
	_ = st.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// fakeServer answers every connection with a HELLO and what answer makes of each
// frame that comes.
func fakeServer(t *testing.T, answer func(f *muxwire.Frame) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Write(hello(t))
				if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
					return
				}
				lim := muxwire.DefaultLimits()
				var all []byte
				buf := make([]byte, 64<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					for all = append(all, buf[:n]...); ; {
						var f muxwire.Frame
						m, err := f.Decode(all, &lim, true)
						if err != nil {
							break
						}
						_, _ = conn.Write(answer(&f))
						all = all[m:]
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// A server that says GOAWAY over and over while a call runs costs the client one
// goroutine, not one each time.
func TestRepeatedGoAway(t *testing.T) {
	const times = 50
	started := frame(t, muxwire.Frame{Type: muxwire.FrameTypeStarted, Stream: 1})
	bye := muxwire.Frame{Type: muxwire.FrameTypeGoaway, Arg: 1}
	bye.Body.Notice = muxwire.Notice{Code: muxwire.CodeDraining}
	all := started
	for range times {
		all = append(all, frame(t, bye)...)
	}
	item := muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 1}
	item.Body.Bytes = []byte("x")
	all = append(all, frame(t, item)...)
	addr := fakeServer(t, func(f *muxwire.Frame) []byte {
		if f.Type == muxwire.FrameTypeOpen {
			return all
		}
		return nil
	})
	c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: addr, Limits: tcpplane.Limits{Checksums: tcpplane.ChecksumOn}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := runtime.NumGoroutine()
	st, err := c.Stream(context.Background(), &planes.Request{Route: "r"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Recv(context.Background()); err != nil { // comes behind all of them
		t.Fatal(err)
	}
	if n := runtime.NumGoroutine() - before; n > times/2 {
		t.Errorf("%d goroutines for %d GOAWAYs", n, times)
	}
}

// A call whose context has ended before it began sends nothing, and says so.
func TestCallAfterItsContext(t *testing.T) {
	s, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	ran := make(chan struct{}, 1)
	s.HandleInline("ran", func(_ *planes.Request, dst []byte) ([]byte, error) {
		ran <- struct{}{}
		return dst, nil
	})
	call := func(ctx context.Context, route string) error {
		_, err := c.Call(ctx, &planes.Request{Route: route}, nil)
		return err
	}
	if err := call(context.Background(), "echo"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantCode(t, call(ctx, "ran"), planes.CodeCancelled, planes.PhaseNotStarted)
	if err := call(context.Background(), "echo"); err != nil { // behind it
		t.Fatal(err)
	}
	if len(ran) > 0 {
		t.Error("the handler ran")
	}
}

// A stream that is closed before all of it was read does not look complete, although
// its end had come.
func TestRecvAfterClose(t *testing.T) {
	_, c := pair(t, netpoll.DriverAuto, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
	st, err := c.Stream(context.Background(), &planes.Request{Route: "count", Payload: []byte("5")})
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "the end has come", func() bool { return c.Stats().Streams == 0 })
	_ = st.Close()
	_, err = st.Recv(context.Background())
	wantCode(t, err, planes.CodeCancelled, planes.PhaseStarted)
}

// Close does not wait for a dial to a server that says nothing.
func TestCloseEndsDials(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := tcpplane.NewClient(tcpplane.ClientConfig{Addr: ln.Addr().String(), DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), &planes.Request{Route: "r"}, nil)
		done <- err
	}()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := time.Now()
	_ = c.Close()
	if took := time.Since(before); took > 20*time.Second {
		t.Errorf("Close took %v", took)
	}
	err = <-done
	wantCode(t, err, planes.CodeCancelled, planes.PhaseNotStarted)
	if !errors.Is(err, tcpplane.ErrClientClosed) {
		t.Errorf("%v does not say that the client was closed", err)
	}
}
