// Package natstest runs a NATS server inside of a test: it can be stopped, started
// again on the same port, and given another max_payload while it runs.
//
// It lives in a module of its own, so that nothing else links the server.
package natstest

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is an embedded NATS server. Its methods are for one goroutine.
type Server struct {
	tb   testing.TB
	opts server.Options
	s    *server.Server
}

// Start runs a server on a free loopback port until tb ends. maxPayload is in bytes; 0
// means 1 MiB. Each of set changes the options before.
func Start(tb testing.TB, maxPayload int32, set ...func(*server.Options)) *Server {
	tb.Helper()
	s := &Server{tb: tb, opts: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxPayload: maxPayload,
	}}
	for _, f := range set {
		f(&s.opts)
	}
	s.Restart()
	s.opts.Port = s.s.Addr().(*net.TCPAddr).Port
	tb.Cleanup(s.Stop)
	return s
}

// URL returns where clients connect.
func (s *Server) URL() string { return s.s.ClientURL() }

// Restart stops the server if it runs, and starts it on the port that it had.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	opts := s.opts
	srv, err := server.NewServer(&opts)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.s = srv
	go srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		s.tb.Fatal("the NATS server does not start")
	}
}

// Stop stops the server and waits until it has.
func (s *Server) Stop() {
	if s.s != nil {
		s.s.Shutdown()
		s.s.WaitForShutdown()
	}
}

// SetMaxPayload changes the limit of the server that runs.
func (s *Server) SetMaxPayload(n int32) {
	s.tb.Helper()
	opts := s.opts
	opts.MaxPayload = n
	if err := s.s.ReloadOptions(&opts); err != nil {
		s.tb.Fatal(err)
	}
	s.opts.MaxPayload = n
}

// InMsgs returns how many messages the server has taken from its clients.
func (s *Server) InMsgs() int64 {
	v, err := s.s.Varz(nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	return v.InMsgs
}
