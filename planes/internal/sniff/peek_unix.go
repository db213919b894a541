//go:build unix

package sniff

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// peek asks the kernel for the bytes and leaves them there.
func peek(nc net.Conn, n int) ([]byte, net.Conn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return read(nc, n)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return read(nc, n)
	}
	b := make([]byte, n)
	var got int
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		for {
			m, _, e := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK)
			switch {
			case errors.Is(e, syscall.EINTR):
				continue
			case errors.Is(e, syscall.EAGAIN):
				return false
			case e != nil:
				fault = e
			case m == 0:
				fault = io.EOF
			case m < n:
				got = m
				return false // the poller wakes at the next bytes
			default:
				got = m
			}
			return true
		}
	})
	if err == nil {
		err = fault
	}
	return b[:got:got], nc, err
}
