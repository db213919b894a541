package gnetloop

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// waiterEvents is how many connections one wake-up resumes at most.
const waiterEvents = 128

// waiter is the drain event that gnet lacks: a second epoll instance that holds only connections whose last write was
// refused, each armed for one EPOLLOUT. The instance itself is waited for through the Go runtime's poller, so it blocks
// no thread. Connections are known by a token that is never reused, not by their descriptor's number.
type waiter struct {
	epoll int
	file  *os.File
	raw   syscall.RawConn
	log   *slog.Logger
	done  sync.WaitGroup

	mu    sync.Mutex
	last  uint64
	conns map[uint64]*conn
}

func newWaiter(log *slog.Logger) (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("netpoll: %w", os.NewSyscallError("epoll_create1", err))
	}
	if err := unix.SetNonblock(fd, true); err != nil { // otherwise os.NewFile does not use the poller
		unix.Close(fd)
		return nil, fmt.Errorf("netpoll: %w", os.NewSyscallError("fcntl", err))
	}
	w := &waiter{epoll: fd, file: os.NewFile(uintptr(fd), "netpoll-epoll"), log: log, conns: make(map[uint64]*conn)}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("netpoll: %w", err)
	}
	w.done.Go(w.run)
	return w, nil
}

func (w *waiter) close() {
	w.file.Close()
	w.done.Wait()
}

// arm asks for one event when t's socket takes bytes again.
func (w *waiter) arm(t *conn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := unix.EPOLL_CTL_MOD
	if t.token == 0 {
		op = unix.EPOLL_CTL_ADD
		w.last++
		t.token = w.last
		w.conns[t.token] = t
	}
	event := unix.EpollEvent{
		Events: unix.EPOLLOUT | unix.EPOLLONESHOT,
		Fd:     int32(uint32(t.token)), // the kernel returns these two fields as they are
		Pad:    int32(t.token >> 32),
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, op, t.fd, &event))
}

// forget removes t, whose descriptor is still open and which will not be armed again.
func (w *waiter) forget(t *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.token == 0 {
		return
	}
	delete(w.conns, t.token)
	// It fails if the registration failed before; there is nothing to remove then.
	_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, t.fd, nil)
}

func (w *waiter) lookup(event *unix.EpollEvent) *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[uint64(uint32(event.Fd))|uint64(uint32(event.Pad))<<32]
}

// run resumes connections until close.
func (w *waiter) run() {
	events := make([]unix.EpollEvent, waiterEvents)
	for {
		n, err := w.wait(events)
		if err != nil {
			return
		}
		for i := range n {
			if t := w.lookup(&events[i]); t != nil {
				t.core.Resume()
			}
		}
	}
}

// wait returns at least one event, or an error once the waiter is closed.
func (w *waiter) wait(events []unix.EpollEvent) (n int, err error) {
	var failed error
	err = w.raw.Read(func(fd uintptr) bool {
		for {
			n, failed = unix.EpollWait(int(fd), events, 0)
			if failed != unix.EINTR {
				return n > 0 || failed != nil
			}
		}
	})
	if err == nil && failed != nil {
		err = os.NewSyscallError("epoll_wait", failed)
		w.log.Error("waiting for writable connections failed", "err", err)
	}
	return n, err
}
