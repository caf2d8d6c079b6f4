package futex

import (
	"errors"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	opWait = 0 // FUTEX_WAIT, shared
	opWake = 1 // FUTEX_WAKE, shared

	clockMonotonic = 1
)

// noWaitv is set once the kernel has said that it lacks futex_waitv (before
// 5.16).
var noWaitv atomic.Bool

// Wake wakes at most n sleepers of the word and returns how many it woke.
// Cost: one system call, 0.2 to 1 µs when nobody sleeps.
func Wake(addr *uint32, n int) int {
	r, _, _ := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), opWake, uintptr(n), 0, 0, 0)
	if int(r) < 0 {
		return 0
	}
	return int(r)
}

// Wait sleeps until one of the words is woken or holds another value than
// its Old, or until the timeout is over (then ErrTimeout; 0 means no limit).
// It may return without a reason: the caller looks at its condition again in
// every case. It holds one operating system thread while it sleeps.
func Wait(timeout time.Duration, words ...Word) error {
	for _, w := range words {
		if atomic.LoadUint32(w.Addr) != w.Old {
			return nil
		}
	}
	if len(words) == 1 {
		return wait1(words[0], timeout)
	}
	if !noWaitv.Load() {
		err := waitv(timeout, words)
		if err != unix.ENOSYS && err != unix.EPERM {
			return result(err)
		}
		noWaitv.Store(true)
	}
	// One word at a time: sleep on the first for a short while. The others
	// are looked at when it returns, so they are noticed late but not never.
	part := timeout == 0 || timeout > slice
	if part {
		timeout = slice
	}
	err := wait1(words[0], timeout)
	if part && errors.Is(err, ErrTimeout) {
		return nil // the time is not over yet
	}
	return err
}

// WaitHeld is Wait on one word for a short time that keeps the scheduler's
// processor (the P of GOMAXPROCS) to itself while it sleeps: the goroutine runs
// on as soon as the kernel wakes its thread. Wait tells the scheduler, which
// costs two wake-ups of its monitor thread and the search for a processor:
// measured with 1 ms between the messages, a round trip of two processes takes
// 7 µs this way and 41 to 63 µs the other.
//
// The price is that the program has one processor less meanwhile, so timeout
// must be a few milliseconds at most. The collector is not held up: it
// interrupts the sleep by a signal (a FUTEX_WAIT with a timeout is not
// restarted after one), and the caller's next function call lets it in.
func WaitHeld(timeout time.Duration, w Word) error {
	ts := unix.NsecToTimespec(int64(timeout))
	_, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w.Addr)), opWait, uintptr(w.Old),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	return result(errno)
}

func waitv(timeout time.Duration, words []Word) syscall.Errno {
	var buf [4]entry
	list := buf[:0]
	if len(words) > len(buf) {
		list = make([]entry, 0, len(words))
	}
	for _, w := range words {
		list = append(list, entry{val: uint64(w.Old), uaddr: uint64(uintptr(unsafe.Pointer(w.Addr))), flags: flagSize32})
	}
	var ts *unix.Timespec
	if timeout > 0 {
		ts = deadline(timeout)
	}
	_, _, errno := syscall.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), 0,
		uintptr(unsafe.Pointer(ts)), clockMonotonic, 0)
	runtime.KeepAlive(words) // the kernel read the addresses out of list, as numbers
	return errno
}

func wait1(w Word, timeout time.Duration) error {
	var ts *unix.Timespec
	if timeout > 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	_, _, errno := syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w.Addr)), opWait, uintptr(w.Old),
		uintptr(unsafe.Pointer(ts)), 0, 0)
	return result(errno)
}

// deadline turns a duration into the absolute monotonic time that
// futex_waitv wants.
func deadline(d time.Duration) *unix.Timespec {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	t := unix.NsecToTimespec(now.Nano() + int64(d))
	return &t
}

func result(errno syscall.Errno) error {
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR:
		return nil
	case unix.ETIMEDOUT:
		return ErrTimeout
	}
	return errno
}
