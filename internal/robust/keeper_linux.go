package robust

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// register makes the calling thread the keeper's. Under cgo the C library has
// registered a list of its own for every thread; no C code runs on this one,
// so replacing it takes nothing from anybody.
func (k *keeper) register() error {
	k.tid = uint32(unix.Gettid())
	k.head.first = uint64(uintptr(unsafe.Pointer(&k.head)))
	k.head.offset = int64(unsafe.Offsetof(node{}.word))
	_, _, errno := syscall.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(&k.head)), unsafe.Sizeof(k.head), 0)
	if errno != 0 {
		return fmt.Errorf("robust locks: set_robust_list: %w", errno)
	}
	return nil
}

// goneLimit bounds the wait of waitGone: a process that lies in an
// uninterruptible system call must not hold up the family.
const goneLimit = 500 * time.Millisecond

// waitGone waits until every thread of a dying process has ended.
//
// The kernel releases the locks of a dead process when the keeper thread
// exits. SIGKILL stops the other threads within a microsecond or so, but
// nothing orders that before the keeper's exit: without this wait the heir
// could start while a thread of the dead still stores.
func waitGone(pid int) {
	if pid <= 0 || pid == os.Getpid() {
		// The owner died before it left its name, or (pid re-used) the
		// name is ours. One millisecond is a thousand times what an
		// interrupt takes to reach another core.
		time.Sleep(time.Millisecond)
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		if errors.Is(err, unix.ENOSYS) {
			time.Sleep(time.Millisecond)
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
