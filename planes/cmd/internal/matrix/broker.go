package matrix

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// StartNATS runs a NATS server inside this process, on loopback and a free port. It
// returns its URL and what ends it.
func StartNATS() (url string, stop func(), err error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		return "", nil, err
	}
	go s.Start()
	stop = func() { s.Shutdown(); s.WaitForShutdown() }
	if !s.ReadyForConnections(10 * time.Second) {
		stop()
		return "", nil, errors.New("the NATS server inside this process does not start")
	}
	return s.ClientURL(), stop, nil
}
