// Package contend holds the contenders of the benchmark: the raw floor, a plain
// echo over gnet, a plain echo over the standard library's net, and the
// multiplexed TCP plane.
//
// The echoes are yardsticks, not products: they have the frames of the floor and
// nothing else, no deadline, flow control, error or limit. They show what an
// event loop and what a goroutine per connection cost before a protocol begins.
// Both are driven by the same client, which multiplexes blocking callers over one
// connection and coalesces their writes.
package contend

import (
	"context"
	"fmt"
	"net"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// dial opens as many TCP connections as the workload wants.
func dial(ctx context.Context, addr string, n int) ([]net.Conn, error) {
	var d net.Dialer
	var conns []net.Conn
	for range n {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			for _, c := range conns {
				_ = c.Close()
			}
			return nil, fmt.Errorf("contend: %w", err)
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// shapeOf is the workload in the floor's words.
func shapeOf(w bench.Workload) rawfloor.Shape {
	return rawfloor.Shape{Payload: w.SizeBytes, StreamItems: w.StreamItems}
}

// share is how many of n callers connection i of k gets.
func share(n, k, i int) int {
	s := n / k
	if i < n%k {
		s++
	}
	return s
}
