package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/handlers"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/worker"
)

const workerHelp = `Serve endpoints, register them in discovery, and answer until Ctrl-C or SIGTERM.

Usage: wireplane worker [flags] PATH... [-- COMMAND [ARG...]]

PATH is NAMESPACE/COMPONENT/ENDPOINT. Every endpoint answers in the same way: with the
request, word by word (--echo, the default); with numbered tokens (--tokens); or with the
output of COMMAND, line by line, which gets the request as its standard input and is killed
when its caller leaves. At the end the worker leaves discovery, tells the handlers that run,
and waits for them up to DYN_WORKER_GRACEFUL_SHUTDOWN_TIMEOUT; a second signal ends it.

Flags:
  --echo                 answer with the request, a word an item
  --tokens N             answer with N tokens
  --rate R               tokens a second; 0 is as fast as it goes (default 20)
  --discovery STORE      mem, file:DIR or etcd:URL[,URL] (default: DYN_DISCOVERY_BACKEND)
  --transports LIST      combinations of REQUEST+RESPONSE, the preferred first, such as
                         tcp+exchange,http+exchange,nats+tcp (default: what
                         DYN_REQUEST_PLANE and DYN_RESPONSE_PLANE choose); REQUEST is tcp,
                         dynamo-tcp, http, h2c or nats, RESPONSE exchange (the request's
                         own stream), tcp (call-home) or http (attached GET)
  --metrics ADDR         where /metrics is, or off (default: WIREPLANE_METRICS_ADDR)
  --config FILE          YAML file with settings
  --json                 one JSON object a line about what goes on

Exit status: 0 it was told to end and all handlers finished, 1 it failed or had to cut
handlers short, 2 wrong usage or settings.

Examples:
  wireplane worker --discovery file:/tmp/wp --transports tcp+exchange demo/backend/generate
  wireplane worker --tokens 500 --rate 50 demo/backend/generate
  DYN_REQUEST_PLANE=http DYN_RESPONSE_PLANE=http wireplane worker demo/backend/test
  wireplane worker demo/tools/wc -- wc -c
`

// workerOptions is what the arguments of worker say.
type workerOptions struct {
	netOptions
	paths  []string
	argv   []string
	tokens int
	rate   float64
	echo   bool
	json   bool
}

func parseWorker(args []string) (workerOptions, error) {
	var o workerOptions
	for i, arg := range args {
		if arg == "--" {
			args, o.argv = args[:i], args[i+1:]
			if len(o.argv) == 0 {
				return o, errors.New("no COMMAND behind --")
			}
			break
		}
	}
	fs := flag.NewFlagSet("worker", flag.ContinueOnError)
	o.define(fs)
	fs.BoolVar(&o.echo, "echo", false, "")
	fs.IntVar(&o.tokens, "tokens", 0, "")
	fs.Float64Var(&o.rate, "rate", 20, "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	if err != nil {
		return o, err
	}
	if o.paths = rest; len(rest) == 0 {
		return o, errors.New("no PATH; want NAMESPACE/COMPONENT/ENDPOINT")
	}
	for i, path := range rest {
		if err := checkPath(path); err != nil {
			return o, err
		}
		if slices.Contains(rest[:i], path) {
			return o, fmt.Errorf("PATH %q is there twice", path)
		}
	}
	kinds := 0
	for _, set := range []bool{o.echo, o.tokens != 0, o.argv != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return o, errors.New("one of --echo, --tokens and COMMAND, not several")
	case o.tokens < 0 || o.tokens > 1e9:
		return o, fmt.Errorf("--tokens %d; want 1 to 1000000000", o.tokens)
	case !(o.rate >= 0 && o.rate <= 1e6):
		return o, fmt.Errorf("--rate %v; want 0 to 1000000", o.rate)
	}
	return o, o.check()
}

// checkPath takes what discovery can register.
func checkPath(path string) error {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return fmt.Errorf("PATH %.100q; want NAMESPACE/COMPONENT/ENDPOINT", path)
	}
	i := discovery.Instance{Namespace: parts[0], Component: parts[1], Endpoint: parts[2], Transport: discovery.TCPTCP("localhost:1/" + path)}
	if err := i.Validate(); err != nil {
		return fmt.Errorf("PATH %.100q: %w", path, err)
	}
	return nil
}

func (o *workerOptions) handler() (planes.Handler, error) {
	switch {
	case o.argv != nil:
		return handlers.Exec(o.argv)
	case o.tokens > 0:
		return handlers.Tokens(o.tokens, o.rate), nil
	}
	return handlers.Echo(), nil
}

// runWorker serves until ctx ends.
func runWorker(ctx context.Context, a *app, args []string) int {
	o, err := parseWorker(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, workerHelp)
		return exitOK
	case err != nil:
		return a.usage("worker", err)
	}
	h, err := o.handler()
	if err != nil {
		return a.usage("worker", err)
	}
	p, code := a.process(ctx, "worker", &o.netOptions, o.json)
	if p == nil {
		return code
	}
	err = p.serveWorker(ctx, &o, h)
	if err := errors.Join(err, p.close()); err != nil {
		return a.failed("worker", err)
	}
	return exitOK
}

func (p *process) serveWorker(ctx context.Context, o *workerOptions, h planes.Handler) (err error) {
	st, err := stack.Worker(ctx, p.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	w, err := worker.New(worker.Config{
		Registry: st.Registry, Store: p.store, Instance: p.options.Instance, Offers: p.pairs, Released: true,
		MaxInFlight: p.config.Worker.PoolSize, MaxQueued: p.config.Worker.QueueSize, Observer: p.options.Observer, Logger: p.log,
	})
	if err != nil {
		return err
	}
	for _, path := range o.paths {
		if err := w.Handle(path, h); err != nil {
			return err
		}
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	for _, path := range o.paths {
		p.say("serving", "path", path, "instance", fmt.Sprintf("%x", w.Instance()), "discovery", p.discovery, "transports", pairNames(p.pairs))
		for _, q := range st.Registry.Requests() {
			if q.Server != nil {
				p.say("reached", "path", path, "transport", string(q.ID), "address", q.Server.Address(path, w.Instance()).String())
			}
		}
	}
	var fault error
	select {
	case <-ctx.Done():
	case fault = <-w.Fault():
	}
	patience := p.config.Worker.GracefulShutdownTimeout
	p.say("draining", "running", fmt.Sprint(w.Stat().Running), "patience", patience.String())
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(patience, 100*time.Millisecond))
	defer cancel()
	err = errors.Join(fault, w.Shutdown(stop))
	s := w.Stat()
	p.say("ended", "served", fmt.Sprint(s.Served), "refused", fmt.Sprint(s.Refused))
	return err
}

func pairNames(pairs []worker.Pair) string {
	names := make([]string, len(pairs))
	for i, pr := range pairs {
		names[i] = pr.String()
	}
	return strings.Join(names, ",")
}
