package tcpplane_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// BenchmarkCall measures unary calls of 64 bytes with both ends in this process.
func BenchmarkCall(b *testing.B) {
	for _, d := range []netpoll.Driver{netpoll.DriverLoop, netpoll.DriverNet} {
		for _, route := range []string{"echo", "slow-echo"} {
			for _, inflight := range []int{1, 16, 256} {
				b.Run(fmt.Sprintf("driver=%s/route=%s/inflight=%d", d, route, inflight), func(b *testing.B) {
					_, c := pair(b, d, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
					payload := make([]byte, 64)
					var left atomic.Int64
					left.Store(int64(b.N))
					b.ReportAllocs()
					b.ResetTimer()
					var wg sync.WaitGroup
					for range inflight {
						wg.Go(func() {
							var dst []byte
							req := planes.Request{Route: route, Payload: payload, Timeout: 10 * time.Second}
							for left.Add(-1) >= 0 {
								out, err := c.Call(context.Background(), &req, dst[:0])
								if err != nil {
									b.Error(err)
									return
								}
								dst = out
							}
						})
					}
					wg.Wait()
				})
			}
		}
	}
}

// BenchmarkStream measures streams of 256 items of 64 bytes; one op is one item.
func BenchmarkStream(b *testing.B) {
	for _, streams := range []int{1, 64} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			_, c := pair(b, netpoll.DriverLoop, tcpplane.ServerConfig{}, tcpplane.ClientConfig{})
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range streams {
				wg.Go(func() {
					bg := context.Background()
					for left.Add(-256) >= 0 {
						st, err := c.Stream(bg, &planes.Request{Route: "tokens"})
						for err == nil {
							_, err = st.Recv(bg)
						}
						if !errors.Is(err, io.EOF) {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
