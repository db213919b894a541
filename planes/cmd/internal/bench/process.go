package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// answerWithin is how long a child may take for anything that needs no window.
const answerWithin = 20 * time.Second

// process is the parent's end of the conversation with one child.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	in     *json.Encoder
	events chan event
	stderr bytes.Buffer // read after the process has ended
}

// startProcess starts a child of cfg, on CPU cpu only unless that is negative, and
// gives it its part. The caller must call end.
func startProcess(ctx context.Context, cfg Config, cpu int, spec peerSpec) (*process, error) {
	p := &process{name: spec.Contender + " " + spec.Role, events: make(chan event)}
	p.cmd = exec.CommandContext(ctx, cfg.Command[0], cfg.Command[1:]...)
	if cfg.Procs > 0 {
		p.cmd.Env = append(p.cmd.Environ(), fmt.Sprintf("GOMAXPROCS=%d", cfg.Procs))
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := startOn(p.cmd, cpu); err != nil {
		return nil, fmt.Errorf("bench: starting the %s: %w", p.name, err)
	}
	p.stdin, p.in = stdin, json.NewEncoder(stdin)
	go p.read(stdout)
	if err := p.in.Encode(spec); err != nil {
		return nil, errors.Join(p.failed(err), p.end())
	}
	return p, nil
}

// read hands the child's events on, and closes the channel when they end.
func (p *process) read(stdout io.Reader) {
	defer close(p.events)
	dec := json.NewDecoder(stdout)
	for {
		var e event
		if dec.Decode(&e) != nil {
			return
		}
		p.events <- e
	}
}

// tell sends a command.
func (p *process) tell(cmd string) error {
	if err := p.in.Encode(command{Cmd: cmd}); err != nil {
		return p.failed(err)
	}
	return nil
}

// expect waits for the event of that name.
func (p *process) expect(name string, within time.Duration) (event, error) {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case e, ok := <-p.events:
		switch {
		case !ok:
			return event{}, p.failed(errors.New("it ended without a word"))
		case e.Event == evError:
			return event{}, p.failed(errors.New(e.Error))
		case e.Event != name:
			return event{}, p.failed(fmt.Errorf("it said %q instead of %q", e.Event, name))
		}
		return e, nil
	case <-t.C:
		return event{}, p.failed(fmt.Errorf("no %q within %v", name, within))
	}
}

// usage asks the child what it has used so far.
func (p *process) usage() (Usage, error) {
	if err := p.tell(cmdUsage); err != nil {
		return Usage{}, err
	}
	e, err := p.expect(evUsage, answerWithin)
	if err != nil {
		return Usage{}, err
	}
	if e.Usage == nil {
		return Usage{}, p.failed(errors.New("usage without figures"))
	}
	return *e.Usage, nil
}

// end closes the child's input, which ends it, and kills it if that does not help.
func (p *process) end() error {
	_ = p.stdin.Close()
	kill := time.AfterFunc(answerWithin, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.events { // what it still had to say does not matter any more
		continue
	}
	if err := p.cmd.Wait(); err != nil {
		return p.failed(err)
	}
	return nil
}

// failed names the child in err.
func (p *process) failed(err error) error {
	return fmt.Errorf("bench: %s: %w", p.name, err)
}

// complaint returns the end of what the child wrote to its standard error, for
// after end.
func (p *process) complaint() string {
	const most = 2000
	s := strings.TrimSpace(p.stderr.String())
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return s
}
