// Package discoverytest is the conformance suite of discovery.Store: what routers and
// workers rely on, whatever keeps the records. Each scenario opens stores of its own on
// one backend, which stand for processes, and ends within seconds.
package discoverytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
)

// Backend is one place that stores share.
type Backend struct {
	// Open opens a store on the backend, as another process would. The suite closes it.
	Open func() discovery.Store
	// Put writes a value under a key past every store; nil where there are no keys.
	Put func(key string, value []byte)
}

// Bound is how long a change may take to show.
const Bound = 10 * time.Second

// Run runs the suite; start makes an empty backend for the test that it is given.
func Run(t *testing.T, start func(t *testing.T) Backend) {
	for _, sc := range []struct {
		name string
		run  func(*suite)
	}{
		{"a watch begins with all there is and goes on with what changes", watchTells},
		{"a list is sorted and holds what the query asks for", listSelects},
		{"an instance without id gets one and with id keeps it", idsAreKept},
		{"health and transports change under the same key", updateShows},
		{"of two with the same id the higher epoch wins and the other is told", epochWins},
		{"a closed store leaves nothing behind", closeLeavesNothing},
		{"a watch that nobody reads holds the last state only", slowWatchIsBounded},
		{"records that are not understood are skipped", badRecordsAreSkipped},
		{"a cache follows", cacheFollows},
		{"what is not valid is refused", invalidIsRefused},
	} {
		t.Run(sc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*Bound)
			t.Cleanup(cancel)
			s := &suite{T: t, b: start(t), ctx: ctx}
			sc.run(s)
		})
	}
}

type suite struct {
	*testing.T
	b   Backend
	ctx context.Context
}

