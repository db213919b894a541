package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/cmd/internal/stack"
	"github.com/wireplane/wireplane/planes/router"
)

const callHelp = `Call an endpoint and print the items of its answer as they come.

Usage: wireplane call [flags] PATH [REQUEST]

PATH is NAMESPACE/COMPONENT/ENDPOINT. REQUEST is the payload; without it, or as -, it is
read from standard input. The endpoint is found in discovery, one instance of it is picked
and called over the best transport that both sides have, and another one if that is known
not to have started the call. Ctrl-C ends the call at both ends. NATS is among the transports
where NATS_SERVER is set, or --transports or DYN_REQUEST_PLANE names it.

Flags:
  --discovery STORE   mem, file:DIR or etcd:URL[,URL] (default: DYN_DISCOVERY_BACKEND)
  --transports LIST   use only these combinations of REQUEST+RESPONSE (default: all)
  --instance ID       call this instance, in hexadecimal, and no other
  --policy NAME       round-robin, random, least-in-flight or power-of-two
                      (default round-robin)
  --timeout D         deadline of the whole call, such as 30s; 0 is none (default 0)
  --wait D            how long to wait for a first instance (default 5s)
  --header NAME=VALUE a header of the request; may be repeated
  --count N           make the call N times, one after the other (default 1)
  --json              one JSON object a line: each item, then the end
  --metrics ADDR      where /metrics is (default off)
  --config FILE       YAML file with settings

Exit status: 0 the answer is whole, 1 the call failed, 2 wrong usage or settings.

Examples:
  wireplane call --discovery file:/tmp/wp demo/backend/generate "hello wire"
  echo hello | wireplane call demo/backend/generate
  wireplane call --json --timeout 10s demo/backend/generate "tell me" | jq .
`

// callOptions is what the arguments of call say.
type callOptions struct {
	netOptions
	path     string
	request  string
	stdin    bool
	instance uint64
	policy   router.Policy
	timeout  time.Duration
	wait     time.Duration
	headers  headerFlag
	count    int
	json     bool
}

// headerFlag collects NAME=VALUE.
type headerFlag []planes.Header

func (h *headerFlag) String() string { return "" }

func (h *headerFlag) Set(s string) error {
	for i := range len(s) {
		if s[i] == '=' && i > 0 {
			*h = append(*h, planes.Header{Name: s[:i], Value: s[i+1:]})
			return nil
		}
	}
	return errors.New("want NAME=VALUE")
}

func parseCall(args []string) (callOptions, error) {
	var o callOptions
	fs := flag.NewFlagSet("call", flag.ContinueOnError)
	o.define(fs)
	o.metrics = "off"
	instance := fs.String("instance", "", "")
	policy := fs.String("policy", "round-robin", "")
	fs.DurationVar(&o.timeout, "timeout", 0, "")
	fs.DurationVar(&o.wait, "wait", 5*time.Second, "")
	fs.Var(&o.headers, "header", "")
	fs.IntVar(&o.count, "count", 1, "")
	fs.BoolVar(&o.json, "json", false, "")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return o, err
	case len(rest) == 0:
		return o, errors.New("no PATH; want NAMESPACE/COMPONENT/ENDPOINT")
	case len(rest) > 2:
		return o, fmt.Errorf("one REQUEST, not %d; quote it", len(rest)-1)
	case o.timeout < 0 || o.wait < 0:
		return o, errors.New("--timeout and --wait are not negative")
	case o.count < 1 || o.count > 1e9:
		return o, fmt.Errorf("--count %d; want 1 or more", o.count)
	}
	o.path = rest[0]
	if parts := strings.Split(o.path, "/"); len(parts) != 3 || slices.Contains(parts, "") {
		return o, fmt.Errorf("PATH %.100q; want NAMESPACE/COMPONENT/ENDPOINT", o.path)
	}
	if o.stdin = len(rest) == 1 || rest[1] == "-"; !o.stdin {
		o.request = rest[1]
	}
	if *instance != "" {
		if o.instance, err = strconv.ParseUint(*instance, 16, 64); err != nil || o.instance == 0 {
			return o, fmt.Errorf("--instance %q; want a hexadecimal number", *instance)
		}
	}
	var ok bool
	if o.policy, ok = router.Policies[*policy]; !ok {
		return o, fmt.Errorf("--policy %q; want round-robin, random, least-in-flight or power-of-two", *policy)
	}
	return o, o.check()
}

// maxRequest is the largest request that is read from standard input, in bytes.
const maxRequest = 16 << 20

