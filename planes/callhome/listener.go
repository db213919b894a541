package callhome

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/internal/sniff"
)

// Config configures a Listener. The zero value is usable.
type Config struct {
	// Listener is where workers call; the Listener owns it. Nil: one is made at Addr.
	Listener net.Listener
	// Addr is "host:port" to listen on; "" is the detected address of this machine and
	// a free port.
	Addr string
	// AdvertiseHost is the IP that workers are told; "" is that of the listener, or the
	// detected one where it listens on all. A wildcard is refused.
	AdvertiseHost string
	// Modes are offered to workers of ours; nil means all.
	Modes []string
	// Group runs multiplexed connections; nil makes one with defaults at the first, which
	// the Listener then closes. A given group stays open.
	Group *netpoll.Group
	// MaxPending bounds the answers that are waited for; 0 means 65536.
	MaxPending int
	// MaxConns bounds open connections, further ones are closed at once; 0 means 65536.
	MaxConns int
	// HandshakeTimeout bounds the wait for the first handshake; 0 means 10 s.
	HandshakeTimeout time.Duration
	// PrologueTimeout bounds Accept besides its context; 0 means 60 s.
	PrologueTimeout time.Duration
	// IdleTimeout ends a pooled connection without work; 0 means 10 min. It should be
	// longer than that of the workers' pools.
	IdleTimeout time.Duration
	// MaxItemBytes is the largest item taken; 0 means 16 MiB.
	MaxItemBytes int
	// Logger gets call-homes that are turned away; nil discards.
	Logger *slog.Logger
	// Observer's CallHome is told of them with the reason; the zero value tells nobody.
	Observer planes.Observer
}

// Validate reports all wrong fields at once.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name string
		v    int64
	}{
		{"MaxPending", int64(c.MaxPending)}, {"MaxConns", int64(c.MaxConns)}, {"HandshakeTimeout", int64(c.HandshakeTimeout)},
		{"PrologueTimeout", int64(c.PrologueTimeout)}, {"IdleTimeout", int64(c.IdleTimeout)}, {"MaxItemBytes", int64(c.MaxItemBytes)},
	} {
		if f.v < 0 {
			errs = append(errs, fmt.Errorf("callhome: Config.%s is %d; want 0 for the default, or more", f.name, f.v))
		}
	}
	for _, m := range c.Modes {
		if m != ModeSingle && m != ModePooled && m != ModeMux {
			errs = append(errs, fmt.Errorf("callhome: Config.Modes has %.20q; want %q, %q or %q", m, ModeMux, ModePooled, ModeSingle))
		}
	}
	if ip := net.ParseIP(c.AdvertiseHost); c.AdvertiseHost != "" && (ip == nil || ip.IsUnspecified()) {
		errs = append(errs, fmt.Errorf("callhome: Config.AdvertiseHost is %.60q; want an IP that workers reach", c.AdvertiseHost))
	}
	return errors.Join(errs...)
}

func or[T int | time.Duration](v, instead T) T {
	if v == 0 {
		return instead
	}
	return v
}

// remembered is how many subjects that are over are kept to tell late call-homes and
// duplicates from unknown ones.
const remembered = 4096

// muxByte is the first of a multiplexed connection.
const muxByte = 0xf7

// Listener is the router's side: planes.ResponseServer. All methods are safe for
// concurrent use.
type Listener struct {
	cfg  Config
	ln   net.Listener
	addr string
	log  *slog.Logger
	ctx  context.Context //nolint:containedctx // of everything that runs
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	peers    muxPeers
	pending  map[string]*pending
	past     map[string]string // subject to reason
	ring     []string          // its keys, oldest at ringAt once it is full
	ringAt   int
	conns    map[net.Conn]struct{}
	accepted uint64
	rejected map[string]uint64
	closed   bool
}

// Stat is the counters of a Listener.
type Stat struct {
	Pending  int               // answers that are waited for
	Conns    int               // open connections
	Mux      int               // of these, multiplexed ones of workers that have said who they are
	MuxEver  uint64            // multiplexed connections so far
	Accepted uint64            // call-homes that were taken
	Rejected map[string]uint64 // those turned away, by reason
}

