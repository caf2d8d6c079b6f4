package robust

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// register makes the calling thread the keeper's. Under cgo the C library has
// registered a list of its own for every thread; no C code runs on this one,
// so replacing it takes nothing from anybody.
func (k *keeper) register() error {
	k.name = uint64(self)<<32 | uint64(uint32(unix.Gettid()))
	k.head.first = uint64(uintptr(unsafe.Pointer(&k.head)))
	k.head.offset = int64(unsafe.Offsetof(node{}.word))
	_, _, errno := syscall.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(&k.head)), unsafe.Sizeof(k.head), 0)
	if errno != 0 {
		return fmt.Errorf("robust locks: set_robust_list: %w", errno)
	}
	return nil
}

func onMainThread() bool { return unix.Gettid() == unix.Getpid() }

// threadGone reports whether a thread has ended. A live one of another user
// is EPERM, which is not gone. All who share a lock are in one PID namespace.
func threadGone(pid, tid uint32) bool {
	return unix.Tgkill(int(pid), int(tid), 0) == unix.ESRCH
}

// goneLimit bounds the wait of waitGone. A killed process may take long to
// give back its memory, but long before that its threads run no more.
const goneLimit = 30 * time.Millisecond

// waitGone waits until every thread of a dying process has ended.
//
// The kernel releases the locks of a dead process when the keeper thread
// exits. SIGKILL stops the other threads within a microsecond or so, but
// nothing orders that before the keeper's exit: without this wait the heir
// could start while a thread of the dead still stores.
func waitGone(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		if errors.Is(err, unix.ENOSYS) {
			time.Sleep(time.Millisecond) // before Linux 5.3
		}
		return // ESRCH: all gone
	}
	defer func() { _ = unix.Close(fd) }()
	end := time.Now().Add(goneLimit)
	for {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
			return
		}
	}
}
