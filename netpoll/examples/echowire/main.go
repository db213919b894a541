// Command echowire serves and calls a protocol of its own: echo.wire says what the bytes are, netpoll moves them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/netpoll/examples/echowire/echo"
)

//go:generate go tool wiregen gen -o echo -package echo echo.wire

// each gives every whole line to h, which must not keep the text.
func each(h func(c *netpoll.Conn, line *echo.Line) error) netpoll.Handler {
	return netpoll.DataFunc(func(c *netpoll.Conn, b []byte) (consumed int, err error) {
		for line := new(echo.Line); err == nil; err = h(c, line) {
			n, err := line.Decode(b[consumed:], nil)
			if need := codec.Need(0); errors.As(err, &need) {
				return consumed, nil // the rest comes again, in front of what is missing
			} else if err != nil {
				return consumed, err // closes the connection
			}
			consumed += n
		}
		return consumed, err
	})
}

func send(c *netpoll.Conn, line *echo.Line) error {
	b, err := line.Append(nil)
	return errors.Join(err, c.Write(b))
}

func main() {
	ctx, answer := context.Background(), make(chan string, 1)
	group := must(netpoll.New(netpoll.Config{}))
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go group.Serve(ctx, ln, func(*netpoll.Conn) (netpoll.Handler, error) { return each(send), nil })
	conn := must(group.Dial(ctx, "tcp", ln.Addr().String(), each(func(_ *netpoll.Conn, line *echo.Line) error {
		answer <- string(line.Text)
		return nil
	})))
	must(conn, send(conn, &echo.Line{Number: 1, Text: []byte("hello, wire")}))
	fmt.Fprintln(os.Stdout, <-answer)
	must(group, group.Shutdown(ctx))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
