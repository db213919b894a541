package integration_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/wireplane/wireplane/internal/integration/natstest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/natsplane"
)

// A connection that the server closes for good takes the subscriptions with it; they
// must come back with the next.
func TestSubscriptionsComeBackAfterTheServerHasClosedTheConnection(t *testing.T) {
	p := start(t, &acceptor{}, 64<<10, natsplane.ServerConfig{})
	p.SetMaxPayload(2048)
	beside := natsplane.NewClient(p.work, natsplane.ClientConfig{}) // on the worker's connection
	err := beside.Send(testenv.Context(t, 3*time.Second), p.to, envelopeOf("big", make([]byte, 8000)))
	want(t, err, planes.CodeTooLarge, planes.PhaseNotStarted, "at most 2048")
	if st := p.work.Stat(); st.Redials != 1 {
		t.Fatalf("%+v: the connection was not closed", st)
	}
	testenv.Eventually(t, 5*time.Second, "the worker is reached again", func() bool { return p.send(t, "again") == nil })
}

func TestEachWayToAuthenticate(t *testing.T) {
	testenv.NoLeak(t)
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, _ := pair.PublicKey()
	for name, tc := range map[string]struct {
		set func(*server.Options)
		cfg natsplane.ConnConfig
	}{
		"password": {func(o *server.Options) { o.Username, o.Password = "me", "secret" }, natsplane.ConnConfig{User: "me", Password: "secret"}},
		"token":    {func(o *server.Options) { o.Authorization = "open" }, natsplane.ConnConfig{Token: "open"}},
		"nkey":     {func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, natsplane.ConnConfig{NKeySeed: string(seed)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, 0, tc.set)
			if conn, err := natsplane.Dial(natsplane.ConnConfig{URL: s.URL()}); err == nil {
				_ = conn.Close()
				t.Error("connected without")
			}
			tc.cfg.URL = s.URL()
			conn, err := natsplane.Dial(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		})
	}
}

func TestALazyConnectionComesWithTheServer(t *testing.T) {
	testenv.NoLeak(t)
	s := natstest.Start(t, 0)
	url := s.URL()
	s.Stop()
	conn, err := natsplane.Dial(natsplane.ConnConfig{URL: url, Lazy: true, ReconnectWait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := natsplane.NewClient(conn, natsplane.ClientConfig{})
	to, _ := planes.NATSAddress("a.b-1")
	err = client.Send(testenv.Context(t, time.Second), to, envelopeOf("x", nil))
	want(t, err, planes.CodeTransport, planes.PhaseNotStarted, "not connected")
	s.Restart()
	testenv.Eventually(t, 5*time.Second, "it is connected", conn.Connected)
}