// runCall makes the call and prints the answer.
func runCall(ctx context.Context, a *app, args []string) int {
	o, err := parseCall(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(a.stdout, callHelp)
		return exitOK
	case err != nil:
		return a.usage("call", err)
	}
	payload := []byte(o.request)
	if o.stdin {
		if payload, err = readUntil(ctx, io.LimitReader(a.stdin, maxRequest+1)); err != nil {
			return a.failed("call", fmt.Errorf("read standard input: %w", err))
		}
		if len(payload) > maxRequest {
			return a.failed("call", fmt.Errorf("a request of more than %d bytes", maxRequest))
		}
	}
	p, code := a.process(ctx, "call", &o.netOptions, o.json)
	if p == nil {
		return code
	}
	if err := p.notAlone(); err != nil {
		return a.usage("call", errors.Join(err, p.close()))
	}
	err = p.call(ctx, &o, payload)
	if err := errors.Join(err, p.close()); err != nil {
		switch {
		case !o.json:
			return a.failed("call", err)
		case !p.ended && json.NewEncoder(a.stdout).Encode(endLine{ErrorText: err.Error(), Code: planes.CodeOf(err).String()}) != nil:
			return a.failed("call", err) // nobody reads the line
		}
		return exitFailed
	}
	return exitOK
}

// readUntil is io.ReadAll that ends with ctx; who reads then is left behind, as the
// process ends.
func readUntil(ctx context.Context, r io.Reader) ([]byte, error) {
	type read struct {
		b   []byte
		err error
	}
	got := make(chan read, 1)
	go func() { b, err := io.ReadAll(r); got <- read{b, err} }()
	select {
	case g := <-got:
		return g.b, g.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *process) call(ctx context.Context, o *callOptions, payload []byte) (err error) {
	p.useEverything(&o.netOptions)
	st, err := stack.Router(ctx, p.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	r, err := p.router(st, o.policy, o.wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var opts []router.CallOption
	if o.instance != 0 {
		opts = append(opts, router.To(o.instance))
	}
	for range o.count {
		req := &planes.Request{Payload: payload, Timeout: o.timeout, Headers: o.headers}
		if err := p.callOnce(ctx, r, o, req, opts); err != nil {
			return err
		}
	}
	return nil
}

// itemLine is a line of --json about an item; endLine the last line.
type itemLine struct {
	Index  uint64  `json:"index"`
	Text   *string `json:"text,omitempty"`
	Base64 string  `json:"base64,omitempty"`
}

type endLine struct {
	OK         bool    `json:"ok"`
	Items      uint64  `json:"items"`
	Bytes      uint64  `json:"bytes"`
	FirstMs    float64 `json:"first_item_ms"`
	TotalMs    float64 `json:"total_ms"`
	Code       string  `json:"code,omitempty"`
	Phase      string  `json:"phase,omitempty"`
	Retry      bool    `json:"safe_to_retry,omitempty"`
	ErrorText  string  `json:"error,omitempty"`
	RetryAfter int64   `json:"retry_after_ms,omitempty"`
}

// patience is how long nothing happens before the command says that it waits.
const patience = 2 * time.Second

func (p *process) callOnce(ctx context.Context, r *router.Router, o *callOptions, req *planes.Request, opts []router.CallOption) error {
	begun := time.Now()
	var end endLine
	last := byte('\n') // that was printed
	out := json.NewEncoder(p.app.stdout)
	waiting := time.AfterFunc(patience, func() {
		p.say("waiting", "path", o.path, "discovery", p.discovery, "for", "an instance and its first item")
	})
	defer waiting.Stop()
	err := func() error {
		s, err := r.Stream(ctx, o.path, req, opts...)
		if err != nil {
			return err
		}
		for item, err := range planes.All(ctx, s) {
			if err != nil {
				return err
			}
			if end.Items++; end.Items == 1 {
				waiting.Stop()
				end.FirstMs = ms(time.Since(begun))
			}
			end.Bytes += uint64(len(item))
			if !o.json {
				if len(item) > 0 {
					last = item[len(item)-1]
				}
				if _, err := p.app.stdout.Write(item); err != nil {
					return err
				}
				continue
			}
			line := itemLine{Index: end.Items - 1}
			if text := string(item); utf8.ValidString(text) {
				line.Text = &text
			} else {
				line.Base64 = base64.StdEncoding.EncodeToString(item)
			}
			if err := out.Encode(line); err != nil {
				return err
			}
		}
		return nil
	}()
	end.OK, end.TotalMs = err == nil, ms(time.Since(begun))
	if !o.json {
		if last != '\n' { // whoever wrote items left the line open
			_, _ = io.WriteString(p.app.stdout, "\n")
		}
		p.say("end", "items", strconv.FormatUint(end.Items, 10), "bytes", strconv.FormatUint(end.Bytes, 10),
			"first", fmt.Sprintf("%.2fms", end.FirstMs), "total", fmt.Sprintf("%.2fms", end.TotalMs), "clean", strconv.FormatBool(err == nil))
		return err
	}
	if err != nil {
		end.ErrorText, end.Code, end.Retry = err.Error(), planes.CodeOf(err).String(), planes.SafeToRetry(err)
		var e *planes.Error
		if errors.As(err, &e) {
			end.Phase, end.RetryAfter = e.Phase.String(), e.RetryAfter.Milliseconds()
		}
	}
	unwritten := out.Encode(end)
	p.ended = err != nil && unwritten == nil
	return errors.Join(unwritten, err)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
