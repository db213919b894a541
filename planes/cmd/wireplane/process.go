package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/dynenv"
	"github.com/wireplane/wireplane/planes/router"
	"github.com/wireplane/wireplane/planes/worker"
)

// netOptions are the flags of commands that take part in a deployment.
type netOptions struct {
	discovery, transports, metrics, config string

	pairs []worker.Pair // of transports, nil: none were named
}

func (o *netOptions) define(fs *flag.FlagSet) {
	fs.StringVar(&o.discovery, "discovery", "", "")
	fs.StringVar(&o.transports, "transports", "", "")
	fs.StringVar(&o.metrics, "metrics", "", "")
	fs.StringVar(&o.config, "config", "", "")
}

// check reads what the flags have in common.
func (o *netOptions) check() error {
	if err := stack.CheckStore(o.discovery); err != nil {
		return fmt.Errorf("--%w", err)
	}
	if o.metrics != "" && o.metrics != "off" {
		if _, err := stack.ParseListen(o.metrics); err != nil {
			return fmt.Errorf("--metrics %w, or off", err)
		}
	}
	if o.transports == "" {
		return nil
	}
	for _, s := range strings.Split(o.transports, ",") {
		p, err := worker.ParsePair(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("--transports: %w", err)
		}
		o.pairs = append(o.pairs, p)
	}
	if err := stack.Check(o.pairs); err != nil {
		return fmt.Errorf("--transports: %w", err)
	}
	return nil
}

// process is what the commands that take part in a deployment share: settings, store,
// metrics, and what they say.
type process struct {
	app       *app
	name      string
	config    *dynenv.Config
	log       *slog.Logger
	store     discovery.Store
	discovery string // in words
	pairs     []worker.Pair
	options   stack.Options
	closers   []func() error
	ended     bool // the last line of --json has told of the failure

	mu   sync.Mutex // of what is said
	json bool
}

// process reads the settings and opens what every such command needs; nil with an exit
// code if that failed.
func (a *app) process(ctx context.Context, name string, o *netOptions, asJSON bool) (*process, int) {
	c, err := loadConfig(a.environ, o.config)
	if err != nil {
		return nil, a.badConfig(name, err, asJSON)
	}
	for _, w := range c.Warnings {
		_, _ = fmt.Fprintf(a.stderr, "wireplane %s: warning: %s\n", name, w)
	}
	p := &process{app: a, name: name, config: c, log: dynenv.NewLogger(a.stderr, c.Log), json: asJSON}
	if p.pairs = o.pairs; p.pairs == nil {
		p.pairs = stack.Chosen(c)
	}
	if o.metrics != "" {
		c.Metrics.Addr, c.Metrics.Explicit = o.metrics, true
		if o.metrics == "off" {
			c.Metrics.Addr = ""
		}
	}
	p.options = stack.Options{Config: c, Pairs: p.pairs, Logger: p.log, Instance: rand.Uint64() >> 1}
	m, err := stack.NewMetrics(ctx, c, p.log)
	if err != nil {
		return nil, a.failed(name, err)
	}
	p.closers = append(p.closers, m.Close)
	p.options.Observer, p.options.Metrics = m.Observer(), m
	if m.Addr != "" {
		p.say("metrics", "address", "http://"+m.Addr+"/metrics")
	}
	p.store, p.discovery, err = stack.OpenStore(ctx, o.discovery, c, m.DiscoveryObserver(), p.log)
	if err != nil {
		return nil, a.failed(name, errors.Join(err, p.close()))
	}
	p.closers = append(p.closers, p.store.Close)
	return p, exitOK
}

// useEverything lets a router use all transports there are, unless combinations were
// named. NATS is among them where it was chosen by name or its server is known.
func (p *process) useEverything(o *netOptions) {
	if o.pairs != nil {
		return
	}
	nats := p.config.Explicit("DYN_REQUEST_PLANE") && p.config.RequestPlane.Mode == "nats" || p.config.Explicit("NATS_SERVER")
	p.pairs = stack.Everything(p.pairs, nats)
	p.options.Pairs = p.pairs
}

// notAlone refuses a store that nobody but this process can register in.
func (p *process) notAlone() error {
	if p.discovery != "mem" {
		return nil
	}
	return errors.New("discovery mem is this process alone, where no worker is; want --discovery file:DIR or etcd:URL, as the workers have it")
}

// close gives up what process has opened, the last first.
func (p *process) close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}

// say tells on standard error what goes on: in words, or as a JSON object.
func (p *process) say(event string, pairs ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		m := map[string]string{"event": event}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		_ = json.NewEncoder(p.app.stderr).Encode(m)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s", event)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, " %s=%s", pairs[i], pairs[i+1])
	}
	b.WriteByte('\n')
	_, _ = fmt.Fprint(p.app.stderr, b.String())
}

// router makes the router of the command, whose findings show in the metrics.
func (p *process) router(st *stack.Stack, policy router.Policy, wait time.Duration) (*router.Router, error) {
	r, err := router.New(router.Config{Registry: st.Registry, Store: p.store, Policy: policy, Inhibit: p.inhibit(),
		WaitForInstance: wait, Discovery: p.options.Metrics.DiscoveryObserver(), Logger: p.log})
	if err == nil {
		p.options.Metrics.CacheAge(r.CacheAge)
	}
	return r, err
}

// inhibit is the router's setting, where 0 means not at all.
func (p *process) inhibit() time.Duration {
	if d := p.config.Router.InhibitedDuration; d > 0 {
		return d
	}
	return -1
}
