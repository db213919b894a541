package faults_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/callhome"
	"github.com/wireplane/wireplane/planes/natsplane"
)

// childFlag, as the first argument, makes the test binary one worker or router.
const childFlag = "-faults-child"

// childConfig is what a child process is.
type childConfig struct {
	Worker *shopConfig // a worker, which prints its record
	Router *callConfig // a router, which makes one call
}

// callConfig is a router with one call of a worker.
type callConfig struct {
	NATS    string
	Key     string // of the worker's record
	Record  []byte
	Payload string
	Read    int // items that come before it says so
}

// child runs such a process until its standard input ends or it is killed.
func child(arg string) int {
	var c childConfig
	var mu sync.Mutex
	say := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what)
	}
	run := func() error {
		if err := json.Unmarshal([]byte(arg), &c); err != nil {
			return err
		}
		mem := discovery.NewMemory().Open(discovery.Config{})
		if c.Worker != nil {
			c.Worker.store = mem
			if _, err := openShop(context.Background(), *c.Worker, say); err != nil {
				return err
			}
			i, err := mem.List(context.Background(), discovery.Query{})
			if err != nil {
				return err
			}
			r, err := discovery.NewRecord(i[0])
			say("record " + r.Key + " " + string(r.Value))
			return err
		}
		i, err := discovery.ParseRecord(c.Router.Key, c.Router.Record)
		if err != nil {
			return err
		}
		if _, err := mem.Register(context.Background(), i); err != nil {
			return err
		}
		s, err := openSite(siteConfig{store: mem, nats: c.Router.NATS})
		if err != nil {
			return err
		}
		stream, err := s.Stream(context.Background(), path, &planes.Request{Payload: []byte(c.Router.Payload)})
		if err != nil {
			return err
		}
		for range c.Router.Read {
			if _, err := stream.Recv(context.Background()); err != nil {
				return err
			}
		}
		say("reading")
		go func() { say("read on: " + fmt.Sprint(rest(stream))) }()
		return nil
	}
	if err := run(); err != nil {
		say("failed: " + err.Error())
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// process is a child process.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	once  sync.Once
}

func startProcess(t *testing.T, c childConfig) *process {
	t.Helper()
	arg, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], childFlag, string(arg))
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe() // ends with this process, whatever becomes of it
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, lines: make(chan string, 1024)}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill sends SIGKILL and waits until the process is gone.
func (p *process) kill() {
	p.once.Do(func() {
		if err := p.cmd.Process.Kill(); err != nil {
			p.t.Errorf("kill: %v", err)
		}
		for range p.lines { // until its output ends, as Wait wants
			continue
		}
		if err := p.cmd.Wait(); err == nil || p.cmd.ProcessState.String() != "signal: killed" {
			p.t.Errorf("the process ended with %v; want it killed", p.cmd.ProcessState)
		}
	})
}

// await returns what follows a line's beginning, once the process has printed it.
func (p *process) await(begin string) string {
	p.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			switch after, found := strings.CutPrefix(line, begin); {
			case !ok:
				p.t.Fatalf("the process has ended before it printed %q", begin)
			case found:
				return after
			case strings.HasPrefix(line, "failed: "):
				p.t.Fatalf("the process %s", line)
			}
		case <-limit:
			p.t.Fatalf("the process has not printed %q", begin)
		}
	}
}

// startWorker runs a worker in a process of its own, and registers in store what it
// says of itself: a record outlives who is killed.
func startWorker(t *testing.T, c shopConfig, store discovery.Store) *process {
	t.Helper()
	p := startProcess(t, childConfig{Worker: &c})
	key, value, _ := strings.Cut(p.await("record "), " ")
	i, err := discovery.ParseRecord(key, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Register(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	return p
}

// hanging is a Dispatcher that takes requests and never says anything.
type hanging struct {
	planes.Dispatcher
	say func(string)
}

// ServeCall implements planes.Dispatcher.
func (h hanging) ServeCall(ctx context.Context, _ *planes.Request, _ planes.ResponseWriter) error {
	h.say("taken")
	<-ctx.Done()
	return ctx.Err()
}

// Accept implements planes.Dispatcher.
func (h hanging) Accept(context.Context, *planes.Envelope) error {
	h.say("taken")
	select {}
}

type hangingRequests struct {
	planes.RequestServer
	say func(string)
}

// Serve implements planes.RequestServer.
func (h *hangingRequests) Serve(ctx context.Context, d planes.Dispatcher) error {
	return h.RequestServer.Serve(ctx, hanging{d, h.say})
}

type hangingSubjects struct { // which must stay a planes.RouteBinder
	*natsplane.Server
	say func(string)
}

// Serve implements planes.RequestServer.
func (h *hangingSubjects) Serve(ctx context.Context, d planes.Dispatcher) error {
	return h.Server.Serve(ctx, hanging{d, h.say})
}

func hangingServer(s planes.RequestServer, say func(string)) planes.RequestServer {
	if n, ok := s.(*natsplane.Server); ok {
		return &hangingSubjects{n, say}
	}
	return &hangingRequests{s, say}
}

// hangingOpener never makes a response stream.
type hangingOpener struct {
	planes.ResponseClient
	say func(string)
}

// Open implements planes.ResponseClient.
func (h hangingOpener) Open(ctx context.Context, _ *planes.Envelope) (planes.StreamWriter, error) {
	h.say("opening")
	<-ctx.Done()
	return nil, ctx.Err()
}

// Advertise implements planes.Advertiser.
func (h hangingOpener) Advertise(route string, instance uint64) planes.Endpoint {
	return h.ResponseClient.(planes.Advertiser).Advertise(route, instance)
}

// gatedOpener makes no response stream before its gate is open, and says when it has.
type gatedOpener struct {
	*callhome.Dialer
	say    func(string)
	gate   <-chan struct{} // nil is open
	opened func()          // nil is told nothing
}

// Open implements planes.ResponseClient.
func (g gatedOpener) Open(ctx context.Context, env *planes.Envelope) (planes.StreamWriter, error) {
	g.say("opening")
	if g.gate != nil {
		<-g.gate
	}
	w, err := g.Dialer.Open(ctx, env)
	if g.opened != nil {
		g.opened()
	}
	return w, err
}

// routerOf is a router, in a process of its own, that calls the one worker of store.
func routerOf(t *testing.T, store discovery.Store, url, payload string, read int) childConfig {
	t.Helper()
	list, err := store.List(t.Context(), discovery.Query{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d records, %v; want one", len(list), err)
	}
	rec, err := discovery.NewRecord(list[0])
	if err != nil {
		t.Fatal(err)
	}
	return childConfig{Router: &callConfig{NATS: url, Key: rec.Key, Record: rec.Value, Payload: payload, Read: read}}
}
