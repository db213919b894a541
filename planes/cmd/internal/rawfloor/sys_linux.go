package rawfloor

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxEvents is how many ready connections one wait reports.
const maxEvents = 64

// poller is one epoll instance and the event buffer of its only waiting thread.
// Adding a descriptor is safe from any thread.
type poller struct {
	epfd   int
	wakefd int
	events [maxEvents]unix.EpollEvent
	calls  int64
}

func newPoller() (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("rawfloor: epoll_create1: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epfd)
		return nil, fmt.Errorf("rawfloor: eventfd: %w", err)
	}
	p := &poller{epfd: epfd, wakefd: wakefd}
	if err := p.ctl(unix.EPOLL_CTL_ADD, wakefd, unix.EPOLLIN); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.wakefd)
	_ = unix.Close(p.epfd)
}

// wake makes the current or next wait return.
func (p *poller) wake() {
	_, _ = unix.Write(p.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (p *poller) ctl(op, fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epfd, op, fd, &ev); err != nil {
		return fmt.Errorf("rawfloor: epoll_ctl: %w", err)
	}
	return nil
}

// wait blocks the thread, not only the goroutine: the runtime is not told, so it
// neither takes the P away nor has to give it back.
func (p *poller) wait(millis int) ([]unix.EpollEvent, error) {
	p.calls++
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd),
		uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(millis), 0, 0)
	if errno != 0 {
		if errno == unix.EINTR {
			return nil, nil
		}
		return nil, fmt.Errorf("rawfloor: epoll_wait: %w", errno)
	}
	return p.events[:n], nil
}

// rawRead reads into b, which must not be empty. It returns 0, nil when nothing
// is there, and errClosed at the end of the input.
func rawRead(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno == unix.ECONNRESET || errno == 0 && n == 0:
		return 0, errClosed
	case errno != 0:
		return 0, fmt.Errorf("rawfloor: read: %w", errno)
	}
	return int(n), nil
}

// rawWrite writes what the kernel takes of b, which must not be empty; 0, nil
// means that it takes nothing now.
func rawWrite(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno == unix.ECONNRESET || errno == unix.EPIPE:
		return 0, errClosed
	case errno != 0:
		return 0, fmt.Errorf("rawfloor: write: %w", errno)
	}
	return int(n), nil
}

// errClosed says that the peer has closed the connection.
var errClosed = errors.New("rawfloor: connection closed by the peer")

// takeFD duplicates the descriptor of c, closes c, and returns the duplicate in
// non-blocking mode; the caller owns it.
func takeFD(c net.Conn) (int, error) {
	defer func() { _ = c.Close() }()
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return -1, fmt.Errorf("rawfloor: %T is not a TCP connection", c)
	}
	rc, err := tc.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("rawfloor: %w", err)
	}
	fd := -1
	var dupErr error
	if err := rc.Control(func(s uintptr) {
		fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, fmt.Errorf("rawfloor: %w", err)
	}
	if dupErr != nil {
		return -1, fmt.Errorf("rawfloor: dup: %w", dupErr)
	}
	return fd, nil
}
