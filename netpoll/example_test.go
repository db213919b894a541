package netpoll_test

import (
	"context"
	"fmt"
	"net"

	"github.com/wireplane/wireplane/netpoll"
)

// echoClient collects an answer of a known length.
type echoClient struct {
	want   int
	answer chan string
}

func (*echoClient) OnOpen(*netpoll.Conn) {}

func (e *echoClient) OnData(_ *netpoll.Conn, b []byte) (int, error) {
	if len(b) < e.want {
		return 0, nil // the bytes come again, in front of later ones
	}
	e.answer <- string(b[:e.want]) // b is borrowed, the string is a copy
	return e.want, nil
}

func (*echoClient) OnClose(*netpoll.Conn, error) {}

// One group of loops serves both ends of an echo connection.
func Example() {
	ctx := context.Background()
	group, err := netpoll.New(netpoll.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() {
		served <- group.Serve(ctx, ln, func(*netpoll.Conn) (netpoll.Handler, error) {
			return netpoll.DataFunc(func(c *netpoll.Conn, b []byte) (int, error) { return len(b), c.Write(b) }), nil
		})
	}()

	client := &echoClient{want: len("hello, loop"), answer: make(chan string, 1)}
	conn, err := group.Dial(ctx, "tcp", ln.Addr().String(), client)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := conn.Write([]byte("hello, loop")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-client.answer)
	fmt.Println(group.Shutdown(ctx))
	fmt.Println(<-served)
	// Output:
	// hello, loop
	// <nil>
	// use of closed network connection
}
