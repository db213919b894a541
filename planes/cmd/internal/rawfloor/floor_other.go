//go:build !linux

package rawfloor

import "net"

// Server is the server side of the floor; there is none on this system.
type Server struct{}

// NewServer returns ErrUnsupported.
func NewServer(Shape) (*Server, error) { return nil, ErrUnsupported }

// Serve returns ErrUnsupported.
func (*Server) Serve(net.Listener) error { return ErrUnsupported }

// Close does nothing.
func (*Server) Close() error { return nil }

// Syscalls returns 0.
func (*Server) Syscalls() int64 { return 0 }

// Client is the client side of the floor; there is none on this system.
type Client struct{}

// NewClient closes conns and returns ErrUnsupported.
func NewClient(_ Shape, _ int, conns ...net.Conn) (*Client, error) {
	for _, c := range conns {
		_ = c.Close()
	}
	return nil, ErrUnsupported
}

// Run returns ErrUnsupported.
func (*Client) Run(Observer) error { return ErrUnsupported }

// Syscalls returns 0.
func (*Client) Syscalls() int64 { return 0 }

// Close does nothing.
func (*Client) Close() error { return nil }
