package callhome

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
	"github.com/wireplane/wireplane/pool"
)

const (
	muxRoute   = "callhome" // which the router calls
	maxParked  = 1024       // streams of routers that wait for their answer
	maxTargets = 256        // routers with a connection
	maxFaults  = 1024       // routers where mux has failed
	faultFirst = 30 * time.Second
	faultMost  = 10 * time.Minute
)

var (
	errMuxFull   = errors.New("callhome: connections to too many routers are in use")
	errTwice     = errors.New("callhome: this request is being answered already")
	errMuxFailed = errors.New("callhome: mux has failed with this router a while ago")
)

// MuxStat is the counters of multiplexed responses of a Dialer.
type MuxStat struct {
	Connections uint64 // made so far
	Open        int    // connections now
	Responses   uint64 // opened over them so far: all but Connections found one there
	Active      int    // of these, responses that are not over
	Fallbacks   uint64 // responses that went in another mode because mux failed
}

// muxSide is the part of a Dialer that answers over multiplexed connections.
type muxSide struct {
	d     *Dialer
	ctx   context.Context //nolint:containedctx // of dials, which belong to no answer
	end   context.CancelFunc
	mu    sync.Mutex
	group *netpoll.Group // nil until it is needed
	owned bool

	targets map[string]*muxTarget
	answers map[string]*muxWriter      // by subject
	parked  map[string]chan *muxWriter // streams that wait for their answer, by subject
	faults  map[string]*muxFault
	stat    MuxStat
	closed  bool
}

// muxTarget is a router's address with at most one live connection. Its fields are
// guarded by muxSide.mu.
type muxTarget struct {
	m       *muxSide
	addr    string
	srv     *tcpplane.Server
	gone    <-chan struct{} // of the connection; nil before the first
	gen     uint64          // of the connection
	dialing *muxDial
	uses    int // answers that hold it
	idle    *time.Timer
	since   time.Time // idle since
	expired bool      // it is being closed for being idle
}

// muxDial is a dial under way, which all who want the target share.
type muxDial struct {
	done chan struct{}
	err  error
}

// muxFault remembers that mux does not work with a router.
type muxFault struct {
	until time.Time
	wait  time.Duration
}

func (m *muxSide) init(d *Dialer) {
	m.d, m.group = d, d.cfg.Group
	m.ctx, m.end = context.WithCancel(context.Background())
	m.targets, m.answers = map[string]*muxTarget{}, map[string]*muxWriter{}
	m.parked, m.faults = map[string]chan *muxWriter{}, map[string]*muxFault{}
}

// open makes a response over the connection to the router, which it dials if need be.
func (m *muxSide) open(ctx context.Context, in *info) (*muxWriter, error) {
	began := time.Now()
	t, err := m.acquire(in.Address)
	if err != nil {
		return nil, err
	}
	w := newMuxWriter(m, t, in)
	if err := m.register(w); err != nil {
		m.release(t)
		return nil, err
	}
	dialled, err := m.connect(ctx, t)
	if err != nil {
		w.abandon()
		if ctx.Err() == nil {
			m.failed(in.Address, err)
		}
		return nil, err
	}
	m.mu.Lock()
	delete(m.faults, in.Address)
	m.stat.Responses++
	m.mu.Unlock()
	if f := m.d.cfg.PoolObserver.Acquired; f != nil {
		f(in.Address, time.Since(began), !dialled)
	}
	return w, nil
}

// acquire takes the target of addr, which stays until release.
func (m *muxSide) acquire(addr string) (*muxTarget, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, net.ErrClosed
	}
	if f := m.faults[addr]; f != nil && time.Now().Before(f.until) {
		return nil, errMuxFailed
	}
	t := m.targets[addr]
	if t == nil {
		if len(m.targets) >= maxTargets && !m.evictLocked() {
			return nil, errMuxFull
		}
		t = &muxTarget{m: m, addr: addr}
		if err := m.serverLocked(t); err != nil {
			return nil, err
		}
		m.targets[addr] = t
	}
	t.uses++
	if t.idle != nil {
		t.idle.Stop()
	}
	return t, nil
}

