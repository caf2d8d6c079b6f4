package server

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerMayConnect reports whether the process at the other end is this user's,
// or root's.
func peerMayConnect(c *net.UnixConn) bool {
	cred, ok := credentials(c)
	return ok && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
}

// credentials are those that the peer had when it connected.
func credentials(c syscall.Conn) (cred *unix.Ucred, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, false
	}
	cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, cerr == nil && err == nil
}

// unsent is how much of what was written the peer has not taken yet: not read
// (Unix) or not acknowledged (TCP). 0 if that cannot be known.
func unsent(c net.Conn) (n int) { return queued(c, unix.SIOCOUTQ) }

// arriving is how many bytes of a socket nobody here has read.
func arriving(c net.Conn) (n int) { return queued(c, unix.SIOCINQ) }

func queued(c net.Conn, which uint) (n int) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		n, err = unix.IoctlGetInt(int(fd), which)
	})
	if err != nil {
		return 0
	}
	return n
}

// peerPID is the process at the other end of a Unix socket, 0 if it is not
// known: another machine's, or of a namespace that we do not see.
func peerPID(c net.Conn) int {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	cred, ok := credentials(u)
	if !ok {
		return 0
	}
	return int(cred.Pid)
}