// Listen starts a Listener.
func Listen(cfg Config) (*Listener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.MaxPending, cfg.MaxConns = or(cfg.MaxPending, 65536), or(cfg.MaxConns, 65536)
	cfg.HandshakeTimeout, cfg.PrologueTimeout = or(cfg.HandshakeTimeout, 10*time.Second), or(cfg.PrologueTimeout, time.Minute)
	cfg.IdleTimeout, cfg.MaxItemBytes = or(cfg.IdleTimeout, 10*time.Minute), or(cfg.MaxItemBytes, 16<<20)
	if cfg.Modes == nil {
		cfg.Modes = []string{ModeMux, ModePooled, ModeSingle}
	}
	if cfg.Listener == nil {
		if cfg.Addr == "" {
			cfg.Addr = net.JoinHostPort(localIP(), "0")
		}
		ln, err := net.Listen("tcp", cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("callhome: listen: %w", err)
		}
		cfg.Listener = ln
	}
	l := &Listener{cfg: cfg, ln: cfg.Listener, log: cfg.Logger, pending: map[string]*pending{}, past: map[string]string{},
		conns: map[net.Conn]struct{}{}, rejected: map[string]uint64{}}
	l.peers = muxPeers{group: cfg.Group, clients: map[uint64][]*muxClient{}, seekers: map[uint64]map[*pending]struct{}{}}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	host, port := cfg.AdvertiseHost, "0"
	if tcp, ok := l.ln.Addr().(*net.TCPAddr); ok {
		port = strconv.Itoa(tcp.Port)
		if host == "" && !tcp.IP.IsUnspecified() {
			host = tcp.IP.String()
		}
	}
	if host == "" {
		host = localIP()
	}
	l.addr = net.JoinHostPort(host, port)
	l.ctx, l.end = context.WithCancel(context.Background())
	l.wg.Go(l.accept)
	return l, nil
}

// localIP is the first address of this machine that others may reach: IPv4, else
// IPv6, else loopback.
func localIP() string {
	addrs, _ := net.InterfaceAddrs()
	six := ""
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || !n.IP.IsGlobalUnicast():
		case n.IP.To4() != nil:
			return n.IP.String()
		case six == "":
			six = n.IP.String()
		}
	}
	if six != "" {
		return six
	}
	return "127.0.0.1"
}

// Addr returns "ip:port" as workers are told it.
func (l *Listener) Addr() string { return l.addr }

// Stat returns the counters.
func (l *Listener) Stat() Stat {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stat{Pending: len(l.pending), Conns: len(l.conns), Mux: l.peers.n, MuxEver: l.peers.ever, Accepted: l.accepted, Rejected: make(map[string]uint64, len(l.rejected))}
	for k, v := range l.rejected {
		s.Rejected[k] = v
	}
	return s
}

// Expect implements planes.ResponseServer.
func (l *Listener) Expect(_ context.Context, x planes.Expectation) (planes.Pending, error) {
	p := &pending{l: l, x: x, ready: make(chan struct{})}
	p.info = info{Address: l.addr, Subject: newUUID(), Context: x.ID, StreamType: "response"}
	for _, m := range l.cfg.Modes {
		if has(x.Response.Metadata[MetadataKey], m) && (m != ModeMux || x.Instance != 0) {
			if p.info.Modes != "" {
				p.info.Modes += ","
			}
			p.info.Modes += m
		}
	}
	if p.info.Modes != "" {
		p.info.Token = rand.Text()
	}
	if p.mux = has(p.info.Modes, ModeMux); p.mux {
		p.wake = make(chan struct{}, 1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, p.fault(planes.CodeDraining, planes.PhaseNotStarted, "the listener is closed", net.ErrClosed)
	case len(l.pending) >= l.cfg.MaxPending:
		return nil, p.fault(planes.CodeOverloaded, planes.PhaseNotStarted, fmt.Sprintf("%d answers are waited for", len(l.pending)), nil)
	}
	l.pending[p.info.Subject] = p
	return p, nil
}

// forgetLocked takes a subject out and remembers why later call-homes are refused.
func (l *Listener) forgetLocked(subject, reason string) {
	delete(l.pending, subject)
	if len(l.ring) < remembered {
		l.ring = append(l.ring, subject)
	} else {
		delete(l.past, l.ring[l.ringAt])
		l.ring[l.ringAt] = subject
		l.ringAt = (l.ringAt + 1) % remembered
	}
	l.past[subject] = reason
}

// Close implements planes.ResponseServer.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.wg.Wait()
		return nil
	}
	l.closed = true
	for nc := range l.conns {
		_ = nc.Close()
	}
	l.mu.Unlock()
	l.end()
	err := l.ln.Close()
	l.wg.Wait()
	if l.peers.owned {
		err = errors.Join(err, l.peers.group.Close())
	}
	return err
}

