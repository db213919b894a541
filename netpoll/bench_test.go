package netpoll_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/wireplane/wireplane/netpoll"
)

const benchFrameBytes = 64

// benchEcho sends back what it gets, whole reads at a time.
type benchEcho struct{}

func (benchEcho) OnOpen(*netpoll.Conn) {}

func (benchEcho) OnData(c *netpoll.Conn, b []byte) (int, error) { return len(b), c.Write(b) }

func (benchEcho) OnClose(*netpoll.Conn, error) {}

// benchClient keeps a number of frames in flight until left are answered.
type benchClient struct {
	frame [benchFrameBytes]byte
	send  int // frames not sent yet
	left  int // frames not answered yet
	out   []byte
	done  chan struct{}
}

func (*benchClient) OnOpen(*netpoll.Conn) {}

func (c *benchClient) OnData(conn *netpoll.Conn, b []byte) (int, error) {
	n := len(b) / benchFrameBytes
	c.left -= n
	if c.left == 0 {
		close(c.done)
	}
	c.out = c.out[:0]
	for range min(n, c.send) {
		c.out = append(c.out, c.frame[:]...)
		c.send--
	}
	return n * benchFrameBytes, conn.Write(c.out)
}

func (*benchClient) OnClose(*netpoll.Conn, error) {}

// BenchmarkEcho measures round trips of 64-byte frames over one loopback connection, both ends in this process and one
// group of loops each.
func BenchmarkEcho(b *testing.B) {
	for _, driver := range []netpoll.Driver{netpoll.DriverLoop, netpoll.DriverNet} {
		for _, inflight := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("driver=%v/inflight=%d", driver, inflight), func(b *testing.B) {
				benchmarkEcho(b, driver, inflight)
			})
		}
	}
}

func benchmarkEcho(b *testing.B, driver netpoll.Driver, inflight int) {
	group := newGroup(driver)
	server, client := group(b, netpoll.Config{}), group(b, netpoll.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(b.Context(), ln, func(*netpoll.Conn) (netpoll.Handler, error) { return benchEcho{}, nil })
	inflight = min(inflight, b.N)
	h := &benchClient{send: b.N - inflight, left: b.N, done: make(chan struct{})}
	c, err := client.Dial(b.Context(), "tcp", ln.Addr().String(), h)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range inflight {
		if err := c.Write(h.frame[:]); err != nil {
			b.Fatal(err)
		}
	}
	<-h.done
	b.StopTimer()
	s := server.Stat()
	b.ReportMetric(float64(s.Reads+s.Writes)/float64(b.N), "syscalls/op")
}

// BenchmarkWakeWhenDue is the cost of announcing output when a flush is due already.
func BenchmarkWakeWhenDue(b *testing.B) {
	g := newGroup(netpoll.DriverNet)(b, netpoll.Config{})
	here, there := net.Pipe()
	defer there.Close()
	h := &dueHandler{entered: make(chan struct{}), release: make(chan struct{})}
	c, err := g.Attach(here, h)
	if err != nil {
		b.Fatal(err)
	}
	go there.Write([]byte("x"))
	<-h.entered
	c.Wake() // inside OnData: due from here on
	for b.Loop() {
		c.Wake()
	}
	close(h.release)
}

// dueHandler stays inside OnData until it is released.
type dueHandler struct{ entered, release chan struct{} }

func (*dueHandler) OnOpen(*netpoll.Conn) {}

func (h *dueHandler) OnData(_ *netpoll.Conn, b []byte) (int, error) {
	close(h.entered)
	<-h.release
	return len(b), nil
}

func (*dueHandler) OnClose(*netpoll.Conn, error) {}
