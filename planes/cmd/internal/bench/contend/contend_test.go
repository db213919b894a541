package contend_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/cmd/internal/bench"
	"github.com/wireplane/wireplane/planes/cmd/internal/bench/contend"
	"github.com/wireplane/wireplane/planes/cmd/internal/rawfloor"
)

// serve starts a contender's server and returns its address.
func serve(t *testing.T, c bench.Contender, handler string, w bench.Workload) string {
	t.Helper()
	srv, err := c.NewServer(handler, w)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return ln.Addr().String()
}

func workloads() []bench.Workload {
	return []bench.Workload{
		{Name: "one", Conns: 1, Inflight: 1, SizeBytes: 64},
		{Name: "many", Conns: 3, Inflight: 50, SizeBytes: 64},
		{Name: "large", Conns: 1, Inflight: 4, SizeBytes: 100 << 10},
		{Name: "stream", Conns: 1, Inflight: 1, SizeBytes: 64, StreamItems: 256},
		{Name: "streams", Conns: 2, Inflight: 20, SizeBytes: 64, StreamItems: 256},
	}
}

func TestEveryContenderDoesEveryWorkload(t *testing.T) {
	for _, c := range contend.All() {
		for _, w := range workloads() {
			for _, e := range c.Entries(w, "") {
				t.Run(e.Title()+"/"+w.Name, func(t *testing.T) {
					addr := serve(t, c, e.Handler, w)
					cl, err := c.NewClient(t.Context(), addr, e.Handler, w)
					if err != nil {
						t.Fatal(err)
					}
					m := bench.NewMeter(w.Inflight)
					m.Begin()
					time.AfterFunc(50*time.Millisecond, m.Stop)
					if err := cl.Run(t.Context(), m); err != nil {
						t.Error(err)
					}
					if err := cl.Close(); err != nil {
						t.Error(err)
					}
					requests, items, hist := m.Totals()
					if requests == 0 || items != requests*int64(w.Items()) || hist.Count() == 0 {
						t.Errorf("%d requests, %d items, %d samples", requests, items, hist.Count())
					}
				})
			}
		}
	}
}

func TestEchoesAnswerLikeTheFloor(t *testing.T) {
	for _, c := range []bench.Contender{contend.Raw(), contend.GnetEcho(), contend.NetEcho()} {
		for _, w := range workloads() {
			t.Run(c.Name+"/"+w.Name, func(t *testing.T) {
				nc, err := net.Dial("tcp", serve(t, c, bench.Inline, w))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = nc.Close() }()
				if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				s := rawfloor.Shape{Payload: w.SizeBytes, StreamItems: w.StreamItems}
				var ask, want []byte
				for range 5 {
					ask = rawfloor.AppendRequest(ask, s, 0)
					if s.StreamItems > 0 {
						want = rawfloor.AppendAnswer(want, s, 0)
					}
				}
				if s.StreamItems == 0 {
					want = ask
				}
				go func() {
					_, _ = nc.Write(ask[:len(ask)-7]) // a piece is missing at first
					_, _ = nc.Write(ask[len(ask)-7:])
				}()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(nc, got); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Error("the answer differs from the floor's")
				}
			})
		}
	}
}

func TestEchoesKeepStreamsApart(t *testing.T) {
	w := bench.Workload{Conns: 1, Inflight: 2, SizeBytes: 8, StreamItems: 3}
	s := rawfloor.Shape{Payload: 8, StreamItems: 3}
	for _, c := range []bench.Contender{contend.GnetEcho(), contend.NetEcho()} {
		nc, err := net.Dial("tcp", serve(t, c, bench.Inline, w))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(rawfloor.AppendRequest(rawfloor.AppendRequest(nil, s, 7), s, 9)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2*s.AnswerBytes())
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Fatal(err)
		}
		want := rawfloor.AppendAnswer(rawfloor.AppendAnswer(nil, s, 7), s, 9)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: streams are mixed up", c.Name)
		}
		_ = nc.Close()
	}
}

func TestClientsReportAServerThatHangsUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(c, c, 200) // two answers and a piece
			_ = c.Close()
		}
	}()
	w := bench.Workload{Conns: 1, Inflight: 4, SizeBytes: 64}
	for _, c := range contend.All() {
		cl, err := c.NewClient(t.Context(), ln.Addr().String(), bench.Inline, w)
		if err != nil {
			continue // the plane shakes hands first, and has noticed
		}
		if err := cl.Run(t.Context(), bench.NewMeter(w.Inflight)); err == nil {
			t.Errorf("%s: Run = nil", c.Name)
		}
		_ = cl.Close()
	}
	if _, err := contend.Plane().NewClient(t.Context(), "127.0.0.1:1", bench.Inline, w); err == nil {
		t.Error("the plane connects to nothing")
	}
}

func TestContendersAreFoundByName(t *testing.T) {
	if c, err := bench.Find(contend.All(), bench.Plane); err != nil || len(c.Handlers) != 2 {
		t.Errorf("Find = %v, %v", c.Handlers, err)
	}
	if contend.All()[0].Name != "raw" {
		t.Error("the floor is not first")
	}
}
