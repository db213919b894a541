// Package etcdtest runs an etcd of one member inside of a test: it can be stopped,
// started again with or without its data, and compacted.
//
// It lives in a module of its own, so that nothing else links the server.
package etcdtest

import (
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// Server is an embedded etcd. Its methods are for one goroutine.
type Server struct {
	tb           testing.TB
	dir          string
	client, peer url.URL
	e            *embed.Etcd
}

// Start runs an etcd on free loopback ports until tb ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), client: freeURL(tb), peer: freeURL(tb)}
	s.Restart()
	tb.Cleanup(s.Stop)
	return s
}

func freeURL(tb testing.TB) url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its port is wanted
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

// URL returns where clients connect.
func (s *Server) URL() string { return s.client.String() }

// Restart stops the server if it runs, and starts it where it was, with its data.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	c := embed.NewConfig()
	c.Dir, c.Name = s.dir, "test"
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{s.client}, []url.URL{s.client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{s.peer}, []url.URL{s.peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 20, 200
	c.UnsafeNoFsync = true
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(c)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.e = e
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		s.tb.Fatal("etcd does not start")
	}
}

// RestartEmpty is Restart without the data.
func (s *Server) RestartEmpty() {
	s.tb.Helper()
	s.Stop()
	if err := os.RemoveAll(s.dir); err != nil {
		s.tb.Fatal(err)
	}
	s.Restart()
}

// Stop stops the server, cutting its connections, and waits until it has.
func (s *Server) Stop() {
	if s.e != nil {
		s.e.Close()
		s.e = nil
	}
}

// Client returns a client of the test's own.
func (s *Server) Client() *clientv3.Client {
	s.tb.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.URL()}, Logger: zap.NewNop()})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = c.Close() })
	return c
}