func (s *suite) open() discovery.Store {
	s.Helper()
	st := s.b.Open()
	s.Cleanup(func() {
		if err := st.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return st
}

func instance(n int) discovery.Instance {
	return discovery.Instance{Namespace: "demo", Component: "backend", Endpoint: "generate", ID: uint64(n),
		Transport: discovery.TCPTCP(fmt.Sprintf("10.0.0.7:%d/generate", 9000+n))}
}

func (s *suite) register(st discovery.Store, i discovery.Instance) discovery.Registration {
	s.Helper()
	r, err := st.Register(s.ctx, i)
	if err != nil {
		s.Fatalf("register: %v", err)
	}
	return r
}

func (s *suite) watch(st discovery.Store, q discovery.Query) discovery.Watcher {
	s.Helper()
	w, err := st.Watch(s.ctx, q)
	if err != nil {
		s.Fatalf("watch: %v", err)
	}
	s.Cleanup(func() { _ = w.Close() })
	return w
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// told is what a watch has told, as text.
type told struct {
	s      *suite
	w      discovery.Watcher
	events []string
}

func text(e discovery.Event) string {
	if e.Op != discovery.Snapshot {
		return e.Op.String() + " " + short(&e.Instance)
	}
	var all []string
	for n := range e.Instances {
		all = append(all, short(&e.Instances[n]))
	}
	return "snapshot " + strings.Join(all, " ")
}

func short(i *discovery.Instance) string {
	return fmt.Sprintf("%s:%s", i, i.Health.Status)
}

// until reads until the event is there and fails if one of others comes first.
func (w *told) until(want string) {
	w.s.Helper()
	ctx, cancel := context.WithTimeout(w.s.ctx, Bound)
	defer cancel()
	for len(w.events) == 0 || !slices.Contains(w.events, want) {
		events, err := w.w.Next(ctx)
		if err != nil {
			w.s.Fatalf("no %q, but %q, then %v", want, w.events, err)
		}
		for _, e := range events {
			w.events = append(w.events, text(e))
		}
	}
	n := slices.Index(w.events, want)
	w.events = w.events[n+1:]
}

func watchTells(s *suite) {
	one, two := s.open(), s.open()
	a := s.register(one, instance(1))
	w := &told{s: s, w: s.watch(two, discovery.QueryPath("demo/backend/generate"))}
	w.until("snapshot demo/backend/generate/1:healthy")
	if age := time.Since(w.w.Synced()); age > Bound {
		s.Errorf("in step %v ago", age)
	}
	b := s.register(two, instance(2))
	w.until("put demo/backend/generate/2:healthy")
	other := instance(3)
	other.Endpoint = "embed"
	s.register(two, other)
	s.must(a.Deregister(s.ctx))
	w.until("delete demo/backend/generate/1:healthy")
	s.must(b.Deregister(s.ctx))
	w.until("delete demo/backend/generate/2:healthy")
	if len(w.events) > 0 {
		s.Errorf("and more: %q", w.events)
	}
	<-a.Done()
	if !errors.Is(a.Err(), discovery.ErrClosed) {
		s.Errorf("the end of a registration: %v", a.Err())
	}
	s.must(w.w.Close())
	if _, err := w.w.Next(s.ctx); !errors.Is(err, discovery.ErrClosed) {
		s.Errorf("after close: %v", err)
	}
}

func listSelects(s *suite) {
	st, other := s.open(), s.open()
	for n, path := range []string{"demo/backend/generate", "demo/backend/embed", "demo/router/generate", "prod.eu/backend/generate"} {
		i := instance(n + 1)
		q := discovery.QueryPath(path)
		i.Namespace, i.Component, i.Endpoint = q.Namespace, q.Component, q.Endpoint
		s.register(st, i)
	}
	for _, tc := range []struct {
		q    discovery.Query
		want string
	}{
		{discovery.Query{}, "demo/backend/embed/2 demo/backend/generate/1 demo/router/generate/3 prod.eu/backend/generate/4"},
		{discovery.Query{Namespace: "demo", Component: "backend"}, "demo/backend/embed/2 demo/backend/generate/1"},
		{discovery.Query{Endpoint: "generate"}, "demo/backend/generate/1 demo/router/generate/3 prod.eu/backend/generate/4"},
		{discovery.Query{Namespace: "dem"}, ""},
		{discovery.Query{Namespace: "demo", Endpoint: "embed"}, "demo/backend/embed/2"},
	} {
		all, err := other.List(s.ctx, tc.q)
		s.must(err)
		var got []string
		for n := range all {
			got = append(got, all[n].String())
		}
		if strings.Join(got, " ") != tc.want {
			s.Errorf("%+v: %q; want %q", tc.q, got, tc.want)
		}
	}
}

func idsAreKept(s *suite) {
	st := s.open()
	i := instance(0)
	a := s.register(st, i).Instance()
	i.Endpoint = "embed"
	i.ID = 1<<64 - 1
	i.Alternatives = []discovery.Transport{discovery.HTTPHTTP("http://10.0.0.7:1/a?b&c", "http://10.0.0.7:2/d"), discovery.NATSTCP("x.y")}
	i.Health = discovery.Health{Status: discovery.Degraded, Reason: "queue <full>"}
	i.DeviceType, i.RequestPlaneCodec = "cuda", "msgpack"
	b := s.register(st, i).Instance()
	if a.ID == 0 || a.Epoch == 0 || b.ID != 1<<64-1 || a.LastHeartbeat.IsZero() {
		s.Errorf("registered %+v and %+v", a, b)
	}
	all, err := s.open().List(s.ctx, discovery.Query{Endpoint: "embed"})
	s.must(err)
	if len(all) != 1 || !all[0].SameService(&b) || offers(&all[0]) != 4 {
		s.Errorf("read %+v; want %+v", all, b)
	}
}

func offers(i *discovery.Instance) int {
	t := i.Target()
	return len(t.Offers)
}

func updateShows(s *suite) {
	one := s.open()
	w := &told{s: s, w: s.watch(s.open(), discovery.Query{})}
	w.until("snapshot ")
	r := s.register(one, instance(1))
	w.until("put demo/backend/generate/1:healthy")
	s.must(r.Update(s.ctx, func(i *discovery.Instance) {
		i.Health = discovery.Health{Status: discovery.Unhealthy, Reason: "test"}
		i.Transport = discovery.TCPTCP("10.0.0.8:1/generate")
		i.ID, i.Endpoint = 77, "other" // not for Update
	}))
	w.until("put demo/backend/generate/1:unhealthy")
	all, err := one.List(s.ctx, discovery.Query{})
	s.must(err)
	if len(all) != 1 || all[0].Transport.Endpoint != "10.0.0.8:1/generate" || all[0].Health.Reason != "test" {
		s.Errorf("after the update: %+v", all)
	}
	if err := r.Update(s.ctx, func(i *discovery.Instance) { i.Transport = discovery.Transport{} }); err == nil {
		s.Error("an instance without transport is accepted")
	}
}

func epochWins(s *suite) {
	one, two := s.open(), s.open()
	i := instance(7)
	i.Epoch = 5
	r := s.register(one, i)
	if _, err := two.Register(s.ctx, i); !errors.Is(err, discovery.ErrConflict) {
		s.Errorf("a second of the same epoch: %v", err)
	}
	i.Epoch, i.Transport = 6, discovery.TCPTCP("10.0.0.9:1/generate")
	winner := s.register(two, i)
	_ = r.Update(s.ctx, nil) // learns of it now, where it has not yet
	select {
	case <-r.Done():
		if !errors.Is(r.Err(), discovery.ErrConflict) {
			s.Errorf("the loser is told %v", r.Err())
		}
	case <-time.After(Bound):
		s.Error("the loser is not told")
	}
	_ = r.Deregister(s.ctx)
	s.must(one.Close())
	all, err := two.List(s.ctx, discovery.Query{})
	s.must(err)
	if len(all) != 1 || all[0].Epoch != 6 || winner.Err() != nil {
		s.Errorf("the winner: %+v, %v", all, winner.Err())
	}
}

func closeLeavesNothing(s *suite) {
	one, two := s.open(), s.open()
	w := &told{s: s, w: s.watch(two, discovery.Query{})}
	w.until("snapshot ")
	mine, err := one.Watch(s.ctx, discovery.Query{})
	s.must(err)
	r := s.register(one, instance(1))
	for st := one.Stat(); st.Registered != 1 || st.Watches != 1 || st.Registrations != 1; {
		s.Fatalf("counters: %+v", st)
	}
	s.must(one.Close())
	if !errors.Is(r.Err(), discovery.ErrClosed) {
		s.Errorf("the registration: %v", r.Err())
	}
	for {
		if _, err := mine.Next(s.ctx); err != nil {
			if !errors.Is(err, discovery.ErrClosed) {
				s.Errorf("the watch: %v", err)
			}
			break
		}
	}
	all, err := two.List(s.ctx, discovery.Query{})
	s.must(err)
	if len(all) > 0 {
		s.Errorf("left behind: %+v", all)
	}
	if _, err := one.Register(s.ctx, instance(2)); !errors.Is(err, discovery.ErrClosed) {
		s.Errorf("register after close: %v", err)
	}
	if _, err := one.List(s.ctx, discovery.Query{}); !errors.Is(err, discovery.ErrClosed) {
		s.Errorf("list after close: %v", err)
	}
	if _, err := one.Watch(s.ctx, discovery.Query{}); !errors.Is(err, discovery.ErrClosed) {
		s.Errorf("watch after close: %v", err)
	}
	s.register(two, instance(3))
	w.until("put demo/backend/generate/3:healthy")
}

func slowWatchIsBounded(s *suite) {
	one, two := s.open(), s.open()
	w := &told{s: s, w: s.watch(two, discovery.Query{})}
	w.until("snapshot ")
	r := s.register(one, instance(1))
	for n := range 20 {
		s.must(r.Update(s.ctx, func(i *discovery.Instance) {
			i.Health = discovery.Health{Status: discovery.HealthStatus(n % 2)}
		}))
	}
	s.register(one, instance(2))
	probe := &told{s: s, w: s.watch(two, discovery.Query{Namespace: "demo"})}
	probe.until("snapshot demo/backend/generate/1:degraded demo/backend/generate/2:healthy")
	w.until("put demo/backend/generate/2:healthy")
	if n := len(w.events); n > 20 {
		s.Errorf("%d events waited", n)
	}
}

func badRecordsAreSkipped(s *suite) {
	if s.b.Put == nil {
		return // a backend without bytes has no bad ones
	}
	st := s.open()
	w := &told{s: s, w: s.watch(st, discovery.Query{})}
	w.until("snapshot ")
	const head = `{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"demo","instance_id":`
	for n, value := range []string{
		"", "{", "\x00\xff", head + `1}`, head + `3,"transport":{"quic":"h:1"}}`, head + `99,"transport":{"tcp":"h:1"}}`,
		head + `6,"transport":{"tcp":"h:1"},"x":"` + strings.Repeat("x", discovery.MaxRecord) + `"}`,
	} {
		s.b.Put(fmt.Sprintf("v1/instances/demo/backend/generate/%x", n), []byte(value))
	}
	s.b.Put("v1/instances/not-four-parts", []byte(head+`1,"transport":{"tcp":"h:1"}}`))
	// One of the future, and one after which all of the above was seen.
	s.b.Put("v1/instances/demo/backend/generate/f0", []byte(head+`240,"transport":{"tcp":"h:1/a"},"shard":{"of":3},"health_status":{"melting":{}}}`))
	w.until("put demo/backend/generate/f0:degraded")
	s.b.Put("v1/instances/demo/backend/generate/f1", []byte(head+`241,"transport":{"tcp":"h:1/a"}}`))
	w.until("put demo/backend/generate/f1:healthy")
	if bad := st.Stat().BadRecords; bad < 7 {
		s.Errorf("%d bad records counted; want 7 or more", bad)
	}
	all, err := st.List(s.ctx, discovery.Query{})
	s.must(err)
	if len(all) != 2 {
		s.Errorf("listed %+v", all)
	}
}

func cacheFollows(s *suite) {
	one, two := s.open(), s.open()
	c, err := discovery.NewCache(two, discovery.CacheConfig{})
	s.must(err)
	defer c.Close() //nolint:errcheck // always nil
	s.must(c.Ready(s.ctx))
	changes := make(chan discovery.Change, 100)
	c.OnChange(func(ch discovery.Change) { changes <- ch })
	next := func(what string, ok func(discovery.Change) bool) {
		s.Helper()
		select {
		case ch := <-changes:
			if !ok(ch) {
				s.Errorf("%s: %+v", what, ch)
			}
		case <-time.After(Bound):
			s.Fatalf("%s: nothing", what)
		}
	}
	r := s.register(one, instance(1))
	next("added", func(ch discovery.Change) bool { return len(ch.Added) == 1 && ch.Path == "demo/backend/generate" })
	if got := c.Lookup("demo/backend/generate"); len(got) != 1 || got[0].ID != 1 {
		s.Errorf("looked up %+v", got)
	}
	s.must(r.Update(s.ctx, func(i *discovery.Instance) { i.Transport = discovery.TCPTCP("10.0.0.8:1/generate") }))
	next("updated", func(ch discovery.Change) bool { return len(ch.Updated) == 1 })
	if set := c.Set("demo/backend/generate"); set == nil || set.Targets[0].Offers[0].Request.Address.Host != "10.0.0.8" {
		s.Errorf("set %+v", set)
	}
	s.must(r.Deregister(s.ctx))
	next("removed", func(ch discovery.Change) bool { return len(ch.Removed) == 1 })
	if got := c.Lookup("demo/backend/generate"); got != nil {
		s.Errorf("looked up %+v", got)
	}
	if st := c.Stat(); st.Hits != 2 || st.Misses != 1 || st.Age < 0 || st.Age > Bound {
		s.Errorf("counters: %+v", st)
	}
}

func invalidIsRefused(s *suite) {
	st := s.open()
	for name, change := range map[string]func(*discovery.Instance){
		"namespace in capitals":  func(i *discovery.Instance) { i.Namespace = "Demo" },
		"empty part":             func(i *discovery.Instance) { i.Namespace = "a..b" },
		"component with a slash": func(i *discovery.Instance) { i.Component = "a/b" },
		"no endpoint":            func(i *discovery.Instance) { i.Endpoint = "" },
		"no transport":           func(i *discovery.Instance) { i.Transport = discovery.Transport{} },
		"too large": func(i *discovery.Instance) {
			i.RequestPlaneCodec = strings.Repeat("x", discovery.MaxRecord)
		},
	} {
		i := instance(1)
		change(&i)
		if _, err := st.Register(s.ctx, i); err == nil {
			s.Errorf("%s is accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := st.Register(ctx, instance(1)); !errors.Is(err, context.Canceled) {
		s.Errorf("with a context that is over: %v", err)
	}
}
