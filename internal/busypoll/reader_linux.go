package busypoll

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// timeLimit is how long a reader looks again and again. A peer on the same
// machine that has nothing else to do answers within it; measured with two
// processors, CPython's client needs 15 to 30 µs between two calls.
const timeLimit = 50 * time.Microsecond

// looking counts the goroutines of this process that look again and again.
var looking atomic.Int32

// Reader reads from a connection. One goroutine uses it at a time; the
// connection's deadlines and Close end its waits.
type Reader struct {
	c   net.Conn
	raw syscall.RawConn // nil: nothing but c.Read is to be had
	try func(fd uintptr) bool

	h     habit
	fresh bool // the netpoller has not been asked yet in this call
	p     []byte
	n     int
	err   syscall.Errno
}

// New returns a reader of c. What is not a TCP or Unix socket, TLS for
// example, it reads as c does.
func New(c net.Conn) *Reader {
	r := &Reader{c: c}
	switch s := c.(type) {
	case *net.UnixConn:
		r.raw, _ = s.SyscallConn()
	case *net.TCPConn:
		r.raw, _ = s.SyscallConn()
	}
	r.try = r.attempt
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.raw == nil || len(p) == 0 {
		return r.c.Read(p)
	}
	r.p, r.fresh = p, true
	err := r.raw.Read(r.try)
	r.p = nil
	switch {
	case err != nil:
		return 0, err
	case r.err != 0:
		return 0, &net.OpError{Op: "read", Net: r.c.LocalAddr().Network(), Source: r.c.LocalAddr(), Addr: r.c.RemoteAddr(), Err: r.err}
	case r.n == 0:
		return 0, io.EOF
	}
	last.Store(r)
	return r.n, nil
}

// attempt is called at once, and whenever the netpoller thinks that there is
// something. It reports whether there is a result.
func (r *Reader) attempt(fd uintptr) bool {
	if r.receive(fd) {
		return true
	}
	if !r.fresh {
		return false
	}
	r.fresh = false
	if last.Load() != r || !r.h.worth() {
		return false
	}
	// One processor at least stays with the scheduler.
	defer looking.Add(-1)
	if int(looking.Add(1)) >= runtime.GOMAXPROCS(0) {
		return false
	}
	for begin := time.Now(); time.Since(begin) < timeLimit; {
		// The peer may need this very processor, and for a while: it is a call that
		// the scheduler hears of, so that it can take Go's processor away meanwhile.
		_, _, _ = syscall.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		if r.receive(fd) {
			r.h.paid()
			return true
		}
	}
	r.h.failed()
	return false
}

// receive reads what is there. The call cannot block, and yet the scheduler
// hears of it: that is what wakes the runtime's monitor, without which nobody
// polls the network while the goroutine that this read has woken computes. As a
// raw system call it froze a process for as long, with processors to spare.
func (r *Reader) receive(fd uintptr) bool {
	n, _, err := syscall.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&r.p[0])), uintptr(len(r.p)), unix.MSG_DONTWAIT, 0, 0)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return false
	}
	r.n, r.err = int(n), err
	return true
}
