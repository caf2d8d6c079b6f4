package endpoint

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

// TuneTCP lets the end of a peer be noticed within seconds, as long as nothing is
// on its way to it; see watchTCP.
func TuneTCP(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive)
	}
}

// NewTryWriter makes a writer for a socket, which Go has made nonblocking.
// Calls are not concurrent.
func NewTryWriter(raw syscall.RawConn) TryWriter {
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
