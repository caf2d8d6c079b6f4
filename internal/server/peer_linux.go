package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

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

// lifeline tells of the end of a process that is not ours.
type lifeline struct {
	pid int
	fd  *os.File // a pidfd; nil where the kernel gives none
}

// newLifeline holds on to the process at the other end of a Unix socket. The
// kernel can name the very process that connected; where it is too old for
// that, the pid may in theory be another process's already.
func newLifeline(c net.Conn, pid int) *lifeline {
	l := &lifeline{pid: pid}
	fd := peerPidfd(c)
	if fd < 0 {
		var err error
		if fd, err = unix.PidfdOpen(pid, 0); err != nil {
			return l
		}
	}
	// Nonblocking, or os.NewFile would not hand it to the poller.
	_ = unix.SetNonblock(fd, true)
	l.fd = os.NewFile(uintptr(fd), "pidfd")
	return l
}

func peerPidfd(c net.Conn) int {
	fd := -1
	s, ok := c.(syscall.Conn)
	if !ok {
		return fd
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return fd
	}
	_ = raw.Control(func(socket uintptr) {
		if got, err := unix.GetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
			fd = got
		}
	})
	return fd
}

// ended reports whether the process is gone, without waiting.
func (l *lifeline) ended() bool {
	if l.fd == nil {
		return errors.Is(unix.Kill(l.pid, 0), unix.ESRCH)
	}
	ended := true
	if raw, err := l.fd.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { ended = readable(int(fd)) })
	}
	return ended
}

// readable reports whether a pidfd says that its process has ended.
func readable(fd int) bool {
	for {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0
		}
	}
}

// wait returns when the process has ended, or close was called.
func (l *lifeline) wait(closed <-chan struct{}) {
	if l.fd != nil {
		if raw, err := l.fd.SyscallConn(); err == nil {
			done := false
			if err := raw.Read(func(fd uintptr) bool { done = readable(int(fd)); return done }); err == nil && done {
				return
			}
		}
	}
	for { // no pidfds here: look
		select {
		case <-closed:
			return
		case <-time.After(time.Second):
			if l.ended() {
				return
			}
		}
	}
}

// close lets go of the process, and ends wait.
func (l *lifeline) close() {
	if l.fd != nil {
		_ = l.fd.Close()
	}
}

// maxFiles is how many connections this process has descriptors for, with
// some to spare; 0 if that is not known.
func maxFiles() int {
	const spare = 64
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<30 {
		return 0
	}
	return max(int(r.Cur)-spare, 8)
}
