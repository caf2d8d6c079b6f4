package futex

import (
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

// Wake wakes at most n sleepers of the word and returns how many it woke.
// Cost: one system call, 0.2 to 1 µs when nobody sleeps.
func Wake(addr *uint32, n int) int {
	r, _, _ := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), opWake, uintptr(n), 0, 0, 0)
	woken := max(int(r), 0)
	if interruptible.Load() != 0 {
		woken += kick(addr)
	}
	return woken
}

// WakePinned is Wake for a word that those who sleep on it named first to Wait.
// It is a system call and nothing else, so a goroutine that is pinned may call
// it.
func WakePinned(addr *uint32, n int) int {
	r, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), opWake, uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(r)
}

// Wait sleeps until one of the words is woken or holds another value than
// its Old, or until the timeout is over (then ErrTimeout; 0 means no limit).
// It may return without a reason: the caller looks at its condition again in
// every case. It holds one operating system thread while it sleeps.
//
// The Go runtime ends a process that needs more than 10 000 threads, so from
// maxSleeping sleeps on a further one looks at its words now and then, first after
// a millisecond and at last twice a second, and returns that much later.
//
// Where Several is false it sleeps on the first word. A change of another one
// is noticed at once if this process wakes it or calls Kick, else within a
// time that grows with the length of the sleep, up to a second.
func Wait(timeout time.Duration, words ...Word) error {
	if changed(words) {
		return nil
	}
	defer sleeping.Add(-1)
	if sleeping.Add(1) > maxSleeping {
		return poll(timeout, words)
	}
	switch {
	case len(words) == 1:
		return wait1(words[0], timeout)
	case Several():
		return result(waitv(timeout, words))
	case len(words) > MaxWait:
		return unix.EINVAL
	}
	return waitFirst(timeout, words)
}

// sleeping counts the sleeps of this process, each of which holds a thread.
var sleeping atomic.Int32

// maxSleeping leaves some threads to the program. A variable for tests.
var maxSleeping int32 = 8000

// poll is Wait without a thread.
func poll(timeout time.Duration, words []Word) error {
	const longest = 500 * time.Millisecond
	begin := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		if timeout > 0 {
			left := timeout - time.Since(begin)
			if left <= 0 {
				return ErrTimeout
			}
			pause = min(pause, left)
		}
		time.Sleep(pause)
		if changed(words) {
			return nil
		}
	}
}

// changed reports whether any word holds another value than its Old.
func changed(words []Word) bool {
	for _, w := range words {
		if atomic.LoadUint32(w.Addr) != w.Old {
			return true
		}
	}
	return false
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
	_, _, errno := syscall.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), 0,
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
