package robust

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchGone is waitGone without a pidfd: it looks at the threads that the
// process still has, every 0.1 ms.
func watchGone(pid int) {
	for end := time.Now().Add(goneLimit); !threadsEnded(pid) && time.Now().Before(end); {
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(100 * time.Microsecond)}, nil)
	}
}

// threadsEnded reports whether no thread of the process runs any more. The
// first one stays, as a zombie, until the process is reaped.
func threadsEnded(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		return unix.Kill(pid, 0) == unix.ESRCH
	}
	for _, e := range list {
		b, err := os.ReadFile(dir + "/" + e.Name() + "/stat")
		if err != nil {
			continue // ended since
		}
		// "pid (name) state …", and the name may hold anything.
		rest := bytes.TrimLeft(b[bytes.LastIndexByte(b, ')')+1:], " ")
		if len(rest) == 0 || (rest[0] != 'Z' && rest[0] != 'X') {
			return false
		}
	}
	return true
}
