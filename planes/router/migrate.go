package router

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/wireplane/wireplane/planes"
)

// ContinueFunc makes the request that continues a stream which broke: delivered are the
// items that the caller has had, all of them, and cause is why it broke. It returns
// false to leave it at that.
type ContinueFunc func(delivered [][]byte, cause error) (*planes.Request, bool)

type migration struct {
	times    int
	maxBytes int
	next     ContinueFunc
}

// Migrate lets a stream that breaks go on at another instance, up to times times. The
// router keeps a copy of the items it has delivered, up to maxBytes; a stream that has
// delivered more cannot be continued, and ends with the error that broke it. What the
// new request means is the caller's affair: for a language model it is usually the
// prompt with what was generated so far behind it.
func Migrate(times, maxBytes int, next ContinueFunc) CallOption {
	return optionFunc(func(o *options) { o.migrate = &migration{times, maxBytes, next} })
}

// migrator is a stream over several instances, one after the other.
type migrator struct {
	router *Router
	ctx    context.Context //nolint:containedctx // governs the whole stream, see Stream
	path   string
	o      options
	m      migration

	mu      sync.Mutex // guards cur and stopped: Stop may come from any goroutine
	cur     planes.StreamReader
	stopped bool

	delivered [][]byte
	items     uint64
	bytes     int
	full      bool // more was delivered than is kept
	over      error
	end       context.CancelFunc // frees ctx
}

func (r *Router) migrating(ctx context.Context, path string, req *planes.Request, o options) (planes.StreamReader, error) {
	m := &migrator{router: r, path: path, o: o, m: *o.migrate}
	m.o.migrate = nil
	if req.Timeout > 0 { // of all instances together
		m.ctx, m.end = context.WithTimeout(ctx, req.Timeout)
	} else {
		m.ctx, m.end = context.WithCancel(ctx)
	}
	cur, err := r.stream(m.ctx, path, req, &m.o)
	if err != nil {
		m.end()
		return nil, err
	}
	m.cur = cur
	return m, nil
}

// Recv implements planes.StreamReader.
func (m *migrator) Recv(ctx context.Context) ([]byte, error) {
	for {
		if m.over != nil {
			return nil, m.over
		}
		item, err := m.cur.Recv(ctx)
		switch {
		case err == nil:
			m.keep(item)
			return item, nil
		case err == io.EOF: //nolint:errorlint // only bare EOF is a clean end
			m.finish(io.EOF)
		case !planes.IsTerminal(err):
			return nil, err
		case !m.goOn(err):
			m.finish(m.total(m.outOfTime(err)))
		}
	}
}

func (m *migrator) finish(err error) {
	m.over, m.delivered = err, nil
	m.end()
}

func (m *migrator) keep(item []byte) {
	if m.items++; m.full {
		return
	}
	if m.bytes += len(item); m.bytes > m.m.maxBytes {
		m.full, m.delivered = true, nil
		return
	}
	m.delivered = append(m.delivered, append([]byte(nil), item...))
}

// total makes the terminal name all items that were delivered, not only the last
// instance's.
func (m *migrator) total(err error) error {
	var e *planes.Error
	if !errors.As(err, &e) || e == nil {
		return err
	}
	all := *e
	all.Items = m.items
	return &all
}

// broke reports whether err says that the stream might have gone on had its worker
// lived: what the handler or the caller decided is final.
func broke(err error) bool {
	var e *planes.Error
	if !errors.As(err, &e) || e.Origin == planes.OriginApp && e.Code != planes.CodeDraining {
		return false
	}
	switch e.Code { //nolint:exhaustive // the others are final
	case planes.CodeTransport, planes.CodePeerLost, planes.CodeDraining, planes.CodeProtocol, planes.CodeChecksum, planes.CodeEpoch, planes.CodeFlood:
		return true
	}
	return false
}

// outOfTime makes a stream that broke when its time was over end for that reason: with
// time left it would have gone on.
func (m *migrator) outOfTime(err error) error {
	at, ok := m.ctx.Deadline()
	if !broke(err) || !ok || time.Now().Before(at) {
		return err
	}
	return &planes.Error{Code: planes.CodeDeadline, Phase: planes.PhaseStarted, Op: "stream", Route: m.path,
		Reason: "no time is left to go on elsewhere", Err: err}
}

func (m *migrator) goOn(cause error) bool {
	m.mu.Lock()
	stopped := m.stopped
	m.mu.Unlock()
	if stopped || m.full || m.m.times <= 0 || m.ctx.Err() != nil || !broke(cause) {
		return false
	}
	m.m.times--
	req, ok := m.m.next(m.delivered, cause)
	if !ok {
		return false
	}
	cur, err := m.router.stream(m.ctx, m.path, req, &m.o)
	if err != nil {
		return false // the error that broke the stream says more than that nobody else took it
	}
	m.mu.Lock()
	m.cur = cur
	stopped = m.stopped
	m.mu.Unlock()
	if stopped {
		cur.Stop()
	}
	return true
}

// Stop implements planes.StreamReader.
func (m *migrator) Stop() {
	m.mu.Lock()
	m.stopped = true
	cur := m.cur
	m.mu.Unlock()
	cur.Stop()
}

// Close implements planes.StreamReader.
func (m *migrator) Close() error {
	err := m.cur.Close()
	if m.over == nil {
		m.finish(&planes.Error{Code: planes.CodeCancelled, Phase: planes.PhaseMaybe, Op: "stream", Route: m.path,
			Items: m.items, Reason: "the caller closed the stream"})
	}
	return err
}
