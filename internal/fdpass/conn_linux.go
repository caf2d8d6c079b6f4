package fdpass

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one end of a Unix stream socket that carries frames. All methods
// are safe for concurrent use; there is no useful zero value.
//
// A blocked reader or writer waits in the runtime's network poller and costs
// no thread. The package net is not used: it would bring its resolver into
// every child process.
type Conn struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool

	// One frame at a time in each direction. Close takes neither lock: it
	// must reach a holder that waits in the poller.
	wmu  sync.Mutex
	werr error // set once a frame was cut short: the peer cannot find the next one

	rmu  sync.Mutex
	rerr error  // set once a frame was not read to its end
	lost bool   // descriptors of the frame that is being read were lost
	oob  []byte // room for the control message of one recvmsg, made on first use
}

// Pair returns two connected ends. Both are close-on-exec: hand one to a
// child by its number (FD) at exec time, and close it here afterwards, or its
// other end never sees the end of the stream.
func Pair() (a, b *Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("fdpass: socket pair: %w", err)
	}
	if a, err = newConn(fds[0]); err != nil {
		_ = unix.Close(fds[1])
		return nil, nil, err
	}
	if b, err = newConn(fds[1]); err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// FromFD takes over a descriptor, such as one inherited at exec time, and
// makes it close-on-exec and nonblocking. It refuses what is not a Unix stream
// socket. The descriptor is the Conn's from then on; after an error it is
// still the caller's, unless the poller refused it: then it is closed.
func FromFD(fd int) (*Conn, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, fmt.Errorf("fdpass: descriptor %d: %w", fd, err)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || domain != unix.AF_UNIX || kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("fdpass: descriptor %d is not a Unix stream socket", fd)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("fdpass: descriptor %d: %w", fd, err)
	}
	return newConn(fd)
}

// newConn wraps a nonblocking Unix stream socket; on error fd is closed.
func newConn(fd int) (*Conn, error) {
	file := os.NewFile(uintptr(fd), "control socket")
	// NewFile keeps silent if epoll refuses the descriptor (max_user_watches
	// is used up, for example), and reads would fail later with a text that
	// helps nobody. Setting a deadline is how one asks.
	err := file.SetDeadline(time.Time{})
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("fdpass: the poller refuses descriptor %d: %w", fd, err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("fdpass: descriptor %d: %w", fd, err)
	}
	return &Conn{file: file, raw: raw}, nil
}

// FD returns the descriptor's number, or -1 after Close. It stays the Conn's:
// the number is good for handing the end to a child at exec time, as long as
// the Conn is neither closed nor forgotten meanwhile.
func (c *Conn) FD() int {
	n := -1
	_ = c.raw.Control(func(fd uintptr) { n = int(fd) })
	return n
}

// Dup returns a second, close-on-exec descriptor of this end, for sending it
// to another process. It belongs to the caller. The stream ends for the peer
// when every duplicate is closed, too.
func (c *Conn) Dup() (int, error) {
	n, err := -1, error(nil)
	if cerr := c.raw.Control(func(fd uintptr) {
		n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); cerr != nil {
		return -1, c.pollError("dup", cerr)
	}
	if err != nil {
		return -1, fmt.Errorf("fdpass: dup: %w", err)
	}
	return n, nil
}

// Roomy reports whether this process can open some more descriptors than those
// that it has just received. For who keeps descriptors on behalf of others: the
// program around it needs some, too.
func Roomy(received []int) bool {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return true
	}
	// The kernel gives out the lowest number that is free.
	reserve := min(spareDescriptors, limit.Cur/8)
	for _, fd := range received {
		if uint64(fd) >= limit.Cur-reserve {
			return false
		}
	}
	return true
}

// spareDescriptors is how many stay free where so many can be open at all.
const spareDescriptors = 64

// Close gives back this end. Whoever waits in ReadFrame or WriteFrame of this
// Conn gets os.ErrClosed; the peer reads what was sent, then io.EOF.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return fmt.Errorf("fdpass: close: %w", os.ErrClosed)
	}
	return c.file.Close()
}

// pollError words an error of RawConn itself. The poller's own error for a
// file that was closed is not os.ErrClosed and cannot be named outside of the
// standard library.
func (c *Conn) pollError(op string, err error) error {
	if c.closed.Load() {
		err = os.ErrClosed
	}
	return fmt.Errorf("fdpass: %s: %w", op, err)
}

// SetReadDeadline makes ReadFrame fail with os.ErrDeadlineExceeded after t.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }
