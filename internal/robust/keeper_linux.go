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

// Emulated is for tests under qemu's user mode, which has no robust lists: locks
// exclude each other there, but nobody hears of a death.
var Emulated bool

// registerList gives the calling thread a robust list. Under cgo the C library
// has registered a list of its own for every thread; no C code runs on this
// one, so replacing it takes nothing from anybody.
func registerList(h *head) (name uint64, err error) {
	_, _, errno := syscall.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(h)), unsafe.Sizeof(*h), 0)
	if errno == unix.ENOSYS && Emulated {
		errno = 0
	}
	if errno != 0 {
		return 0, fmt.Errorf("robust locks: set_robust_list: %w", errno)
	}
	nameThread()
	return uint64(self)<<32 | uint64(uint32(unix.Gettid())), nil
}

// unprotect makes the page of a reserved address readable and writable.
func unprotect(p *uint64) bool {
	page := uintptr(os.Getpagesize())
	start := uintptr(unsafe.Pointer(p)) &^ (page - 1)
	_, _, errno := syscall.Syscall(unix.SYS_MPROTECT, start, page, unix.PROT_READ|unix.PROT_WRITE)
	return errno == 0
}

// protect gives the page of unprotect back: its memory, and the area of addresses that it
// was of its own.
func protect(p *uint64) {
	page := uintptr(os.Getpagesize())
	start := uintptr(unsafe.Pointer(p)) &^ (page - 1)
	// A refusal costs a page, and nothing else.
	_, _, _ = syscall.Syscall(unix.SYS_MADVISE, start, page, unix.MADV_DONTNEED)
	_, _, _ = syscall.Syscall(unix.SYS_MPROTECT, start, page, unix.PROT_NONE)
}

func onMainThread() bool { return unix.Gettid() == unix.Getpid() }

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
		if !errors.Is(err, unix.ESRCH) { // ESRCH: all gone
			watchGone(pid) // before Linux 5.3, or a sandbox refuses
		}
		return
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
