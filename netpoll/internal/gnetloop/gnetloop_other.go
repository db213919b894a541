//go:build !linux

package gnetloop

import (
	"errors"
	"log/slog"
	"net"

	"github.com/wireplane/wireplane/netpoll/internal/core"
)

// Supported reports whether this build has event loops.
const Supported = false

// Engine does not exist on this system.
type Engine struct{}

var errUnsupported = errors.New("netpoll: no event loop on this system")

// New fails.
func New(int, int, *slog.Logger) (*Engine, error) { return nil, errUnsupported }

// Pollable reports false.
func Pollable(net.Conn) bool { return false }

// Attach fails.
func (*Engine) Attach(nc net.Conn, _ *core.Conn) error {
	nc.Close()
	return errUnsupported
}

// Stop does nothing.
func (*Engine) Stop() {}