func (m *muxSide) serverLocked(t *muxTarget) error {
	if m.group == nil {
		g, err := netpoll.New(netpoll.Config{Logger: m.d.cfg.Logger})
		if err != nil {
			return err
		}
		m.group, m.owned = g, true
	}
	srv, err := tcpplane.NewServer(tcpplane.ServerConfig{Group: m.group, Instance: m.d.cfg.Instance, Logger: m.d.cfg.Logger})
	if err != nil {
		return err
	}
	t.srv = srv
	srv.HandleStream(muxRoute, planes.HandlerFunc(t.serve))
	return nil
}

// release gives a target back. The last one starts the clock of its idle connection.
func (m *muxSide) release(t *muxTarget) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.uses--; t.uses > 0 || m.closed {
		return
	}
	t.since = time.Now()
	if t.idle == nil {
		t.idle = time.AfterFunc(m.d.cfg.IdleTimeout, func() { m.expire(t) })
		return
	}
	t.idle.Reset(m.d.cfg.IdleTimeout)
}

// expire closes the connection of a target that nobody has used for long.
func (m *muxSide) expire(t *muxTarget) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.uses == 0 && !m.closed && m.targets[t.addr] == t && time.Since(t.since) >= m.d.cfg.IdleTimeout {
		m.dropLocked(t)
	}
}

// evictLocked makes room for another target.
func (m *muxSide) evictLocked() bool {
	var oldest *muxTarget
	for _, t := range m.targets {
		if t.uses == 0 && (oldest == nil || t.since.Before(oldest.since)) {
			oldest = t
		}
	}
	if oldest == nil {
		return false
	}
	m.dropLocked(oldest)
	return true
}

func (m *muxSide) dropLocked(t *muxTarget) {
	delete(m.targets, t.addr)
	t.expired = true
	if t.idle != nil {
		t.idle.Stop()
	}
	m.d.wg.Go(func() { _ = t.srv.Close() })
}

func (t *muxTarget) liveLocked() bool {
	if t.gone == nil {
		return false
	}
	select {
	case <-t.gone:
		return false
	default:
		return true
	}
}

// connect waits until the target has a live connection. It reports whether it was
// dialled for this caller.
func (m *muxSide) connect(ctx context.Context, t *muxTarget) (dialled bool, err error) {
	m.mu.Lock()
	switch {
	case m.closed:
		m.mu.Unlock()
		return false, net.ErrClosed
	case t.liveLocked():
		m.mu.Unlock()
		return false, nil
	}
	d := t.dialing
	if d == nil {
		d = &muxDial{done: make(chan struct{})}
		t.dialing, dialled = d, true
		m.d.wg.Go(func() { m.dial(t, d) })
	}
	m.mu.Unlock()
	select {
	case <-d.done:
		return dialled, d.err
	case <-ctx.Done():
		return dialled, ctx.Err()
	}
}

func (m *muxSide) dial(t *muxTarget, d *muxDial) {
	ctx, cancel := context.WithTimeout(m.ctx, m.d.cfg.DialTimeout)
	gone, err := t.srv.Dial(ctx, t.addr)
	cancel()
	o := &m.d.cfg.PoolObserver
	if err == nil && o.Created != nil {
		o.Created(t.addr)
	} else if err != nil && o.DialFailed != nil {
		o.DialFailed(t.addr, err)
	}
	m.mu.Lock()
	d.err, t.dialing = err, nil
	if err == nil {
		t.gone = gone
		t.gen++
		m.stat.Connections++
		m.stat.Open++
		gen := t.gen
		m.d.wg.Go(func() { m.watch(t, gone, gen) })
	}
	m.mu.Unlock()
	close(d.done)
}

// watch tells the answers that wait for the router's stream that the connection on
// which it would come is gone.
func (m *muxSide) watch(t *muxTarget, gone <-chan struct{}, gen uint64) {
	<-gone
	m.mu.Lock()
	m.stat.Open--
	why := pool.Destroyed
	switch {
	case m.closed:
		why = pool.PoolClosed
	case t.expired:
		why = pool.IdleTooLong
	}
	var left []*muxWriter
	for _, w := range m.answers {
		if w.t == t {
			left = append(left, w)
		}
	}
	m.mu.Unlock()
	if f := m.d.cfg.PoolObserver.Closed; f != nil {
		f(t.addr, why)
	}
	for _, w := range left {
		w.waitsNoMore(gen)
	}
}

