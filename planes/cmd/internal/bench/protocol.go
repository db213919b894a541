package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Roles of a child process.
const (
	roleServer = "server"
	roleClient = "client"
)

// peerSpec is the first line that a child reads: what it is.
type peerSpec struct {
	Role      string        `json:"role"`
	Contender string        `json:"contender"`
	Handler   string        `json:"handler"`
	Workload  Workload      `json:"workload"`
	Addr      string        `json:"addr,omitempty"`    // client: where to connect to
	WarmUp    time.Duration `json:"warm_up,omitempty"` // client: nanoseconds before the window
	Window    time.Duration `json:"window,omitempty"`  // client: nanoseconds of the window
	Profile   string        `json:"profile,omitempty"` // file for a CPU profile; empty for none
}

// Commands from the parent, one a line.
const (
	cmdUsage = "usage" // answered by evUsage
	cmdRun   = "run"   // client: answered by evBegin, evEnd and evResult
	cmdStop  = "stop"  // the child ends; so does the end of its input
)

// Events from a child, one a line.
const (
	evReady  = "ready"
	evUsage  = "usage"
	evBegin  = "begin"
	evEnd    = "end"
	evResult = "result"
	evError  = "error" // the last line of a child that failed
)

type command struct {
	Cmd string `json:"cmd"`
}

type event struct {
	Event    string     `json:"event"`
	Addr     string     `json:"addr,omitempty"`
	Usage    *Usage     `json:"usage,omitempty"`
	Seconds  float64    `json:"seconds,omitempty"`
	Requests int64      `json:"requests,omitempty"`
	Items    int64      `json:"items,omitempty"`
	Hist     *Histogram `json:"hist,omitempty"`
	Error    string     `json:"error,omitempty"`
}

// Peer is the whole life of a child process: it reads its part from in, plays it,
// and answers on out, until it is told to stop or in ends. An error was already
// reported on out as well.
func Peer(ctx context.Context, all []Contender, in io.Reader, out io.Writer) error {
	p := &peer{in: json.NewDecoder(in), out: json.NewEncoder(out)}
	err := p.play(ctx, all)
	if err != nil {
		_ = p.out.Encode(event{Event: evError, Error: err.Error()})
	}
	return err
}

// peer is the child's end of the conversation.
type peer struct {
	in   *json.Decoder
	out  *json.Encoder
	spec peerSpec
}

func (p *peer) play(ctx context.Context, all []Contender) error {
	if err := p.in.Decode(&p.spec); err != nil {
		return fmt.Errorf("bench: reading the part to play: %w", err)
	}
	c, err := Find(all, p.spec.Contender)
	if err != nil {
		return err
	}
	if err := p.spec.Workload.Validate(); err != nil {
		return err
	}
	stop, err := startProfile(p.spec.Profile)
	if err != nil {
		return err
	}
	defer stop()
	switch p.spec.Role {
	case roleServer:
		return p.serve(c)
	case roleClient:
		return p.drive(ctx, c)
	}
	return fmt.Errorf("bench: no part %q", p.spec.Role)
}

// next returns the next command, cmdStop at the end of the input.
func (p *peer) next() (string, error) {
	var c command
	err := p.in.Decode(&c)
	if errors.Is(err, io.EOF) {
		return cmdStop, nil
	}
	if err != nil {
		return "", fmt.Errorf("bench: reading a command: %w", err)
	}
	return c.Cmd, nil
}

func (p *peer) send(e event) error {
	if err := p.out.Encode(e); err != nil {
		return fmt.Errorf("bench: answering: %w", err)
	}
	return nil
}
