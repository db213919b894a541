package worker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/planetest"
	"github.com/wireplane/wireplane/planes/worker"
)

// Without a choice every combination is advertised, in the order of the priorities; the
// released form comes first where it is asked for and there is one.
func TestRecordsAdvertised(t *testing.T) {
	n := planetest.NewNetwork()
	reg := registry(t)
	request := func(id planes.TransportID, priority int, exchanges bool) {
		s := n.RequestServer(n.Listen(string(id)))
		s.ID, s.Priority, s.Exchanges = id, priority, exchanges
		if err := reg.RegisterRequest(s); err != nil {
			t.Fatal(err)
		}
	}
	request("slow", 2, true)
	request(planes.DynamoTCP, 1, false)
	home := n.ResponseClient("h")
	home.ID = planes.TCP
	if err := reg.RegisterResponse(home); err != nil {
		t.Fatal(err)
	}
	record := func(cfg worker.Config) discovery.Instance {
		t.Helper()
		store := discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})
		defer store.Close()
		cfg.Registry, cfg.Store = reg, store
		w, err := worker.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.HandleFunc(path, gated(nil)), w.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		list, err := store.List(t.Context(), discovery.Query{})
		if err != nil || len(list) != 1 || list[0].ID != w.Instance() {
			t.Fatal(list, err)
		}
		if err := w.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	offers := func(i discovery.Instance) string {
		var list []string
		for _, o := range i.Target().Offers {
			list = append(list, o.String())
		}
		return strings.Join(list, " ")
	}
	if got, want := offers(record(worker.Config{})), "dynamo-tcp+tcp slow+exchange slow+tcp"; got != want {
		t.Errorf("advertised %q; want %q", got, want)
	}
	i := record(worker.Config{Released: true, Offers: []worker.Pair{{Request: planes.DynamoTCP, Response: planes.TCP}, {Request: "slow", Response: planes.Exchange}}})
	if i.Transport.Kind != discovery.KindTCP || len(i.Alternatives) != 2 {
		t.Errorf("the released form is not first: %+v", i)
	}
}

func TestWorkersThatCannotBe(t *testing.T) {
	_, err := worker.New(worker.Config{MaxInFlight: -1, RetryAfter: -1, OpenTimeout: -1})
	for _, field := range []string{"Registry", "MaxInFlight", "RetryAfter", "OpenTimeout"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	n := planetest.NewNetwork()
	reg := registry(t)
	if err := reg.RegisterRequest(n.RequestServer(n.Listen("w"))); err != nil {
		t.Fatal(err)
	}
	store := discovery.NewMemory().Open(discovery.Config{Heartbeat: -1})
	defer store.Close()
	for name, cfg := range map[string]worker.Config{
		"no such request transport":  {Offers: []worker.Pair{{Request: "x", Response: planes.Exchange}}},
		"no such response transport": {Offers: []worker.Pair{{Request: planetest.Memory, Response: "x"}}},
	} {
		cfg.Registry, cfg.Store = reg, store
		w, err := worker.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.HandleFunc(path, gated(nil)); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%s: %v", name, err)
		}
		if list, _ := store.List(t.Context(), discovery.Query{}); len(list) != 0 {
			t.Errorf("%s: registered all the same: %v", name, list)
		}
	}
	w, err := worker.New(worker.Config{Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what string
		do   func() error
	}{
		{"a path of two parts", func() error { return w.HandleFunc("a/b", gated(nil)) }},
		{"no handler", func() error { return w.Handle(path, nil) }},
		{"no endpoint", func() error { return w.Start(t.Context()) }},
		{"after Start", func() error { return w.HandleFunc(path, gated(nil)) }},
		{"a second Start", func() error { return w.Start(t.Context()) }},
	} {
		if err := tc.do(); err == nil {
			t.Errorf("%s is accepted", tc.what)
		}
	}
	if _, err := worker.ParsePair("tcp"); err == nil {
		t.Error("a pair of one")
	}
	if p, err := worker.ParsePair("tcp+exchange"); err != nil || p.String() != "tcp+exchange" {
		t.Error(p, err)
	}
}