// failed notes that mux does not work with a router that can be reached.
func (m *muxSide) failed(addr string, err error) {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return // no other mode would do better, and it may pass
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.faults[addr]
	if f == nil {
		if len(m.faults) >= maxFaults {
			for a := range m.faults { // any: at worst mux is tried once more
				delete(m.faults, a)
				break
			}
		}
		f = &muxFault{wait: faultFirst / 2}
		m.faults[addr] = f
	}
	if now := time.Now(); now.After(f.until) {
		f.wait = min(2*f.wait, faultMost)
		f.until = now.Add(f.wait)
	}
}

// fellBack counts a response that goes another way.
func (m *muxSide) fellBack(addr string, err error) {
	m.mu.Lock()
	m.stat.Fallbacks++
	m.mu.Unlock()
	if !errors.Is(err, errMuxFailed) { // that was told before
		m.d.log.Warn("no multiplexed response", "router", addr, "err", err)
	}
}

// register makes w findable by its subject, and gives it to the stream that waits.
func (m *muxSide) register(w *muxWriter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers[w.subject] != nil {
		return errTwice
	}
	m.answers[w.subject] = w
	m.stat.Active++
	if ch := m.parked[w.subject]; ch != nil {
		ch <- w // it has room for one
		delete(m.parked, w.subject)
	}
	return nil
}

// unregister takes w out, once, and gives its target back.
func (m *muxSide) unregister(w *muxWriter) {
	m.mu.Lock()
	mine := m.answers[w.subject] == w
	if mine {
		delete(m.answers, w.subject)
		m.stat.Active--
	}
	m.mu.Unlock()
	if mine {
		m.release(w.t)
	}
}

// meet finds the answer to the router's stream, for which it waits a while.
func (m *muxSide) meet(ctx context.Context, subject string) (*muxWriter, error) {
	no := func(code planes.Code, why string) error {
		return &planes.Error{Code: code, Phase: planes.PhaseNotStarted, Op: "call home", Reason: why}
	}
	m.mu.Lock()
	w := m.answers[subject]
	switch {
	case w != nil:
		m.mu.Unlock()
		return w, nil
	case m.closed:
		m.mu.Unlock()
		return nil, no(planes.CodeDraining, "the worker closes")
	case m.parked[subject] != nil:
		m.mu.Unlock()
		return nil, no(planes.CodeRefused, "another stream waits for this answer")
	case len(m.parked) >= maxParked:
		m.mu.Unlock()
		return nil, no(planes.CodeOverloaded, "too many streams wait for their answers")
	}
	ch := make(chan *muxWriter, 1)
	m.parked[subject] = ch
	m.mu.Unlock()
	late := time.NewTimer(m.d.cfg.MeetTimeout)
	defer late.Stop()
	err := no(planes.CodeNotFound, "nobody answers this subject")
	select {
	case w = <-ch:
		return w, nil
	case <-late.C:
	case <-ctx.Done():
		err = ctx.Err()
	case <-m.ctx.Done():
		err = no(planes.CodeDraining, "the worker closes")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.parked[subject] == ch {
		delete(m.parked, subject)
		return nil, err
	}
	return <-ch, nil // it came just now
}

// close ends all answers and connections. What has ended gets a moment to leave.
func (m *muxSide) close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	answers, targets := make([]*muxWriter, 0, len(m.answers)), make([]*muxTarget, 0, len(m.targets))
	for _, w := range m.answers {
		answers = append(answers, w)
	}
	for _, t := range m.targets {
		targets = append(targets, t)
		if t.idle != nil {
			t.idle.Stop()
		}
	}
	m.mu.Unlock()
	m.end()
	for _, w := range answers {
		w.kill(w.fault(planes.CodePeerLost, "the worker closes its connections", net.ErrClosed))
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, t := range targets {
		wg.Go(func() {
			_ = t.srv.Shutdown(ctx)
			_ = t.srv.Close()
		})
	}
	wg.Wait()
	m.d.wg.Wait()
	if !m.owned {
		return nil
	}
	return m.group.Close()
}

// MuxStat returns the counters of multiplexed responses.
func (d *Dialer) MuxStat() MuxStat {
	d.mux.mu.Lock()
	defer d.mux.mu.Unlock()
	return d.mux.stat
}
