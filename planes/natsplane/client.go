package natsplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/envelope"
)

// ClientConfig configures a Client. Its zero value is usable.
type ClientConfig struct {
	// RequestTimeout bounds the wait for a worker to take a request, beside the
	// context and the request's own timeout; 0 means 10 s.
	RequestTimeout time.Duration
	// PayloadCodec is what the envelope says about payloads; "" means
	// envelope.CodecBytes, which only peers of this project understand.
	PayloadCodec string
}

// Client is the router's side. It holds nothing but what its Sends hold. All methods are
// safe for concurrent use.
type Client struct {
	conn   *Conn
	cfg    ClientConfig
	closed atomic.Bool
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

var _ planes.RequestClient = (*Client)(nil)

// NewClient returns a Client on conn, which stays the caller's to close.
func NewClient(conn *Conn, cfg ClientConfig) *Client {
	c := &Client{conn: conn, cfg: cfg}
	if c.cfg.RequestTimeout <= 0 {
		c.cfg.RequestTimeout = 10 * time.Second
	}
	c.cfg.PayloadCodec = orDefault(cfg.PayloadCodec, envelope.CodecBytes)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Capabilities returns what the plane can do now. The largest message is the server's
// max_payload at this moment, headers and control message included; 0 where there is no
// connection yet.
func (c *Client) Capabilities() planes.Capabilities { return capabilities(c.conn) }

func capabilities(conn *Conn) planes.Capabilities {
	return planes.Capabilities{Streaming: true, PersistentConnections: true, MaxMessageBytes: conn.MaxPayload()}
}

// Close fails the Sends that wait and refuses further ones. The Conn stays open.
func (c *Client) Close() error {
	c.closed.Store(true)
	c.cancel()
	return nil
}

// send is one call of Send.
type send struct {
	c     *Client
	to    planes.Address
	route string
}

func (s *send) fail(code planes.Code, phase planes.Phase, origin planes.Origin, reason string, cause error) error {
	return &planes.Error{Code: code, Phase: phase, Origin: origin, Op: "send", Target: s.to.Subject, Route: s.route, Reason: cut(reason), Err: cause}
}

func cut(s string) string {
	if len(s) > 1024 {
		s = strings.ToValidUTF8(s[:1024], "")
	}
	return s
}

// Send publishes env to the subject of a worker and waits until the worker says that it
// has taken it. How it fails:
//
//   - too large for the server: CodeTooLarge, not started, nothing was sent;
//   - not connected to NATS: CodeTransport, not started, at once;
//   - nobody listens on the subject: CodePeerLost, not started, at once;
//   - the worker turns it away: CodeOverloaded, or the code that it names, or
//     CodeRefused; not started;
//   - no reply in time: CodeDeadline, may have started;
//   - the connection is lost meanwhile: CodeTransport, may have started.
//
// A server that has lowered its max_payload does not tell those who are connected. The
// first request above the new limit makes it close the connection: that request fails
// with CodeTooLarge all the same, what else waits for a reply with CodeTransport, may
// have started, and the new limit counts from then on.
func (c *Client) Send(ctx context.Context, to planes.Address, env *planes.Envelope) error {
	s := &send{c: c, to: to, route: env.Request.Route}
	if err := to.Validate(); err != nil || to.Kind != planes.AddressNATS || strings.ContainsAny(to.Subject, "*>") {
		return s.fail(planes.CodeUnsupported, planes.PhaseNotStarted, planes.OriginLocal,
			fmt.Sprintf("address %.300q of type %.40q; want the subject of one worker", to, string(to.Kind)), err)
	}
	if c.closed.Load() {
		return s.fail(planes.CodeTransport, planes.PhaseNotStarted, planes.OriginLocal, "the client is closed", nil)
	}
	if err := ctx.Err(); err != nil {
		return s.fail(planes.CodeOf(err), planes.PhaseNotStarted, planes.OriginLocal, "", err)
	}
	now := time.Now()
	req := *env.Request
	wait := c.cfg.RequestTimeout
	if d, ok := ctx.Deadline(); ok {
		if left := d.Sub(now); req.Timeout <= 0 || left < req.Timeout {
			req.Timeout = max(left, time.Millisecond)
		}
	}
	if req.Timeout > 0 {
		wait = min(wait, req.Timeout)
	}
	msg := nats.NewMsg(to.Subject)
	envelope.Headers(env.ID, &req, now, msg.Header.Set)
	body, err := envelope.Append(nil, &planes.Envelope{ID: env.ID, Reply: env.Reply, Request: &req}, c.cfg.PayloadCodec)
	if err != nil {
		code := planes.CodeOf(err)
		return s.fail(code, planes.PhaseNotStarted, planes.OriginLocal, err.Error(), err)
	}
	msg.Data = body
	lost := c.conn.lostSignal() // before the look at the connection, or a loss could be missed
	nc, err := c.conn.current()
	if err != nil {
		return s.fail(planes.CodeTransport, planes.PhaseNotStarted, planes.OriginLocal, "not connected to NATS", err)
	}
	size := int64(len(body) + headerBytes(msg.Header))
	if limit := nc.MaxPayload(); size > limit {
		return s.tooLarge(size, limit)
	}
	reply, err := s.request(ctx, nc, msg, wait, lost)
	if err != nil {
		return s.failed(ctx, nc, err, size, wait)
	}
	return s.read(reply)
}

func (s *send) tooLarge(size, limit int64) error {
	return s.fail(planes.CodeTooLarge, planes.PhaseNotStarted, planes.OriginLocal,
		fmt.Sprintf("a message of %d bytes with its headers; the NATS server takes at most %d", size, limit), nil)
}

func (s *send) request(ctx context.Context, nc *nats.Conn, msg *nats.Msg, wait time.Duration, lost <-chan struct{}) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.c.ctx, cancel)()
	go func() {
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	return nc.RequestMsgWithContext(ctx, msg)
}

// failed says what an error of a request means for the call.
func (s *send) failed(ctx context.Context, nc *nats.Conn, err error, size int64, wait time.Duration) error {
	const local, maybe, not = planes.OriginLocal, planes.PhaseMaybe, planes.PhaseNotStarted
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return s.fail(planes.CodePeerLost, not, planes.OriginProxy, "no worker listens on the subject", err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return s.fail(planes.CodeTransport, not, local, "not connected to NATS", err)
	case errors.Is(err, nats.ErrMaxPayload):
		return s.tooLarge(size, nc.MaxPayload())
	case errors.Is(err, nats.ErrConnectionDraining), errors.Is(err, nats.ErrHeadersNotSupported), errors.Is(err, nats.ErrBadSubject):
		return s.fail(planes.CodeTransport, not, local, "", err)
	case ctx.Err() != nil:
		return s.fail(planes.CodeOf(ctx.Err()), maybe, local, "", ctx.Err())
	case s.c.closed.Load():
		return s.fail(planes.CodeTransport, maybe, local, "the client was closed", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return s.fail(planes.CodeDeadline, maybe, local, fmt.Sprintf("the worker did not reply within %v", wait), err)
	}
	if last := nc.LastError(); last != nil && strings.Contains(strings.ToLower(last.Error()), "maximum payload") {
		if limit, ok := s.newLimit(ctx, nc); ok && size > limit {
			return s.tooLarge(size, limit)
		}
	}
	return s.fail(planes.CodeTransport, maybe, local, "the connection to NATS was lost while the request was under way", err)
}

// newLimit waits, for a second at most, until there is a connection after old, and
// returns its max_payload.
func (s *send) newLimit(ctx context.Context, old *nats.Conn) (int64, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if nc, err := s.c.conn.current(); err == nil && nc != old {
			return nc.MaxPayload(), true
		}
		select {
		case <-ctx.Done():
			return 0, false
		case <-s.c.ctx.Done():
			return 0, false
		case <-tick.C:
		}
	}
}

// The replies of a worker: empty means taken, anything else that it was not.
const (
	overloaded  = "Server overloaded:"
	unavailable = "Server unavailable:"
	// codeHeader names the code of a refusal among peers of this project; others
	// ignore it.
	codeHeader = "wireplane-code"
)

func (s *send) read(reply *nats.Msg) error {
	if len(reply.Data) == 0 {
		return nil
	}
	text := string(reply.Data[:min(len(reply.Data), 1024)])
	text = strings.ToValidUTF8(text, "\uFFFD")
	code, phase := planes.CodeRefused, planes.PhaseNotStarted
	switch {
	case strings.HasPrefix(text, overloaded):
		code = planes.CodeOverloaded
	case strings.HasPrefix(text, unavailable):
		if n, err := strconv.ParseUint(reply.Header.Get(codeHeader), 10, 8); err == nil && refusal(planes.Code(n)) {
			code = planes.Code(n)
		}
	default:
		phase = planes.PhaseMaybe // nobody we know says so, hence nobody knows what it did
	}
	return s.fail(code, phase, planes.OriginPeer, text, nil)
}

// refusal tells whether c can be why a worker turns a request away.
func refusal(c planes.Code) bool {
	switch c { //nolint:exhaustive // the others end calls that began, or happen on this side
	case planes.CodeRefused, planes.CodeDraining, planes.CodeNotFound, planes.CodeUnauthenticated, planes.CodeDenied,
		planes.CodeTooLarge, planes.CodeProtocol, planes.CodeInternal, planes.CodeUnsupported, planes.CodeDeadline:
		return true
	}
	return false
}

// headerBytes is the size of the header block on the wire.
func headerBytes(h nats.Header) int {
	n := len("NATS/1.0\r\n\r\n")
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}
