package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/router"
)

const routeHelp = `Put an HTTP front before workers: POST a request, read the answer as a stream.

Usage: wireplane route [flags]

Serves POST {root}/NAMESPACE/COMPONENT/ENDPOINT on DYN_HTTP_RPC_HOST and _PORT, root being
DYN_HTTP_RPC_ROOT_PATH. The answer comes as SSE, NDJSON or binary, by the Accept header. The
endpoint's instances are found in discovery and called over the best transport that both
sides have; a client that leaves ends the call at the worker. GET {root} lists what can be
called, GET {root}/PATH says how.

Flags:
  --discovery STORE   mem, file:DIR or etcd:URL[,URL] (default: DYN_DISCOVERY_BACKEND)
  --transports LIST   use only these combinations of REQUEST+RESPONSE (default: all)
  --policy NAME       round-robin, random, least-in-flight or power-of-two
                      (default power-of-two)
  --listen ADDR       HOST:PORT of the front (default: DYN_HTTP_RPC_HOST and _PORT)
  --metrics ADDR      where /metrics is, or off (default: WIREPLANE_METRICS_ADDR)
  --config FILE       YAML file with settings
  --json              one JSON object a line about what goes on

Exit status: 0 it was told to end, 1 it failed, 2 wrong usage or settings.

Examples:
  wireplane route --discovery file:/tmp/wp
  curl -N -d "hello wire" http://localhost:8081/v1/rpc/demo/backend/generate
  wireplane route --listen 127.0.0.1:8000 --discovery etcd:http://localhost:2379
`

type routeOptions struct {
	netOptions
	policy router.Policy
	listen string
	json   bool
}

func parseRoute(args []string) (routeOptions, error) {
	var o routeOptions
	fs := flag.NewFlagSet("route", flag.ContinueOnError)
	o.define(fs)
	policy := fs.String("policy", "power-of-two", "")
	fs.StringVar(&o.listen, "listen", "", "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return o, err
	case len(rest) > 0:
		return o, fmt.Errorf("unexpected argument %q", rest[0])
	}
	if o.listen != "" {
		if _, err := stack.ParseListen(o.listen); err != nil {
			return o, fmt.Errorf("--listen %w", err)
		}
	}
	var ok bool
	if o.policy, ok = router.Policies[*policy]; !ok {
		return o, fmt.Errorf("--policy %q; want round-robin, random, least-in-flight or power-of-two", *policy)
	}
	return o, o.check()
}

// runRoute serves until ctx ends.
func runRoute(ctx context.Context, a *app, args []string) int {
	o, err := parseRoute(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, routeHelp)
		return exitOK
	case err != nil:
		return a.usage("route", err)
	}
	p, code := a.process(ctx, "route", &o.netOptions, o.json)
	if p == nil {
		return code
	}
	if err := p.notAlone(); err != nil {
		return a.usage("route", errors.Join(err, p.close()))
	}
	err = p.route(ctx, &o)
	if err := errors.Join(err, p.close()); err != nil {
		return a.failed("route", err)
	}
	return exitOK
}

func (p *process) route(ctx context.Context, o *routeOptions) (err error) {
	front, err := stack.Front(ctx, p.options, o.listen)
	if err != nil {
		return err
	}
	p.useEverything(&o.netOptions)
	st, err := stack.Router(ctx, p.options)
	if err != nil {
		return errors.Join(err, front.Shutdown(ctx))
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	r, err := p.router(st, o.policy, 0)
	if err != nil {
		return errors.Join(err, front.Shutdown(ctx))
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	served := make(chan error, 1)
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	go func() { served <- front.Serve(serving, &forward{router: r, store: p.store}) }()
	p.say("routing", "url", front.Address("NAMESPACE/COMPONENT/ENDPOINT", 0).String(), "discovery", p.discovery)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(p.config.Worker.GracefulShutdownTimeout, 100*time.Millisecond))
	defer cancel()
	return errors.Join(front.Shutdown(stop), <-served)
}

// forward hands what the front gets to the router.
type forward struct {
	router *router.Router
	store  discovery.Store
}

// ServeCall implements planes.Dispatcher.
func (f *forward) ServeCall(ctx context.Context, req *planes.Request, w planes.ResponseWriter) error {
	s, err := f.router.Stream(ctx, req.Route, req)
	if err != nil {
		return err
	}
	for item, err := range planes.All(ctx, s) {
		if err != nil {
			return err
		}
		if err := w.Send(item); err != nil {
			return err
		}
	}
	return nil
}

// Accept implements planes.Dispatcher: a front answers where it was asked.
func (f *forward) Accept(_ context.Context, env *planes.Envelope) error {
	return &planes.Error{Code: planes.CodeUnsupported, Phase: planes.PhaseNotStarted, Op: "route", Route: env.Request.Route,
		Reason: "a front answers in the same exchange; send the payload itself, not an envelope"}
}

// Routes implements planes.Dispatcher: what discovery knows now.
func (f *forward) Routes() []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	list, err := f.store.List(ctx, discovery.Query{})
	if err != nil {
		return nil
	}
	var paths []string
	for i := range list {
		paths = append(paths, list[i].Path())
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