// accept takes connections. Errors that pass, such as a lack of descriptors, make it
// wait 5 ms, doubling to 1 s.
func (l *Listener) accept() {
	var pause time.Duration
	for {
		nc, err := l.ln.Accept()
		switch {
		case err == nil:
			pause = 0
			if l.track(nc) {
				l.wg.Go(func() { l.first(nc) })
			}
		case l.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.log.Warn("cannot accept", "err", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-l.ctx.Done():
				return
			}
		}
	}
}

func (l *Listener) track(nc net.Conn) bool {
	l.mu.Lock()
	full := len(l.conns) >= l.cfg.MaxConns
	if !full && !l.closed {
		l.conns[nc] = struct{}{}
		l.mu.Unlock()
		return true
	}
	l.mu.Unlock()
	_ = nc.Close()
	if full {
		l.reject(nc, "full", "too many connections")
	}
	return false
}

func (l *Listener) drop(nc net.Conn) {
	l.mu.Lock()
	delete(l.conns, nc)
	l.mu.Unlock()
	_ = nc.Close()
}

func (l *Listener) reject(nc net.Conn, reason, detail string) {
	l.rejectFrom(nc.RemoteAddr().String(), reason, detail)
}

func (l *Listener) rejectFrom(peer, reason, detail string) {
	l.mu.Lock()
	l.rejected[reason]++
	l.mu.Unlock()
	l.log.Warn("call-home turned away", "reason", reason, "peer", peer, "detail", detail)
	if f := l.cfg.Observer.CallHome; f != nil {
		f(reason)
	}
}

// first looks at what the peer speaks.
func (l *Listener) first(nc net.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.HandshakeTimeout)
	b, out, err := sniff.Peek(ctx, nc, 1)
	cancel()
	switch {
	case err != nil && l.ctx.Err() != nil: // closed by this side
	case err != nil:
		l.reject(nc, "handshake", err.Error())
	case b[0] == 0:
		l.next(nc, out, &frames{}, l.cfg.HandshakeTimeout, false)
		return
	case b[0] == muxByte && slices.Contains(l.cfg.Modes, ModeMux):
		l.muxed(nc, out)
		return
	case b[0] == 0x16:
		l.reject(nc, "protocol", "the peer speaks TLS; this port takes call-homes of workers in clear text")
	default:
		l.reject(nc, "protocol", fmt.Sprintf("the first byte is %#x; this port takes call-homes of workers, neither HTTP nor anything else", b[0]))
	}
	l.drop(nc)
}

// next waits for a handshake and gives the connection to the answer it names. key is
// the connection as it is tracked, nc the one to use.
func (l *Listener) next(key, nc net.Conn, fr *frames, wait time.Duration, again bool) {
	_ = nc.SetReadDeadline(time.Now().Add(wait))
	fr.rest()
	header, body, err := fr.next(nc)
	fr.maxItem = l.cfg.MaxItemBytes
	if err != nil {
		if !again && l.ctx.Err() == nil {
			l.reject(nc, "handshake", err.Error())
		}
		l.drop(key)
		return
	}
	_ = nc.SetReadDeadline(time.Time{})
	var h handshake
	if len(body) == 0 && json.Unmarshal(header, &h) == nil && h == (handshake{StreamType: "idle", Mode: ModePooled}) && !again {
		l.next(key, nc, fr, max(l.cfg.IdleTimeout, l.cfg.HandshakeTimeout), true) // it waits for its first response
		return
	}
	if len(body) > 0 || json.Unmarshal(header, &h) != nil || h.StreamType != "response" {
		l.reject(nc, "handshake", "not a handshake of a response stream")
		l.drop(key)
		return
	}
	if reason := l.take(&h, &stream{l: l, key: key, nc: nc, fr: fr, pooled: h.Mode == ModePooled}); reason != "" {
		l.reject(nc, reason, "subject "+cut(h.Subject))
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		if h.Mode != "" {
			_, _ = nc.Write(appendFrame(nil, killWord, nil)) // it need not try again
		}
		l.drop(key)
	}
}

// take gives s to the answer that h names, or says why not.
func (l *Listener) take(h *handshake, s *stream) (reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[h.Subject]
	switch {
	case p == nil:
		if r := l.past[h.Subject]; r != "" {
			return r
		}
		return "unknown"
	case subtle.ConstantTimeCompare([]byte(h.Token), []byte(p.info.Token)) != 1:
		return "token" // the subject stays good for whoever has the right one
	case h.Mode != "" && (h.Mode == ModeMux || !has(p.info.Modes, h.Mode)): // mux has no handshake
		return "mode"
	}
	l.forgetLocked(h.Subject, "duplicate")
	l.accepted++
	s.a.ours = p.info.Token != ""
	s.p, p.got = p, s
	close(p.ready)
	if p.found != nil {
		p.found()
	}
	return ""
}
