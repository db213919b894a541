package netpoll

import "fmt"

// Driver names what moves a connection's bytes.
type Driver uint8

// The drivers.
const (
	// DriverAuto is the event loop on Linux for TCP and Unix sockets, and the net.Conn driver otherwise.
	DriverAuto Driver = iota
	// DriverLoop is the event loop. New fails where there is none, Attach for connections that are no sockets.
	DriverLoop
	// DriverNet is two goroutines per connection over any net.Conn.
	DriverNet
)

// String returns "auto", "loop" or "net".
func (d Driver) String() string {
	switch d {
	case DriverAuto:
		return "auto"
	case DriverLoop:
		return "loop"
	case DriverNet:
		return "net"
	}
	return fmt.Sprintf("Driver(%d)", uint8(d))
}
