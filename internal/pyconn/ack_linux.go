package pyconn

import (
	"net"
	"syscall"
)

// acker asks the kernel for an acknowledgement without delay. The option
// TCP_QUICKACK does not last: the kernel falls back to delaying whenever it
// thinks that the two sides take turns, so it is set before each read.
type acker struct {
	raw    syscall.RawConn // nil unless the connection is TCP
	set    func(fd uintptr)
	always bool
}

func newAcker(c net.Conn) acker {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return acker{}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return acker{}
	}
	return acker{raw: raw, set: func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}}
}

func (a *acker) beforeRead(within bool) {
	if a.raw != nil && (a.always || within) {
		_ = a.raw.Control(a.set)
	}
}

// Alive reports whether the connection is idle and sound: it has not ended,
// and nothing has come that nobody asked for. It costs one system call; a peer
// that died this moment, or without a word on another machine, looks alive.
func (c *Conn) Alive() bool {
	if c.Buffered() {
		return false
	}
	s, ok := c.c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = err == syscall.EAGAIN || err == syscall.EINTR
	})
	return err == nil && alive
}
