package manager

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keepAlive finds a peer whose machine is gone after some six seconds.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// tuneTCP lets the end of a peer be noticed within seconds, as long as nothing is
// on its way to it; see watchTCP.
func tuneTCP(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive)
	}
}

// newTryWriter makes a writer for a socket, which Go has made nonblocking.
// Calls are not concurrent.
func newTryWriter(raw syscall.RawConn) tryWriter {
	var (
		b   []byte
		n   int
		err error
	)
	once := func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	}
	return func(data []byte) (int, error) {
		b = data
		cerr := raw.Write(once)
		b = nil
		switch {
		case cerr != nil:
			return 0, cerr
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case err != nil: // EPIPE comes without a signal: the Go runtime sees to that
			return 0, os.NewSyscallError("write", err)
		}
		return n, nil
	}
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
