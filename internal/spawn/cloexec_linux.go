package spawn

import (
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// MarkCloexec makes every descriptor from number from on close-on-exec. A
// child calls it before anything else: what it inherited as 3, 4 and so on has
// lost the flag on the way. Without it, a program that the child starts would
// hold the control socket open, and nobody would see the end of the stream.
func MarkCloexec(from int) error {
	if from < 0 {
		return fmt.Errorf("spawn: mark descriptors from %d: %w", from, unix.EBADF)
	}
	if sys.closeRange(uint(from), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return markListed(from)
}

// markListed does it one by one: before Linux 5.11, and where a sandbox
// forbids close_range. A descriptor that another goroutine opens meanwhile
// can be missed; those of the Go runtime have the flag from birth.
func markListed(from int) error {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return markEach(from)
	}
	for _, entry := range list {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= from {
			unix.CloseOnExec(fd) // ReadDir's own is closed by now: no harm
		}
	}
	return nil
}

// markEach tries every number, where there is no /proc to list them.
func markEach(from int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("spawn: mark descriptors from %d: %w", from, err)
	}
	for fd := from; fd < int(min(limit.Cur, 1<<16)); fd++ {
		unix.CloseOnExec(fd) // of one that is not open: no harm
	}
	return nil
}
