package spawn

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process is a child that Start has started. All methods are safe for
// concurrent use; there is no useful zero value. It needs no Close: a
// goroutine that sleeps in the network poller reaps the child when it ends,
// and releases the pidfd then.
type Process struct {
	pid   int
	pidFD *os.File // nil where the kernel has none
	done  chan struct{}

	// mu is held shared while pid or pidFD are in use, and exclusively while
	// the process is reaped. Until then its pid cannot be given to another
	// process, nor pidFD's number to another file; afterwards neither is used.
	mu     sync.RWMutex
	reaped bool
	state  State
}

// running is the State of a process that has not ended.
var running = State{Running: true, ExitCode: -1}

// newProcess describes a child of ours; it takes pidFD over, -1 means none. The
// caller starts watch.
func newProcess(pid, pidFD int) *Process {
	p := &Process{pid: pid, done: make(chan struct{}), state: running}
	if pidFD >= 0 {
		// os.NewFile hands what is nonblocking to epoll, and only that. Should
		// either step fail, the poller says so when it is asked to wait.
		_ = unix.SetNonblock(pidFD, true)
		p.pidFD = os.NewFile(uintptr(pidFD), "pidfd")
	}
	return p
}

// PID returns the process id. It is a name for people: once the process has
// been reaped, the kernel may give the number to another one.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended and been reaped. What the child
// did to shared memory happens before that.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns what became of the process; as long as it has not ended that is
// State{Running: true, ExitCode: -1}. It does not wait.
func (p *Process) Exit() State {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.state
}

// Kill ends the process with SIGKILL. It returns os.ErrProcessDone if the
// process has been reaped already, and does not wait for the end.
func (p *Process) Kill() error { return p.Signal(unix.SIGKILL) }

// Signal sends a signal to this process and to no other, not even in the
// moment of its end; os.ErrProcessDone if it has been reaped already.
func (p *Process) Signal(sig syscall.Signal) error {
	return p.alive("signal", func() error {
		if p.pidFD != nil {
			if err := sys.pidfdSendSignal(int(p.pidFD.Fd()), sig, nil, 0); !refused(err) {
				return err
			}
		}
		// Nearly as safe, as long as mu is held: only code outside of this
		// package that calls wait could take the pid away from us.
		return unix.Kill(p.pid, sig)
	})
}

// alive calls f while the process is known not to have been reaped.
func (p *Process) alive(what string, f func() error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	err := f()
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	if err != nil {
		return fmt.Errorf("spawn: process %d: %s: %w", p.pid, what, err)
	}
	return nil
}

// watch waits for the end of the process, and takes note of it.
func (p *Process) watch() {
	if p.pidFD == nil || !p.poll() {
		p.block()
	}
	started.CompareAndDelete(p.pid, p)
	if p.pidFD != nil {
		_ = p.pidFD.Close()
	}
	close(p.done)
}

// poll waits in the network poller, where a thousand children cost no thread:
// a pidfd becomes readable when its process ends. It returns false if it could
// not wait, or not reap.
func (p *Process) poll() (reaped bool) {
	raw, err := p.pidFD.SyscallConn()
	if err != nil {
		return false
	}
	// The first look may find the end already. After the first wake-up the
	// process has ended for certain. If there is nothing to reap even so,
	// another process traces it and is told first, or the kernel reaps nothing by
	// its pidfd: block waits for that one. The poller tells of the end once, and
	// may have before the first look: then there would be no second.
	looks := 0
	_ = raw.Read(func(fd uintptr) bool { // an error means that epoll refused the pidfd
		looks++
		reaped = p.reap(unix.P_PIDFD, int(fd))
		return reaped || looks > 1 || readable(fd)
	})
	return reaped
}

// readable reports whether the process of a pidfd has ended.
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 && err == nil
}

// block waits with a thread of its own: before Linux 5.4, where a sandbox
// forbids pidfds, and for the moment until a tracer lets go.
func (p *Process) block() {
	const longest = 50 * time.Millisecond
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longest) {
		// WNOWAIT leaves the child as it is. Reaping comes second, under the
		// lock, so that Signal never meets a pid that is free. Should this
		// fail, reap fails as well, and makes an end of it.
		if err := waitid(unix.P_PID, p.pid, new(siginfo), unix.WEXITED|unix.WNOWAIT, nil); refused(err) {
			time.Sleep(pause) // there is wait4, which cannot leave it
		}
		if p.reap(unix.P_PID, p.pid) {
			return
		}
	}
}

// reap takes the exit status of a process that has ended and releases its
// pid; it does not wait. It returns false if there is nothing to take yet, or
// if the kernel does not know P_PIDFD.
func (p *Process) reap(idType, id int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ended, err := collect(idType, id)
	switch {
	case errors.Is(err, unix.ECHILD), err != nil && idType == unix.P_PID:
		s = State{ExitCode: -1, Unknown: true} // somebody else took it
	case err != nil || !ended:
		return false
	}
	p.reaped, p.state = true, s
	return true
}

// collect takes the exit status of a child, if it has ended.
func collect(idType, id int) (s State, ended bool, err error) {
	var info siginfo
	var usage unix.Rusage
	err = waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG, &usage)
	if refused(err) && idType == unix.P_PID {
		var status unix.WaitStatus
		var pid int
		for {
			if pid, err = unix.Wait4(id, &status, unix.WNOHANG, &usage); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		info.pid, info.code, info.status = int32(pid), cldExited, int32(status.ExitStatus())
		if status.Signaled() {
			info.code, info.status = 0, int32(status.Signal())
		}
	}
	if err != nil || info.pid == 0 {
		return s, false, err
	}
	return info.state(&usage), true, nil
}

func (info *siginfo) state(usage *unix.Rusage) State {
	s := State{
		ExitCode: int(info.status),
		User:     time.Duration(usage.Utime.Nano()),
		System:   time.Duration(usage.Stime.Nano()),
		MaxRSS:   int64(usage.Maxrss) << 10,
	}
	if info.code != cldExited {
		s.ExitCode, s.Signal = -1, syscall.Signal(info.status)
	}
	return s
}

// cldExited is CLD_EXITED; the other codes that waitid(WEXITED) gives are
// deaths by a signal.
const cldExited = 1

// siginfo is the kernel's siginfo_t as waitid fills it. The type in
// x/sys/unix has no names for these fields.
type siginfo struct {
	_      [2]int32 // signal number, errno
	code   int32
	_      [is64]int32 // the union that follows has the alignment of a pointer
	pid    int32
	_      uint32 // user id
	status int32
	_      [26 - is64]int32
}

const is64 = ^uint(0) >> 63

var _ [unsafe.Sizeof(unix.Siginfo{})]byte = [unsafe.Sizeof(siginfo{})]byte{}

// waitid is the system call, repeated while signals interrupt it.
func waitid(idType, id int, info *siginfo, options int, usage *unix.Rusage) error {
	for {
		err := sys.waitid(idType, id, (*unix.Siginfo)(unsafe.Pointer(info)), options, usage)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
